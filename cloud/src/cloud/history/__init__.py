"""What has happened to accounts, as it was reported: kept for the backfill, and forgotten with the person."""
