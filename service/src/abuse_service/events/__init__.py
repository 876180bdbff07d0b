"""The append-only log: Event, EventLog. Nothing is acknowledged before it is durable."""
