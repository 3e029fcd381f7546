"""Runs the command `python -m localstack.showcase.demo`."""

from __future__ import annotations

from localstack.showcase.demo.command import run

if __name__ == "__main__":
    run()
