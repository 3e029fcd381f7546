"""Entry point of `python -m operations`."""

from __future__ import annotations

from operations.command import run

if __name__ == "__main__":
    run()
