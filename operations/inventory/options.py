"""Command-line options of the tool `audit` for the comparison with an S3 Inventory."""

from __future__ import annotations

import argparse

from operations.analytics.options import add_memory
from operations.option_types import export_path, inventory_path


def add_audit_options(parser: argparse.ArgumentParser) -> None:
    """Add the options --from-inventory, --from-export and --memory to the tool `audit`.

    Args:
        parser: the argument parser of the tool `audit`.
    """
    parser.add_argument(
        "--from-inventory",
        type=inventory_path,
        nargs="?",
        const=True,  # argparse would pass a string constant to `type`.
        metavar="PATH",
        help="compare an S3 Inventory with an export of the table at the same time, instead of listing the bucket and "
        "scanning the table. PATH is a folder, a manifest.json or an s3:// URL (default: the newest inventory of the "
        "stack, configuration key inventory)",
    )
    parser.add_argument(
        "--from-export",
        type=export_path,
        metavar="PATH",
        help="with --from-inventory, use this existing DynamoDB export: a folder or an s3:// URL with "
        "manifest-summary.json (default: export the table at the time of the inventory)",
    )
    add_memory(parser, condition="with --from-inventory, ")


def problem(options: argparse.Namespace) -> str:
    """Return the error message about options of `audit` that contradict one another, or an empty string.

    Args:
        options: parsed options of the tool `audit`.
    """
    if options.from_inventory is None:
        if options.from_export is not None or options.memory is not None:
            return "--from-export and --memory require --from-inventory"
        return ""
    if options.heads or options.heads_sample:
        return (
            "--from-inventory cannot be used with --heads or --heads-sample, because an inventory contains no content "
            "types, user metadata or checksum values. Run audit with --heads-sample separately"
        )
    if options.all_buckets:
        return (
            "--from-inventory cannot be used with --all-buckets, because the inventories of different buckets have "
            "different times. Run audit for each bucket with --bucket NAME"
        )
    return ""
