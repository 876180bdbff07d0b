"""The same story again from the log: rebuild, and recover after a stop."""
