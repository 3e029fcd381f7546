"""Types of option values for argparse: each function parses a text, or raises an ArgumentTypeError with the remedy."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from operations.notification import region_of_topic

LEAST_MEMORY, OWN_MEMORY = 400_000_000, 200_000_000
"""Bytes: the smallest limit of memory, and the part of a limit that Python and DuckDB need outside DuckDB's limit."""


def bucket_name(text: str) -> str:
    """Return the name of a general purpose bucket."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", text, re.ASCII) or text.endswith("--x-s3"):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the name of a general purpose bucket: give 3 to 63 lower-case letters, digits, '.' and "
            "'-', not an ARN, an access point or a directory bucket"
        )
    return text


def table_name(text: str) -> str:
    """Return the name of a DynamoDB table."""
    if not re.fullmatch(r"[\w.-]{3,255}", text, re.ASCII):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the name of a DynamoDB table: give 3 to 255 letters, digits, '_', '-' or '.', not an ARN"
        )
    return text


def row_address(text: str) -> tuple[str, str]:
    """Return the primary key of a row from its name, `BUCKET/KEY?versionId=ID`."""
    object_id, _, version_id = utf8_text(text).rpartition("?versionId=")
    if not object_id or not version_id:
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a row, such as BUCKET/KEY?versionId=ID")
    return object_id, version_id


def utf8_text(text: str) -> str:
    """Return a text that can be encoded as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:  # Python represents bytes of an argument that are not valid text as lone surrogates.
        raise argparse.ArgumentTypeError(
            f"{text!r} is not valid UTF-8, and names in AWS are UTF-8: use a UTF-8 terminal and locale"
        ) from None
    return text


def topic_arn(text: str) -> str:
    """Return the ARN of an SNS standard topic."""
    if region_of_topic(text) is None:
        example = "arn:aws:sns:us-east-1:123456789012:tapstack-prod-alarms"
        raise argparse.ArgumentTypeError(f"{text!r} is not the ARN of an SNS standard topic, such as {example}")
    return text


def iso_time(text: str) -> datetime:
    """Return the time in a text in ISO 8601 format. A date without a time is midnight in UTC."""
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo:
            time.astimezone(UTC)  # The time can be in the year 0 or 10000 in UTC.
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an ISO 8601 time such as 2026-11-22 or 2026-11-22T21:40:04Z"
        ) from None
    if time.tzinfo is None and len(text) > len("2026-11-22"):
        raise argparse.ArgumentTypeError(f"{text!r} has no time zone: add Z for UTC")
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def rate_of(unit: str) -> Callable[[str], float]:
    """Return a function that parses a rate per second. Its error messages contain the unit."""

    def parse(text: str) -> float:
        try:
            rate = float(text)
        except ValueError:
            rate = 0
        if not 0 < rate < float("inf"):
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a rate: give a number of {unit} per second greater than 0"
            )
        return rate

    return parse


def positive_integer(unit: str, most: int | None = None) -> Callable[[str], int]:
    """Return a function that parses a whole number of at least 1. Its error messages contain the unit.

    Args:
        unit: the counted things in plural.
        most: the largest number; None for no limit.
    """

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and int(text) > 0) or (most is not None and int(text) > most):
            limit = "1 or more" if most is None else f"1 to {most}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {unit}: give {limit}")
        return int(text)

    return parse


def memory_size(text: str) -> str:
    """Return the part of an amount of memory that DuckDB can use, in DuckDB's format."""
    match = re.fullmatch(r"([1-9]\d{0,5}(?:\.\d+)?) ?([KMGT])(i?)B", text, re.ASCII | re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of memory, such as 500MB or 4GB")
    size = float(match[1]) * (1024 if match[3] else 1000) ** ("KMGT".index(match[2].upper()) + 1)
    if size < LEAST_MEMORY:
        raise argparse.ArgumentTypeError(f"{text!r} is too little memory: give 400MB or more")
    return f"{size - OWN_MEMORY:.0f}B"


def duration(text: str) -> timedelta:
    """Return a duration from a number of minutes, hours or days, such as `30m`, `12h` or `7d`; 0 needs no unit."""
    match = re.fullmatch(r"(\d{1,5})([mhd])|0", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration, such as 30m, 12h or 7d")
    units = {"m": "minutes", "h": "hours", "d": "days"}
    return timedelta() if match[1] is None else timedelta(**{units[match[2]]: int(match[1])})


def inventory_path(text: str) -> str:
    """Return the path or the `s3://` URL of an inventory."""
    remedy, example = "a folder, a manifest.json or an s3:// URL", "an inventory, such as s3://BUCKET/inventory"
    return _path_or_url(text, remedy=remedy, key="(/.*)?", example=example)


def export_path(text: str) -> str:
    """Return the path or the `s3://` URL of an export folder."""
    remedy, example = "an export folder or s3://BUCKET/PREFIX", "an export folder, such as s3://BUCKET/PREFIX"
    return _path_or_url(text, remedy=remedy, key="/.+", example=example)


def _path_or_url(text: str, *, remedy: str, key: str, example: str) -> str:
    """Return a path, or a URL whose part after the bucket name matches the regular expression `key`."""
    if not text:
        raise argparse.ArgumentTypeError(f"the path is empty: give {remedy}")
    pattern = rf"s3://[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9]{key}"
    if utf8_text(text).startswith("s3:") and not re.fullmatch(pattern, text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not the URL of {example}")
    return text
