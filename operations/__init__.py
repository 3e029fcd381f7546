"""Command line for operators of a deployed stack: `tapstack TOOL`, or `python -m operations TOOL` in a clone."""
