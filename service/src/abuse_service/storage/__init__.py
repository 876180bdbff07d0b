"""Implementations of the protocols that stand beside their consumers: SQLite today, PostgreSQL next."""
