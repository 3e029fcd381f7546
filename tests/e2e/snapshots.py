"""Writes an S3 Inventory of the deployed bucket and an export of the table, because emulators write neither."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from operations.listing import parse_versions
from tests.support.export_folder import write_export
from tests.support.inventory_folder import WrittenInventory, write_inventory

if TYPE_CHECKING:
    from tests.support.index import Index

LATER = timedelta(days=3)
"""Time from the uploads to the inventory. An audit compares only objects that are 48 hours older than the inventory."""


def write_snapshots(index: Index, folder: Path, *, format_: str) -> tuple[WrittenInventory, Path]:
    """Write an inventory and an export with a time in the future. Return the inventory and the export folder.

    Args:
        index: the deployed stack.
        folder: an empty folder.
        format_: format of the inventory, `CSV` or `Parquet`.
    """
    created = datetime.now(UTC).replace(microsecond=0) + LATER
    pages = index.clients.s3.get_paginator("list_object_versions").paginate(Bucket=index.bucket)
    versions = heapq.merge(*map(parse_versions, pages), key=lambda each: each.key)
    inventory = write_inventory(folder / "inventories", versions, bucket=index.bucket, format_=format_, created=created)
    scan = index.clients.dynamodb.get_paginator("scan").paginate(TableName=index.table, ConsistentRead=True)
    items = [item for page in scan for item in page["Items"]]
    arn = index.clients.dynamodb.describe_table(TableName=index.table)["Table"]["TableArn"]
    time = f"{created:%Y-%m-%dT%H:%M:%S.000Z}"
    return inventory, write_export(folder / "exports", items, tableArn=arn, exportTime=time)


@contextmanager
def uploaded(index: Index, inventory: WrittenInventory) -> Iterator[str]:
    """Context manager that creates a bucket and uploads the files of an inventory to it.

    Args:
        index: the deployed stack.
        inventory: the inventory.

    Yields:
        The URL of the inventories in the bucket.
    """
    s3, bucket = index.clients.s3, "tapstack-inventories"
    keys = {str(each.relative_to(inventory.root)): each for each in inventory.root.rglob("*") if each.is_file()}
    s3.create_bucket(Bucket=bucket)
    for key, path in keys.items():
        s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    yield f"s3://{bucket}/inventory"
    for key in keys:
        s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)
