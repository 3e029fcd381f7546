"""Starts an AWS emulator: MiniStack as a local process, or LocalStack in a Docker container."""
