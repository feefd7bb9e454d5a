"""A door: see views."""
