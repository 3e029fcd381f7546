"""The command's options, and their limits."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from operations.failures import REASONS
from operations.planning import options as planning

EPILOG = """\
Credentials, region and AWS_ENDPOINT_URL are taken as the AWS CLI takes them. Nothing is changed without --repair,
--invoke or --replay. Exit codes: 0 nothing is left to do; 1 there is: differences, or messages in the queue; 2 it could
not run; 130 interrupted, and it can be started again."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments: `tool` is the tool's name."""
    parser = argparse.ArgumentParser(
        prog="python -m operations", description="Tools that keep the index of a deployed stack true.", epilog=EPILOG
    )
    tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
    for name, add_options, description, epilog in (
        ("audit", _add_audit, "compare the bucket with the table, and mend the table", EPILOG),
        ("backfill", _add_backfill, "index what was in the bucket before the function was told of it", EPILOG),
        ("redrive", _add_redrive, "show what is in the failure queue, and give it to the function again", EPILOG),
        ("capacity", planning.add_capacity, "what a stack will carry, and what it would lose", planning.EPILOG),
        ("cost", planning.add_cost, "what a stack will cost in a month", planning.COST_EPILOG),
    ):
        sub = tools.add_parser(
            name, help=description, description=f"{description.capitalize()}.", epilog=epilog, allow_abbrev=False
        )
        sub.add_argument("--json", action="store_true", help="print one JSON document, for machines")
        add_options(sub)
    return parser


def _add_stack(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the deployed stack."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--function", metavar="NAME", help="the function's name or ARN; it knows bucket and table")
    where.add_argument("--stack-outputs", type=Path, metavar="FILE", help="what `pulumi stack output --json` printed")


def _add_audit(parser: argparse.ArgumentParser) -> None:
    _add_stack(parser)
    parser.add_argument("--prefix", default="", metavar="P", help="only keys that start so (default: all)")
    parser.add_argument(
        "--repair", action="store_true", help="give the function the facts again (default: only say what differs)"
    )


def _add_backfill(parser: argparse.ArgumentParser) -> None:
    _add_stack(parser)
    parser.add_argument("--prefix", default="", metavar="P", help="only keys that start so (default: all)")
    parser.add_argument("--since", type=_time, metavar="T", help="only versions made at this time (ISO 8601) or later")
    parser.add_argument(
        "--rate", type=_rate, metavar="N", help="events a second (default: half the table's write capacity)"
    )
    parser.add_argument(
        "--start-after", default="", metavar="KEY", help="go on after this key, as an interrupted run says"
    )
    parser.add_argument("--invoke", action="store_true", help="send the events (default: only count them)")


def _add_redrive(parser: argparse.ArgumentParser) -> None:
    _add_stack(parser)
    parser.add_argument(
        "--reason", choices=REASONS, metavar="R", help=f"only failures with this reason: {', '.join(REASONS)}"
    )
    parser.add_argument(
        "--max", type=_positive_integer, metavar="N", help="take so many failures at most (default: all)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--replay",
        action="store_true",
        help="give the function the events again, and delete each message once that was accepted",
    )
    what.add_argument(
        "--export", type=Path, metavar="FILE", help="write the messages to a new file, one JSON object a line"
    )


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no ISO 8601 time, such as 2026-11-22 or 2026-11-22T21:40:04Z"
        ) from None
    if time.tzinfo is None and len(text) > len("2026-11-22"):
        raise argparse.ArgumentTypeError(f"{text!r} has no time zone: add Z for UTC")
    return time if time.tzinfo else time.replace(tzinfo=UTC)  # a day is one of UTC


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0
    if not 0 < rate < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no rate: give events a second, more than 0")
    return rate


def _positive_integer(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of messages: give 1 or more")
    return int(text)
