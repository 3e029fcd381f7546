"""Parses URLs of S3 objects and prefixes, such as `s3://BUCKET/inventory`."""

from __future__ import annotations

SCHEME = "s3://"


def split_s3_url(url: str) -> tuple[str, str]:
    """Return the bucket name and the object key or prefix in an S3 URL. The key may be empty.

    Args:
        url: a URL that begins with `s3://`.
    """
    bucket, _, key = url.removeprefix(SCHEME).partition("/")
    return bucket, key
