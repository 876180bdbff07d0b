"""Outside parties that run on this machine, so that the whole company can be tried without an account anywhere."""
