"""Billing: credits in microdollars, the monthly pass, and whose Stripe id is whose."""
