"""JSON for the console and for operators' verbs."""
