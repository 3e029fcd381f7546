"""The two clients alone."""
