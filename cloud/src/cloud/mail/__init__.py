"""Letters: what the cloud writes to people."""
