"""Decide, record, explain: the one room that tells the whole story."""
