"""Entry point of the command `python -m examples.upload`. Its syntax must be valid in all versions of Python 3."""

from operations.startup import start

if __name__ == "__main__":
    start("upload", "examples.upload.command", packages="requirements-operations.txt")
