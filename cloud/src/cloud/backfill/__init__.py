"""The present and the past of all accounts, told to an abuse service: at a customer's first day, and after a gap."""
