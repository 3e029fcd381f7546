"""AWS calls that list folders in S3, to find the inventories that S3 has written."""

from __future__ import annotations

from typing import Any

from operations.aws.errors import translated_errors

NO_BUCKET = (
    "Check the URL. The inventories of the stack are in its log bucket. If this bucket was deleted, `pulumi up "
    "--refresh` creates it again"
)


class InventoryCalls:
    """Part of `Aws` with the AWS calls that find inventories."""

    _s3: Any

    def list_folder(self, bucket: str, prefix: str) -> tuple[list[str], list[str]]:
        """List one folder of a bucket, without the content of its subfolders.

        Args:
            bucket: name of the bucket.
            prefix: prefix of the folder, which ends with a slash; empty for the top level of the bucket.

        Returns:
            The prefixes of the subfolders, which end with a slash, and the object keys in the folder.
        """
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        folders, keys = [], []
        with translated_errors(f"list s3://{bucket}/{prefix}", not_found=NO_BUCKET, permission="s3:ListBucket"):
            for page in pages:
                folders += [each["Prefix"] for each in page.get("CommonPrefixes", ())]
                keys += [each["Key"] for each in page.get("Contents", ())]
        return folders, keys
