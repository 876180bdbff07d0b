"""Values that need history, "as of" an instant: declared, not coded."""
