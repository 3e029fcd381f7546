"""Options of the tools that list a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.option_types import positive_integer, utf8_text
from operations.parallel_listing import LIST_WORKERS, MAX_LIST_WORKERS

if TYPE_CHECKING:
    import argparse


def add_prefix(parser: argparse.ArgumentParser) -> None:
    """Add the option that selects object keys."""
    parser.add_argument(
        "--prefix", type=utf8_text, default="", metavar="P", help="only object keys with this prefix (default: all)"
    )


def add_workers(parser: argparse.ArgumentParser, *, note: str = "") -> None:
    """Add the option for the number of concurrent list requests.

    Args:
        parser: the argument parser.
        note: addition to the help text.
    """
    parser.add_argument(
        "--workers",
        type=positive_integer("concurrent requests", MAX_LIST_WORKERS),
        default=LIST_WORKERS,
        metavar="N",
        help=f"number of concurrent requests that list the bucket, 1 to {MAX_LIST_WORKERS} (default: {LIST_WORKERS})"
        f"{note}",
    )
