"""HTTP: authenticate, decode to a contract type, answer. No judgement, no SQL."""
