"""AWS calls that find inventories of S3."""

from __future__ import annotations

from typing import Any

from operations.aws.errors import translated_errors

NO_BUCKET = (
    "Check the URL. The inventories of the stack are in its log bucket. If this bucket was deleted, `pulumi up "
    "--refresh` creates it again"
)


class InventoryCalls:
    """The AWS calls of inventories. `Aws` creates the clients."""

    _s3: Any

    def list_folder(self, bucket: str, prefix: str) -> tuple[list[str], list[str]]:
        """Return the subfolders and the object keys of a folder, without the content of the subfolders.

        Args:
            bucket: name of the bucket.
            prefix: beginning of the object keys; empty, or with a slash at its end.

        Returns:
            The prefixes of the folders, with a slash at their ends, and the object keys.
        """
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        folders, keys = [], []
        with translated_errors(f"list s3://{bucket}/{prefix}", not_found=NO_BUCKET, permission="s3:ListBucket"):
            for page in pages:
                folders += [each["Prefix"] for each in page.get("CommonPrefixes", ())]
                keys += [each["Key"] for each in page.get("Contents", ())]
        return folders, keys
