"""Small example programs that use a deployed stack."""
