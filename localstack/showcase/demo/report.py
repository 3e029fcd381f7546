"""Result of a run of the demo, and its JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localstack.showcase.demo.text import percentile
from operations.output import printable

if TYPE_CHECKING:
    from localstack.showcase.demo.files import Problem
    from localstack.showcase.demo.transfer import Transfer


@dataclass(frozen=True, kw_only=True)
class Report:
    """Result of a run.

    `start_seconds` and `deploy_seconds` are the times that the emulator and the stack took; `resources` is the number
    of the stack's resources; `environment` has the variables with which AWS programs use this emulator; `problems`
    are the paths that could not be read.
    """

    emulator: str
    endpoint: str
    environment: Mapping[str, str]
    start_seconds: float
    deploy_seconds: float
    resources: int
    outputs: Mapping[str, str]
    transfer: Transfer
    problems: Sequence[Problem]

    @property
    def files(self) -> int:
        """How many files S3 should have taken: all that could be read."""
        transfer = self.transfer
        return len(transfer.rows) + len(transfer.missing) + len(transfer.refused) + transfer.not_tried

    @property
    def bytes(self) -> int:
        """How many bytes the rows account for."""
        return sum(int(row.item.get("size_bytes", 0)) for row in self.transfer.rows)

    @property
    def correct(self) -> int:
        """Number of rows that agree with S3's HEAD."""
        return sum(not row.differences for row in self.transfer.rows)

    @property
    def complete(self) -> bool:
        """Whether each of those files has a right row."""
        return self.correct == self.files

    @property
    def latencies(self) -> list[float]:
        """Seconds from the end of each upload until its row was read."""
        return [row.seconds for row in self.transfer.rows]


def as_json(report: Report) -> str:
    """Return the report as a JSON document, in ASCII; each row has the table's item and what was measured around it."""
    transfer, latencies = report.transfer, report.latencies
    return json.dumps(
        {
            "summary": {
                "files": report.files,
                "bytes": report.bytes,
                "rows": len(transfer.rows),
                "rows_right": report.correct,
                "seconds_from_upload_to_row": {
                    f"p{percent}": round(percentile(latencies, percent), 3) if latencies else None
                    for percent in (50, 95)
                },
                "seconds_to_start_the_emulator": round(report.start_seconds, 3),
                "seconds_to_deploy": round(report.deploy_seconds, 3),
                "resources": report.resources,
            },
            "rows": [
                {
                    "file": printable(str(row.upload.source.path)),
                    "seconds_from_upload_to_row": round(row.seconds, 3),
                    "differences_from_head": list(row.differences),
                    "item": dict(row.item),
                }
                for row in transfer.rows
            ],
            "missing_rows": [
                {
                    "file": printable(str(upload.source.path)),
                    "key": upload.source.key,
                    "version_id": upload.version_id,
                }
                for upload in transfer.missing
            ],
            "refused": _problems(transfer.refused),
            "problems": _problems(report.problems),
            "emulator": report.emulator,
            "endpoint": report.endpoint,
            "environment": dict(report.environment),
            "outputs": dict(report.outputs),
        },
        indent=2,
        default=repr,  # bytes, which no row of this stack has
    )


def empty_as_json(problems: Sequence[Problem]) -> str:
    """Return the JSON document of a run that had nothing to upload, and so did not even start."""
    return json.dumps({"summary": {"files": 0, "rows": 0}, "rows": [], "problems": _problems(problems)}, indent=2)


def _problems(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    return [{"file": printable(str(each.path)), "reason": each.reason} for each in problems]
