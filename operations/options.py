"""Options of the command `tapstack`, with their limits and help texts."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path

from operations.analytics import options as analytics
from operations.analytics.report_options import add_report
from operations.failures import REASONS
from operations.inventory import options as inventory
from operations.option_types import (
    bucket_name,
    iso_time,
    positive_integer,
    rate_of,
    row_address,
    table_name,
    topic_arn,
    utf8_text,
)
from operations.planning import options as planning
from operations.rate import ON_DEMAND_EVENT_RATE, ON_DEMAND_WRITE_RATE
from operations.shared_options import add_prefix, add_stack, add_workers
from operations.tool import FINDINGS, OK
from operations.usage import ToolUsage, command_parser

ACCESS = "The tools use the same credentials, region and AWS_ENDPOINT_URL as the AWS CLI."


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments of the command. Invalid arguments end the process with exit code 2, as argparse does.

    Args:
        arguments: the command-line arguments without the program name.
    """
    options = parser().parse_args(arguments)
    if options.tool == "redrive" and options.delete and options.export is None:
        options.reject("--delete requires --export FILE, so that a copy of the deleted messages exists")
    if options.tool == "backfill" and options.inspect and options.start_after:
        try:
            options.start_after = row_address(options.start_after)
        except argparse.ArgumentTypeError as error:
            options.reject(f"argument --start-after with --inspect: {error}")
    if options.tool == "audit" and (problem := inventory.problem(options)):
        options.reject(problem)
    if options.tool == "report" and options.since and options.until and options.since >= options.until:
        options.reject("--until must be later than --since: no row is in an empty period")
    if options.tool in analytics.SOURCE_TOOLS and (problem := analytics.problem(options)):
        options.reject(problem)
    return options


@functools.cache
def parser() -> argparse.ArgumentParser:
    """Return the argument parser of the command `tapstack`, with all tools (see `usage.command_parser`).

    All callers in a process share it, because its creation is slow.
    """
    return command_parser(
        TOOLS,
        description="Tools for operators: they compare a deployed stack's DynamoDB table with its S3 bucket, repair "
        "the table, send failed events again, copy rows from a restored backup, prepare existing buckets, run SQL and "
        "reports over the table, and estimate capacity and cost.",
        notes=f"{ACCESS} Without an option such as --repair or --apply, the tools change nothing. Two tools need no "
        "such option: export selects the export that Athena reads, and cache deletes files on this computer. Each tool "
        "has its own --help.",
        exit_codes={
            OK: "success, and nothing is left to do",
            FINDINGS: "differences, events to send, failed events, rows to copy or obstacles were found",
        },
    )


def _add_bucket(parser: argparse._ActionsContainer, *, default: str) -> None:
    """Add the option that selects one bucket.

    Args:
        parser: the argument parser, or a group of mutually exclusive options.
        default: the buckets that the tool processes without the option, for the help text.
    """
    parser.add_argument(
        "--bucket",
        type=utf8_text,
        metavar="NAME",
        help=f"only this bucket, which is the stack's own or one of existingBuckets (default: {default})",
    )


def _add_audit(parser: argparse.ArgumentParser) -> None:
    add_stack(parser)
    buckets = parser.add_mutually_exclusive_group()
    _add_bucket(buckets, default="the stack's own bucket")
    buckets.add_argument(
        "--all-buckets",
        action="store_true",
        help="compare the stack's own bucket and all existingBuckets, with one scan of the table",
    )
    add_prefix(parser)
    add_workers(parser)
    heads = parser.add_mutually_exclusive_group()
    heads.add_argument(
        "--heads",
        action="store_true",
        help="also compare content type, user metadata, encryption and checksum, with a HEAD request for each object "
        "version",
    )
    heads.add_argument(
        "--heads-sample",
        type=positive_integer("versions"),
        default=0,
        metavar="N",
        help="the same as --heads, for a random sample of N object versions of each bucket",
    )
    inventory.add_audit_options(parser)
    parser.add_argument(
        "--notify",
        type=topic_arn,
        metavar="ARN",
        help="if the exit code is not 0, publish a message to this SNS topic, such as the stack's output "
        "alarm_topic_arn",
    )
    parser.add_argument(
        "--repair", action="store_true", help="send an event for each difference (default: only report differences)"
    )


def _add_backfill(parser: argparse.ArgumentParser) -> None:
    add_stack(parser)
    _add_bucket(parser, default="the stack's own bucket")
    add_prefix(parser)
    parser.add_argument(
        "--since", type=iso_time, metavar="T", help="only versions created at this time (ISO 8601) or later"
    )
    parser.add_argument(
        "--rate",
        type=rate_of("events"),
        metavar="N",
        help="maximum events per second, or rows per second with --inspect (default: half of the table's write "
        f"capacity, or {ON_DEMAND_EVENT_RATE:g} for an on-demand table)",
    )
    parser.add_argument(
        "--start-after",
        type=utf8_text,
        default="",
        metavar="KEY",
        help="start after this object key, or with --inspect after this row (BUCKET/KEY?versionId=ID), which an "
        "interrupted run prints",
    )
    add_workers(parser, note=". With --invoke, the tool lists in key order with one request at a time")
    parser.add_argument(
        "--inspect",
        action="store_true",
        help="instead of events for the indexer, send the rows of objects without content to the inspector",
    )
    parser.add_argument("--invoke", action="store_true", help="send the events or the rows (default: only count them)")


def _add_redrive(parser: argparse.ArgumentParser) -> None:
    add_stack(parser)
    parser.add_argument(
        "--reason", choices=REASONS, metavar="R", help=f"only failures with this reason: {', '.join(REASONS)}"
    )
    parser.add_argument(
        "--max", type=positive_integer("messages"), metavar="N", help="select at most N failures (default: all)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--replay",
        action="store_true",
        help="send the events to the indexer again, and delete each message after Lambda has accepted its event",
    )
    what.add_argument(
        "--export", type=Path, metavar="FILE", help="write the messages to a new file, one JSON object per line"
    )
    parser.add_argument(
        "--delete", action="store_true", help="delete the messages from the queue after --export has written them"
    )


def _add_restore_rows(parser: argparse.ArgumentParser) -> None:
    add_stack(parser)
    parser.add_argument(
        "--from",
        dest="source",
        type=table_name,
        required=True,
        metavar="TABLE",
        help="name of the table to which a backup of the stack's table was restored",
    )
    parser.add_argument(
        "--rate",
        type=rate_of("write units"),
        metavar="N",
        help="maximum write units per second (default: half of the table's write capacity, or "
        f"{ON_DEMAND_WRITE_RATE:g} for an on-demand table)",
    )
    parser.add_argument(
        "--start-after",
        type=row_address,
        metavar="ROW",
        help="start after this row (BUCKET/KEY?versionId=ID), which an interrupted run prints",
    )
    buckets = parser.add_mutually_exclusive_group()
    _add_bucket(buckets, default="all buckets of the stack")
    buckets.add_argument(
        "--any-bucket",
        action="store_true",
        help="also copy rows of buckets that the stack does not index, such as a bucket with an earlier name",
    )
    parser.add_argument("--apply", action="store_true", help="copy the rows (default: only count them)")


def _add_adopt(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bucket", type=bucket_name, metavar="BUCKET", help="name of the existing bucket")
    add_stack(parser)
    parser.add_argument(
        "--inventory",
        action="store_true",
        help="also report whether the bucket has the stack's inventory configuration; with --apply, add it",
    )
    parser.add_argument(
        "--apply", action="store_true", help="switch EventBridge on (default: only report the settings)"
    )


TOOLS = (
    ToolUsage(
        name="audit",
        summary="compare bucket, table and settings of a stack, and optionally repair the table",
        add_options=_add_audit,
        notes=f"{ACCESS} Without --repair, audit changes nothing. An audit from an inventory can export the table, "
        "which costs $0.10 per GB in us-east-1.",
        exit_codes={OK: "no differences", FINDINGS: "differences were found in rows or settings"},
    ),
    ToolUsage(
        name="backfill",
        summary="send an event to the indexer for each object version that exists, or rows to the inspector",
        add_options=_add_backfill,
        notes=f"{ACCESS} Without --invoke, backfill changes nothing.",
        exit_codes={
            OK: "all events were sent, all rows were inspected, or there is nothing to send",
            FINDINGS: "there are events or rows to send, a row could not be inspected, or the bucket does not notify "
            "the indexer",
        },
    ),
    ToolUsage(
        name="redrive",
        summary="show the failure queue, and optionally send its events again",
        add_options=_add_redrive,
        notes=f"{ACCESS} Without --replay or --delete, redrive changes nothing.",
        exit_codes={OK: "the failure queue is empty", FINDINGS: "messages are in the failure queue"},
    ),
    ToolUsage(
        name="restore-rows",
        summary="copy the rows that are missing in the stack's table from a restored table",
        add_options=_add_restore_rows,
        notes=f"{ACCESS} Without --apply, restore-rows changes nothing.",
        exit_codes={
            OK: "all missing rows were copied, or no row is missing",
            FINDINGS: "there are rows to copy",
        },
    ),
    ToolUsage(
        name="adopt",
        summary="show the settings of an existing bucket, and optionally switch EventBridge on for this bucket",
        add_options=_add_adopt,
        notes=f"{ACCESS} Without --apply, adopt changes nothing.",
        exit_codes={
            OK: "EventBridge is on, and no obstacle was found. With --inventory, the bucket also has the inventory "
            "configuration",
            FINDINGS: "EventBridge is off, the inventory configuration is missing, an obstacle was found, or another "
            "writer changed the notifications",
        },
    ),
    ToolUsage(
        name="capacity",
        summary="estimate whether a stack can process a given load",
        add_options=planning.add_capacity,
        notes=planning.NO_ACCESS,
        exit_codes={
            OK: "no event is lost",
            FINDINGS: "events would go to the failure queue, or would arrive faster than the stack can process them",
        },
    ),
    ToolUsage(
        name="cost",
        summary="estimate the monthly cost of a stack",
        add_options=planning.add_cost,
        notes=planning.COST_NOTES,
        exit_codes={OK: "success"},
    ),
    ToolUsage(
        name="report",
        summary="summarize the objects: numbers, sizes, types, duplicates and deletions, as text, HTML or JSON",
        add_options=add_report,
        notes=f"{ACCESS} {analytics.NOTES}",
        exit_codes={OK: "success"},
    ),
    ToolUsage(
        name="sql",
        summary="run an SQL query over the rows of the table",
        add_options=analytics.add_sql,
        notes=f"{ACCESS} {analytics.NOTES}",
        exit_codes={OK: "success"},
    ),
    ToolUsage(
        name="export",
        summary="export the rows of the table for Athena, or as Parquet files that are partitioned by upload day",
        add_options=analytics.add_export,
        notes=f"{ACCESS} {analytics.NOTES}",
        exit_codes={OK: "success"},
    ),
    ToolUsage(
        name="cache",
        summary="delete the cached rows of report, sql, export and audit",
        add_options=analytics.add_cache,
        notes=analytics.CACHE_NOTES,
        exit_codes={OK: "success"},
    ),
)
"""The tools of the command, in the order of its usage text."""
