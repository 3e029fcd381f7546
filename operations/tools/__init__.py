"""The tools that work on a deployed stack."""
