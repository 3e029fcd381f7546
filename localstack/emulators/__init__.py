"""Starts AWS emulators: MiniStack as a local process, LocalStack in a Docker container."""
