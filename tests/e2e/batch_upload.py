"""Uploads a batch of objects, a few at a time, and waits for their rows.

An emulator starts a process or a container for each concurrent invocation, so more concurrent uploads would be slower.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tests.support.edge_cases import UploadCase
from tests.support.waiting import WaitTimeoutError

if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.rows import Head, Row

SAMPLES = Path(__file__).parents[2] / "samples"
CONCURRENCY = 3
"""Number of concurrent uploads, slightly more than the cores of a typical machine."""
ROW_TIMEOUT = 2.0
"""Seconds to wait for one row before the next upload starts. Missing rows are reported after the whole batch."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """Result of one uploaded test case; `error` is the reason for a missing row."""

    case: UploadCase
    version_id: str
    head: Head
    row: Row | None
    error: str | None


def sample_cases() -> list[UploadCase]:
    """Return an upload case for each file in samples/."""
    return [
        UploadCase(
            name=f"sample: {path.name}",
            key=f"samples/{path.relative_to(SAMPLES).as_posix()}",
            body=path.read_bytes(),
            content_type=mimetypes.guess_type(path.name)[0],
        )
        for path in sorted(SAMPLES.rglob("*"))
        if path.is_file()
    ]


def upload_all(index: Index, cases: Sequence[UploadCase]) -> dict[str, Upload]:
    """Upload the object of every test case, below the key prefix of the tests; return the results by case name."""
    cases = [replace(case, key=index.key(case.key)) for case in cases]
    with ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="upload") as pool:
        versions = list(pool.map(lambda case: _put(index, case), cases))
    sent = [(case.key, version) for case, version in zip(cases, versions, strict=True) if isinstance(version, str)]
    with suppress(WaitTimeoutError):  # one timeout for the rows of all objects together
        index.wait_until(lambda: all(index.row(*version) for version in sent), "rows")
    return {case.name: _result(index, case, version) for case, version in zip(cases, versions, strict=True)}


def _put(index: Index, case: UploadCase) -> str | ClientError:
    """Upload one case and wait briefly for its row; return its version ID, or the error of S3."""
    try:
        version_id: str = index.clients.s3.put_object(Bucket=index.bucket, **case.parameters())["VersionId"]
    except ClientError as error:
        return error
    with suppress(WaitTimeoutError):
        index.wait_for_row(case.key, version_id, timeout=ROW_TIMEOUT)
    return version_id


def _result(index: Index, case: UploadCase, version: str | ClientError) -> Upload:
    if isinstance(version, ClientError):
        return Upload(case=case, version_id="", head={}, row=None, error=f"S3 rejected the upload: {version}")
    row = index.row(case.key, version)
    error = f"no row of {case.key!r}, version {version}; rows of that key: {index.rows(case.key)}"
    head = index.head(case.key, version)
    return Upload(case=case, version_id=version, head=head, row=row, error=None if row else error)
