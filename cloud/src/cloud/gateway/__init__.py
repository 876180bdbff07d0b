"""The gateway: one place classifies, one place reports cost, streamed or not."""
