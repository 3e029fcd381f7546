"""Entry point of `python -m operations`. Its syntax must be valid in all versions of Python 3."""

from operations.startup import start

if __name__ == "__main__":
    start("tapstack", "operations.command", packages="requirements-operations.txt")
