"""Runs the command: `python -m localstack.demo`."""

from __future__ import annotations

from localstack.demo.command import run

if __name__ == "__main__":
    run()
