"""Administration: blocking, unblocking, grants, by a person or by a rule."""
