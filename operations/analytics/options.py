"""Command-line options of the tools that read all rows of the DynamoDB table: `sql`, `report`, `export` and `cache`."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path

from operations.option_types import duration, export_path, memory_size, rate_of, utf8_text
from operations.planning.prices import ATHENA_BYTES, ROWS_EXPORTED
from operations.rate import ON_DEMAND_READ_RATE
from operations.shared_options import add_stack

FORMATS = ("table", "csv", "json", "parquet")
SOURCE_TOOLS = ("report", "sql", "export")
"""Names of the tools that have the options of the function `add_source`."""
DEFAULT_MEMORY = "1GB"
CACHE_VARIABLE = "TAPSTACK_CACHE"
"""Name of the environment variable with the path of the cache folder."""
NOTES = (
    "--scan consumes read capacity of the table. In us-east-1, --export costs "
    f"${ROWS_EXPORTED.dollars:.2f} per GB of the table, and Athena costs ${ATHENA_BYTES.dollars:g} per TB of scanned "
    "data. The tool stores the rows in a cache on this computer: the folder in the environment variable TAPSTACK_CACHE "
    "(default: ~/.cache/tapstack)."
)
CACHE_NOTES = "The cache is the folder in the environment variable TAPSTACK_CACHE (default: ~/.cache/tapstack)."


def add_source(parser: argparse.ArgumentParser, *, athena: bool = True) -> None:
    """Add the options that select the source of the rows: a scan, an export, or the cache.

    Args:
        parser: the argument parser of a tool.
        athena: whether the tool can run its queries in Athena.
    """
    add_stack(parser, required=False)
    rows = parser.add_mutually_exclusive_group()
    rows.add_argument(
        "--scan",
        action="store_true",
        help="read all rows of the DynamoDB table with a parallel Scan"
        f"{' (default: use only rows in the cache)' * athena}",
    )
    rows.add_argument(
        "--export",
        action="store_true",
        help="export the DynamoDB table to the stack's export bucket (configuration key analytics), and download the "
        "files of the export",
    )
    rows.add_argument(
        "--from-export",
        type=export_path,
        metavar="PATH",
        help="read the rows of an existing DynamoDB export: a folder or an s3:// URL with manifest-summary.json. The "
        "tool then needs no stack",
    )
    if athena:
        rows.add_argument(
            "--athena",
            action="store_true",
            help="run the SQL in Amazon Athena, over the export that `tapstack export` selected. Requires the "
            "configuration key analytics",
        )
    parser.add_argument(
        "--max-age",
        type=duration,
        default=timedelta(hours=1),
        metavar="AGE",
        help="maximum age of rows that the tool reuses from the cache or from an earlier export, such as 30m, 12h or "
        "7d (default: 1h). With 0, the tool always reads the table again",
    )
    parser.add_argument(
        "--rate",
        type=rate_of("read units"),
        metavar="N",
        help=f"maximum read units per second with --scan (default: half of the table's read capacity, or "
        f"{ON_DEMAND_READ_RATE:g} for an on-demand table)",
    )
    parser.add_argument("--force", action="store_true", help="permit --scan for a table with more than 1,000,000 rows")
    add_memory(parser, default=DEFAULT_MEMORY)


def add_memory(parser: argparse.ArgumentParser, *, default: str | None = None, condition: str = "") -> None:
    """Add the option --memory, which limits DuckDB's memory.

    Args:
        parser: the argument parser of a tool.
        default: the default of the option.
        condition: text before the help text, such as `with --scan, `.
    """
    parser.add_argument(
        "--memory",
        type=memory_size,
        default=default,
        metavar="SIZE",
        help=f"{condition}approximate memory limit of the tool (default: {DEFAULT_MEMORY}). The tool writes larger "
        "intermediate results to the cache folder",
    )


def add_sql(parser: argparse.ArgumentParser) -> None:
    """Add the options of the tool `sql`."""
    query = parser.add_mutually_exclusive_group(required=True)
    query.add_argument(
        "sql",
        type=utf8_text,
        nargs="?",
        metavar="SQL",
        help="a SELECT statement in DuckDB's SQL dialect. It reads the relation objects, which has one row for each "
        "object version and delete marker. 'DESCRIBE objects' prints the columns",
    )
    query.add_argument(
        "--name",
        type=utf8_text,
        metavar="QUERY",
        help="run a named query of the report, such as totals. An unknown name prints all names",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="table",
        metavar="F",
        help=f"format of the result: {', '.join(FORMATS)} (default: table)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the result to this new file (default: stdout)"
    )
    add_source(parser)


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the options of the tool `export`."""
    parser.add_argument(
        "--parquet",
        type=Path,
        metavar="FOLDER",
        help="write the rows as Parquet files to this new folder (default: export the table for Athena)",
    )
    add_source(parser, athena=False)


def add_cache(parser: argparse.ArgumentParser) -> None:
    """Add the options of the tool `cache`."""
    parser.add_argument("action", choices=("clear",), metavar="ACTION", help="clear, which deletes the cache")


def problem(options: argparse.Namespace) -> str:
    """Return the error message about options that contradict one another, or an empty string.

    Args:
        options: the parsed options of a tool in `SOURCE_TOOLS`.
    """
    stack = options.function is not None or options.stack_outputs is not None
    problems = {
        "one of the arguments --function --stack-outputs --from-export is required": (
            not stack and options.from_export is None
        ),
        "--force and --rate require --scan": (options.force or options.rate) and not options.scan,
        **(_problems_of_sql(options) if options.tool == "sql" else {}),
        **(_problems_of_export(options, stack=stack) if options.tool == "export" else {}),
    }
    return next((text for text, exists in problems.items() if exists), "")


def _problems_of_sql(options: argparse.Namespace) -> dict[str, bool]:
    kind, output = options.format, options.output is not None
    return {
        "--json cannot be used with --format and --output, because the JSON document contains the result: remove "
        "--json, or the other options": (options.json and (kind != "table" or output)),
        "--format parquet is not possible with --athena: use csv or json, or UNLOAD in the Athena console": (
            options.athena and kind == "parquet"
        ),
        "--format parquet requires --output FILE": kind == "parquet" and not output,
        "--output requires --format csv, json or parquet": kind == "table" and output,
    }


def _problems_of_export(options: argparse.Namespace, *, stack: bool) -> dict[str, bool]:
    athena = options.parquet is None
    return {
        "without --parquet, one of the arguments --function --stack-outputs is required": athena and not stack,
        "--scan requires --parquet, because Athena can only read an export": athena and options.scan,
    }
