"""Command line for operators of a deployed stack: `python -m operations TOOL`."""
