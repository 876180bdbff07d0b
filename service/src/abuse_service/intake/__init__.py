"""Contract to events: one module an endpoint. Stamps, names the identities, finds join keys and event ids."""
