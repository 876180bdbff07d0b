"""What we know of one identity, folded from its events; links between identities."""
