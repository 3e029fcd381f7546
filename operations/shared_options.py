"""Command-line options that several tools have: --function, --stack-outputs, --prefix and --workers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from operations.option_types import positive_integer, utf8_text
from operations.parallel_listing import LIST_WORKERS, MAX_LIST_WORKERS

if TYPE_CHECKING:
    import argparse


def add_stack(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the options --function and --stack-outputs, which identify the deployed stack.

    Args:
        parser: the argument parser.
        required: whether the user must set one of the options.
    """
    where = parser.add_mutually_exclusive_group(required=required)
    where.add_argument(
        "--function", type=utf8_text, metavar="NAME", help="name or ARN of the indexer's Lambda function"
    )
    where.add_argument(
        "--stack-outputs", type=Path, metavar="FILE", help="file with the output of `pulumi stack output --json`"
    )


def add_prefix(parser: argparse.ArgumentParser) -> None:
    """Add the option --prefix, which selects object keys."""
    parser.add_argument(
        "--prefix", type=utf8_text, default="", metavar="P", help="only object keys with this prefix (default: all)"
    )


def add_workers(parser: argparse.ArgumentParser, *, note: str = "") -> None:
    """Add the option --workers, the number of concurrent list requests.

    Args:
        parser: the argument parser.
        note: text to append to the help text.
    """
    parser.add_argument(
        "--workers",
        type=positive_integer("concurrent requests", MAX_LIST_WORKERS),
        default=LIST_WORKERS,
        metavar="N",
        help=f"number of concurrent requests that list the bucket, 1 to {MAX_LIST_WORKERS} (default: {LIST_WORKERS})"
        f"{note}",
    )
