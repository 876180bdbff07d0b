"""The wire contract, and the client that a SaaS embeds."""
