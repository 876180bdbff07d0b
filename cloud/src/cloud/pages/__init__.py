"""The site: plain pages on the same functions that the API calls."""
