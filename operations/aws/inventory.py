"""AWS calls that find inventories of S3."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from operations.aws.errors import error_code, translated_errors

NO_BUCKET = "Check the URL. The stack's inventories are in its log bucket, which `pulumi up --refresh` creates again"


class InventoryCalls:
    """The AWS calls of inventories. `Aws` creates the clients."""

    _s3: Any

    def folders(self, bucket: str, prefix: str) -> list[str]:
        """Return the prefixes of object keys up to the next slash, as folders.

        Args:
            bucket: name of the bucket.
            prefix: beginning of the object keys; empty, or with a slash at its end.
        """
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        with translated_errors(f"list s3://{bucket}/{prefix}", not_found=NO_BUCKET, permission="s3:ListBucket"):
            return [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ())]

    def find_file(self, bucket: str, key: str) -> bytes | None:
        """Return the content of a small object; None if it does not exist.

        Args:
            bucket: name of the bucket.
            key: object key.
        """
        permission = "s3:GetObject, or s3:ListBucket for a file that does not exist,"
        with translated_errors(f"read s3://{bucket}/{key}", not_found=NO_BUCKET, permission=permission):
            try:
                content: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error_code(error) == "NoSuchKey":
                    return None
                raise
        return content
