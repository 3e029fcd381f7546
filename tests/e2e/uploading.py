"""Uploads a batch of objects and watches each become a row, a few at a time.

An emulator starts a process, or a container, for each invocation that runs at the same moment, so a batch that is sent
at once takes longer than one that is sent in step.
"""

from __future__ import annotations

import mimetypes
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tests.e2e import waiting
from tests.e2e.awkward import Case

if TYPE_CHECKING:
    from tests.e2e.index import Head, Index, Row

SAMPLES = Path(__file__).parents[2] / "samples"
AT_ONCE = 3
"""How many objects are on their way at any moment: a few more than the emulator's processes have cores."""
PATIENCE_WITH_ALL = 60.0
"""Seconds; a broken function fails the whole batch, which then must not wait for each object in turn."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """What became of one case: `trouble` says why there is no row, in words."""

    case: Case
    version_id: str
    head: Head
    row: Row | None
    trouble: str | None


def sample_cases() -> list[Case]:
    """The files of samples/."""
    return [
        Case(
            name=f"sample: {path.name}",
            key=f"samples/{path.relative_to(SAMPLES).as_posix()}",
            body=path.read_bytes(),
            content_type=mimetypes.guess_type(path.name)[0],
        )
        for path in sorted(SAMPLES.rglob("*"))
        if path.is_file()
    ]


def upload_all(index: Index, cases: Sequence[Case]) -> dict[str, Upload]:
    """Upload every case; what became of each, by its name."""
    deadline = time.monotonic() + PATIENCE_WITH_ALL

    def upload(case: Case) -> Upload:
        patience = max(0.0, min(waiting.PATIENCE, deadline - time.monotonic()))
        return _upload(index, case, patience)

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload") as pool:
        return {done.case.name: done for done in pool.map(upload, cases)}


def _upload(index: Index, case: Case, patience: float) -> Upload:
    try:
        answer = index.clients.s3.put_object(Bucket=index.bucket, **case.parameters())
    except ClientError as error:
        return Upload(case=case, version_id="", head={}, row=None, trouble=f"S3 refused the upload: {error}")
    version_id = answer["VersionId"]
    row, trouble = None, None
    try:
        row = index.wait_for_row(case.key, version_id, patience=patience)
    except waiting.NothingCameError as nothing:
        trouble = str(nothing)
    return Upload(case=case, version_id=version_id, head=index.head(case.key, version_id), row=row, trouble=trouble)
