"""A complete small SaaS that emits every event at its natural call site."""
