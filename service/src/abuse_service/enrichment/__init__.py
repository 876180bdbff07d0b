"""What an address, an e-mail and a user agent say by themselves, from offline data."""
