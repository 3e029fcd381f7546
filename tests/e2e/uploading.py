"""Uploads a batch of objects and watches each become a row, a few at a time.

An emulator starts a process, or a container, for each invocation that runs at the same moment, so a batch that is sent
at once takes longer than one that is sent in step.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tests.support import waiting
from tests.support.edge_cases import Case

if TYPE_CHECKING:
    from tests.support.index import Head, Index, Row

SAMPLES = Path(__file__).parents[2] / "samples"
AT_ONCE = 3
"""How many objects are on their way at any moment: a few more than the emulator's processes have cores."""
STEP = 2.0
"""Seconds to wait for one row before the next upload starts; whether it comes at all is asked at the end."""


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
    """Upload every case, into the folder of the tests; what became of each, by its name."""
    cases = [replace(case, key=index.key(case.key)) for case in cases]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload") as pool:
        versions = list(pool.map(lambda case: _put_and_wait_a_little(index, case), cases))
        sent = {case: version for case, version in zip(cases, versions, strict=True) if isinstance(version, str)}
        rows = _wait_for_all(index, sent)
        heads = dict(zip(sent, pool.map(lambda case: index.head(case.key, sent[case]), sent), strict=True))
    return {
        case.name: Upload(
            case=case,
            version_id=sent.get(case, ""),
            head=heads.get(case, {}),
            row=rows.get(case),
            trouble=_trouble(index, case, version, rows.get(case)),
        )
        for case, version in zip(cases, versions, strict=True)
    }


def _put_and_wait_a_little(index: Index, case: Case) -> str | ClientError:
    """The version id that S3 gave the object, or why it refused it."""
    try:
        answer = index.clients.s3.put_object(Bucket=index.bucket, **case.parameters())
    except ClientError as error:
        return error
    version_id: str = answer["VersionId"]
    with suppress(waiting.NothingCameError):
        index.wait_for_row(case.key, version_id, patience=STEP)
    return version_id


def _wait_for_all(index: Index, sent: Mapping[Case, str]) -> Mapping[Case, Row]:
    """The rows of all that have one in time: nobody who is missing takes the time of the others."""
    rows: dict[Case, Row] = {}

    def all_there() -> bool:
        for case, version_id in sent.items():
            if case not in rows and (row := index.row(case.key, version_id)):
                rows[case] = row
        return len(rows) == len(sent)

    with suppress(waiting.NothingCameError):
        index.until(all_there, "rows")
    return rows


def _trouble(index: Index, case: Case, version: str | ClientError, row: Row | None) -> str | None:
    if isinstance(version, ClientError):
        return f"S3 refused the upload: {version}"
    return None if row else f"no row of {case.key!r}, version {version}; rows of that key: {index.rows(case.key)}"
