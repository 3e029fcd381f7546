"""Command-line options of the tool `report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from operations.analytics.options import add_source
from operations.option_types import iso_time, positive_integer, utf8_text
from operations.shared_options import add_prefix

DEFAULT_TOP, MAX_TOP = 20, 1000
"""Default and largest value of the option --top, the number of rows in each table of the report."""


def add_report(parser: argparse.ArgumentParser) -> None:
    """Add the options of the tool `report`."""
    parser.add_argument(
        "--since",
        type=iso_time,
        metavar="T",
        help="only versions and delete markers created at this time (ISO 8601) or later, and only deletions at this "
        "time or later",
    )
    parser.add_argument(
        "--until",
        type=iso_time,
        metavar="T",
        help="only versions and delete markers created before this time (ISO 8601), and only deletions before this "
        "time",
    )
    add_prefix(parser)
    parser.add_argument("--bucket", type=utf8_text, metavar="NAME", help="only this bucket (default: all buckets)")
    parser.add_argument(
        "--top",
        type=positive_integer("rows", MAX_TOP),
        default=DEFAULT_TOP,
        metavar="N",
        help=f"maximum number of rows in each table of the report, 1 to {MAX_TOP} (default: {DEFAULT_TOP})",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write the report to this HTML file")
    add_source(parser)
