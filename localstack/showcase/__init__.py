"""Demonstrates the stack on an AWS emulator: a demo on the terminal, and an upload page in a browser."""
