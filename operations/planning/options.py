"""Options of the tools `capacity` and `cost`, with their limits and help texts."""

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

NO_ACCESS = "The tool does not call AWS and needs no credentials."
COST_NOTES = f"""\
{NO_ACCESS} The prices come from AWS's documentation and were not checked against its price list. The estimate excludes
the uploads and the storage of the objects, because they cost the same without this stack."""

MAX_FILES_PER_DAY = 1_000_000_000
MIN_BURST_RATE, MAX_BURST_RATE = 0.01, 100_000
MAX_ROW_BYTES = 400 * 1024
"""Maximum size of a DynamoDB item in bytes."""
MAX_TABLE_UNITS = 40_000
"""Default quota of write units of a DynamoDB table.

Source: AWS documentation page "Quotas in Amazon DynamoDB".
"""


def _add_load(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe the load: the uploaded files, and the size of their rows."""
    parser.add_argument(
        "--per-day",
        type=_integer(0, MAX_FILES_PER_DAY, "files a day"),
        required=True,
        metavar="N",
        help="number of uploaded files per day",
    )
    parser.add_argument(
        "--row-bytes",
        type=_integer(1, MAX_ROW_BYTES, "bytes"),
        default=600,
        metavar="BYTES",
        help="size of a row in bytes (default: 600); long object keys and user metadata increase it",
    )


def _add_stack(add: Callable[..., argparse.Action]) -> None:
    """Add the options for the stack's configuration that `capacity` and `cost` have in common."""
    add(
        "--write-capacity",
        type=UNITS,
        default=WRITE_CAPACITY,
        metavar="N",
        help=f"provisioned write units of the table (default: {WRITE_CAPACITY})",
    )
    add("--on-demand", action="store_true", help="use on-demand capacity instead of provisioned capacity")
    add(
        "--memory-mb",
        type=_integer(128, 10_240, "MiB"),
        default=MEMORY_MB,
        metavar="MB",
        help=f"memory of the indexer (default: {MEMORY_MB})",
    )


def add_capacity(parser: argparse.ArgumentParser) -> None:
    """Add the options of `capacity`."""
    _add_load(parser)
    settings, latencies = StackSettings(), Latencies()
    burst = parser.add_argument_group("burst in addition to the files per day")
    burst.add_argument(
        "--burst",
        type=_burst_rate,
        default=0.0,
        metavar="N/s",
        help="additional files per second during the burst (default: no burst)",
    )
    burst.add_argument(
        "--burst-seconds",
        type=_number_between(1, limits.EVENT_AGE_SECONDS, "seconds"),
        default=60.0,
        metavar="S",
        help="duration of the burst in seconds (default: 60)",
    )
    stack = parser.add_argument_group("configuration of the stack")
    _add_stack(stack.add_argument)
    stack.add_argument(
        "--max-capacity", type=UNITS, metavar="N", help="maximum write units of auto scaling (default: no auto scaling)"
    )
    stack.add_argument(
        "--reserved-concurrency",
        type=_integer(1, 100_000, "executions"),
        metavar="N",
        help="reserved concurrency of the indexer (default: none)",
    )
    stack.add_argument(
        "--timeout-seconds",
        type=_integer(10, 900, "seconds"),
        default=TIMEOUT_SECONDS,
        metavar="S",
        help=f"timeout of the indexer in seconds (default: {TIMEOUT_SECONDS})",
    )
    stack.add_argument(
        "--async-retries",
        type=_integer(0, 2, "retries"),
        default=ASYNC_RETRIES,
        metavar="N",
        help="retries of a failed event by Lambda (default: 2)",
    )
    stack.add_argument(
        "--event-age",
        type=_integer(60, limits.EVENT_AGE_SECONDS, "seconds"),
        default=limits.EVENT_AGE_SECONDS,
        metavar="S",
        help="maximum event age in seconds (default: 21600, which is also AWS's maximum)",
    )
    environment = parser.add_argument_group(
        "AWS account and latencies", "The simulation varies each latency at random around its median."
    )
    environment.add_argument(
        "--account-concurrency",
        type=_integer(1, 100_000, "executions"),
        default=settings.account_concurrency,
        metavar="N",
        help="concurrent executions available to the indexer (default: 1000; many new accounts have 10)",
    )
    for name, what, default in (
        ("head", "latency of S3's HeadObject", latencies.head[0]),
        ("write", "latency of DynamoDB's UpdateItem", latencies.write[0]),
        ("delivery", "time from an upload to Lambda's queue", latencies.delivery[0]),
        ("init", "duration of a cold start", latencies.init[0]),
    ):
        environment.add_argument(
            f"--{name}-ms",
            type=_number_between(0, 10_000, "milliseconds"),
            metavar="MS",
            help=f"median {what} in milliseconds (default: {default:g})",
        )
    environment.add_argument(
        "--no-burst-capacity",
        action="store_true",
        help="simulate without DynamoDB's burst capacity, which AWS does not guarantee",
    )
    environment.add_argument(
        "--seed",
        type=_integer(0, 2**32, "seeds"),
        default=0,
        metavar="N",
        help="seed of the random numbers (default: 0)",
    )
    parser.add_argument(
        "--chart", type=_svg_path, metavar="FILE.svg", help="write a chart of the simulation to this file"
    )


def add_cost(parser: argparse.ArgumentParser) -> None:
    """Add the options of `cost`."""
    _add_load(parser)
    _add_stack(parser.add_argument)
    parser.add_argument(
        "--read-capacity",
        type=UNITS,
        default=READ_CAPACITY,
        metavar="N",
        help=f"provisioned read units of the table (default: {READ_CAPACITY})",
    )
    parser.add_argument(
        "--months",
        type=_integer(1, 1200, "months"),
        default=12,
        metavar="N",
        help="number of months for which rows have been collected (default: 12)",
    )
    parser.add_argument(
        "--free-tier",
        action="store_true",
        help="subtract AWS's permanent free tier (default: assume that other applications use it)",
    )


def load_from_options(options: argparse.Namespace) -> Load:
    """Return the load that the options specify."""
    burst_seconds = options.burst_seconds if options.burst else 0.0
    return Load(
        per_day=options.per_day, burst_rate=options.burst, burst_seconds=burst_seconds, row_bytes=options.row_bytes
    )


def settings_from_options(options: argparse.Namespace) -> StackSettings:
    """Return the stack settings that the options specify."""
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


UNITS = _integer(1, MAX_TABLE_UNITS, "capacity units, the default maximum of a DynamoDB table")


def _burst_rate(text: str) -> float:
    number = _number(re.sub(r"\s*/\s*s$", "", text.strip()))
    if not MIN_BURST_RATE <= number <= MAX_BURST_RATE:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a burst rate: give {MIN_BURST_RATE} to {MAX_BURST_RATE:,} files per second, such as 500/s"
        )
    return number


def _svg_path(text: str) -> Path:
    if not text.endswith(".svg"):
        raise argparse.ArgumentTypeError(f"{text!r} does not end with .svg: give the name of an SVG file")
    return Path(text)
