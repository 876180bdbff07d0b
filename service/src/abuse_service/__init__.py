"""The abuse service: takes events, keeps identities, decides, explains."""
