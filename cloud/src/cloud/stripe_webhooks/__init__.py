"""What Stripe tells: verified, remembered, taken once, forwarded with its owner."""
