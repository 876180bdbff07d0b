"""Organizations: teams of users with a plan."""
