"""Accounts: sign-up, sign-in, addresses, deletion."""
