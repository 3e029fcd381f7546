"""The options of the planning tools, and their limits: an error names the value, the limit and the remedy."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path

from operations.planning import limits
from operations.planning.scenario import (
    ASYNC_RETRIES,
    MEMORY_MB,
    READ_CAPACITY,
    TIMEOUT_SECONDS,
    WRITE_CAPACITY,
    Latencies,
    Load,
    StackSettings,
)

EPILOG = """\
No AWS credentials are needed: nothing is asked of AWS. Exit codes: 0 nothing is lost; 1 events would end in the failure
queue; 2 it could not run; 130 interrupted."""

COST_EPILOG = """\
No AWS credentials are needed: nothing is asked of AWS, and the prices were not checked against its live price list.
Uploads and the objects' own storage are not in it: they cost the same without this stack. Exit codes: 0 done; 2 it
could not run."""

MAX_FILES_PER_DAY = 1_000_000_000  # ten times what a table of the default quota could write
MIN_BURST_RATE, MAX_BURST_RATE = 0.01, 100_000
MAX_ROW_BYTES = 400 * 1024  # DynamoDB Developer Guide, "Item size"
MAX_TABLE_UNITS = 40_000  # per table; DynamoDB Developer Guide, "Quotas in Amazon DynamoDB" (AWS raises it on request)


def _add_load(parser: argparse.ArgumentParser) -> None:
    """Add the options of the load."""
    parser.add_argument(
        "--per-day", type=_integer(0, MAX_FILES_PER_DAY, "files a day"), required=True, metavar="N", help="files a day"
    )
    parser.add_argument(
        "--row-bytes",
        type=_integer(1, MAX_ROW_BYTES, "bytes"),
        default=600,
        metavar="BYTES",
        help="size of a row (600; names and user metadata make it longer)",
    )


def _add_stack(add: Callable[..., argparse.Action]) -> None:
    """Add the options of the stack's configuration that both tools have."""
    add("--write-capacity", type=UNITS, default=WRITE_CAPACITY, metavar="N", help=f"({WRITE_CAPACITY})")
    add("--on-demand", action="store_true", help="as if the table were billed per request")
    add("--memory-mb", type=_integer(128, 10_240, "MiB"), default=MEMORY_MB, metavar="MB", help=f"({MEMORY_MB})")


def add_capacity(parser: argparse.ArgumentParser) -> None:
    """Add the options of `capacity`."""
    _add_load(parser)
    settings, latencies = StackSettings(), Latencies()
    burst = parser.add_argument_group("a burst on top of that")
    burst.add_argument("--burst", type=_burst_rate, default=0.0, metavar="N/s", help="files a second (none)")
    burst.add_argument(
        "--burst-seconds",
        type=_number_between(1, limits.EVENT_AGE_SECONDS, "seconds"),
        default=60.0,
        metavar="S",
        help="how long it lasts (60)",
    )
    stack = parser.add_argument_group("the stack's configuration")
    _add_stack(stack.add_argument)
    stack.add_argument("--max-capacity", type=UNITS, metavar="N", help="ceiling of autoscaling (off)")
    stack.add_argument(
        "--reserved-concurrency", type=_integer(1, 100_000, "executions"), metavar="N", help="(off: the account's)"
    )
    stack.add_argument(
        "--timeout-seconds",
        type=_integer(10, 900, "seconds"),
        default=TIMEOUT_SECONDS,
        metavar="S",
        help=f"({TIMEOUT_SECONDS})",
    )
    stack.add_argument(
        "--async-retries",
        type=_integer(0, 2, "retries"),
        default=ASYNC_RETRIES,
        metavar="N",
        help="of Lambda's queue (2)",
    )
    stack.add_argument(
        "--event-age",
        type=_integer(60, limits.EVENT_AGE_SECONDS, "seconds"),
        default=limits.EVENT_AGE_SECONDS,
        metavar="S",
        help="how long Lambda's queue keeps an event (21600, which is the most)",
    )
    environment = parser.add_argument_group("the world around it")
    environment.add_argument(
        "--account-concurrency",
        type=_integer(1, 100_000, "executions"),
        default=settings.account_concurrency,
        metavar="N",
        help="executions at once that the account has left for this function (1000; 10 in many new accounts)",
    )
    for name, what, default in (
        ("head", "median of S3's answer to HEAD", latencies.head[0]),
        ("write", "median of DynamoDB's answer", latencies.write[0]),
        ("delivery", "median of the way from an upload to Lambda's queue", latencies.delivery[0]),
        ("init", "median of a cold start", latencies.init[0]),
    ):
        environment.add_argument(
            f"--{name}-ms",
            type=_number_between(0, 10_000, "milliseconds"),
            metavar="MS",
            help=f"{what} ({default:g}); what varies keeps its proportion",
        )
    environment.add_argument(
        "--no-burst-capacity",
        action="store_true",
        help="do not count on the unused units of 300 s that DynamoDB usually, but not surely, lets be used later",
    )
    environment.add_argument("--seed", type=_integer(0, 2**32, "seeds"), default=0, metavar="N", help="of chance (0)")
    parser.add_argument("--chart", type=_svg_path, metavar="FILE.svg", help="draw what happens into this file")


def add_cost(parser: argparse.ArgumentParser) -> None:
    """Add the options of `cost`."""
    _add_load(parser)
    _add_stack(parser.add_argument)
    parser.add_argument("--read-capacity", type=UNITS, default=READ_CAPACITY, metavar="N", help=f"({READ_CAPACITY})")
    parser.add_argument(
        "--months",
        type=_integer(1, 1200, "months"),
        default=12,
        metavar="N",
        help="the rows of so many months are kept (12)",
    )
    parser.add_argument(
        "--free-tier", action="store_true", help="less what AWS never bills (default: as if others had used it up)"
    )


def load_from_options(options: argparse.Namespace) -> Load:
    """The load that the options describe."""
    burst_seconds = options.burst_seconds if options.burst else 0.0
    return Load(
        per_day=options.per_day, burst_rate=options.burst, burst_seconds=burst_seconds, row_bytes=options.row_bytes
    )


def settings_from_options(options: argparse.Namespace) -> StackSettings:
    """The settings that the options describe."""
    latencies = Latencies()

    def durations(name: str, default: tuple[float, float]) -> tuple[float, float]:
        median: float | None = getattr(options, f"{name}_ms")
        return default if median is None else (median, median * default[1] / default[0])

    return StackSettings(
        write_capacity=options.write_capacity,
        max_capacity=options.max_capacity,
        on_demand=options.on_demand,
        account_concurrency=options.account_concurrency,
        reserved_concurrency=options.reserved_concurrency,
        memory_mb=options.memory_mb,
        timeout_seconds=options.timeout_seconds,
        async_retries=options.async_retries,
        event_age_seconds=options.event_age,
        burst_capacity_seconds=0.0 if options.no_burst_capacity else limits.BURST_SECONDS,
        latencies=Latencies(
            delivery=durations("delivery", latencies.delivery),
            head=durations("head", latencies.head),
            write=durations("write", latencies.write),
            init=durations("init", latencies.init),
        ),
    )


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "").replace("_", ""))
    except ValueError:
        return math.nan


def _number_between(least: float, most: float, unit: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        number = _number(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is out of bounds: give {least:,g} to {most:,g} {unit}")
        return number

    return parse


def _integer(least: int, most: int, unit: str) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = _number(text)
        if not (least <= number <= most and number == int(number)):
            raise argparse.ArgumentTypeError(
                f"{text!r} is out of bounds: give a whole number of {least:,} to {most:,} {unit}"
            )
        return int(number)

    return parse


UNITS = _integer(1, MAX_TABLE_UNITS, "units: DynamoDB's default quota of a table")


def _burst_rate(text: str) -> float:
    number = _number(re.sub(r"\s*/\s*s$", "", text.strip()))
    if not MIN_BURST_RATE <= number <= MAX_BURST_RATE:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no rate of a burst: give {MIN_BURST_RATE} to {MAX_BURST_RATE:,} a second, such as 500/s"
        )
    return number


def _svg_path(text: str) -> Path:
    if not text.endswith(".svg"):
        raise argparse.ArgumentTypeError(f"{text!r} does not end with .svg, and the chart is one: name it so")
    return Path(text)
