"""Entry point of the command `python -m examples.upload`."""

from __future__ import annotations

from examples.upload.command import run

if __name__ == "__main__":
    run()
