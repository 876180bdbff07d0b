"""Labelled traffic through the real service: what is caught, how early, and who is hurt."""
