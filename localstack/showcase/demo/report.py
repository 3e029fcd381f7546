"""Result of the demo, and its conversion to JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localstack.showcase.demo.files import decode
from localstack.showcase.demo.text import percentile
from operations.output import printable

if TYPE_CHECKING:
    from localstack.showcase.demo.files import Problem
    from localstack.showcase.demo.transfer import Transfer


SCHEMA = 1
"""Version of the demo's JSON document. Increase it if a field is removed or renamed, or changes its type or meaning."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Result of the demo.

    Attributes:
        emulator: name and version of the emulator.
        endpoint: URL of the emulator.
        environment: environment variables with which AWS programs use the emulator.
        start_seconds: duration of the emulator's start.
        deploy_seconds: duration of the deployment.
        resources: number of resources of the stack.
        outputs: outputs of the stack.
        transfer: uploaded files and their rows.
        problems: files and folders that cannot be uploaded.
        kept: whether the emulator keeps running, so that its endpoint and the outputs of the stack can be used.
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
    kept: bool

    @property
    def files(self) -> int:
        """Number of files that should have a DynamoDB row. Files that cannot be read are not counted."""
        transfer = self.transfer
        return len(transfer.rows) + len(transfer.missing) + len(transfer.refused) + transfer.not_tried

    @property
    def bytes(self) -> int:
        """Total size of the uploaded objects in bytes, as stored in their DynamoDB rows."""
        return sum(int(row.item.get("size_bytes", 0)) for row in self.transfer.rows)

    @property
    def correct(self) -> int:
        """Number of DynamoDB rows that match the result of S3 HeadObject."""
        return sum(not row.differences for row in self.transfer.rows)

    @property
    def complete(self) -> bool:
        """Whether every file that could be read has a correct row."""
        return self.correct == self.files

    @property
    def latencies(self) -> list[float]:
        """Seconds from the end of each upload until its row was read."""
        return [row.seconds for row in self.transfer.rows]


def as_json(report: Report) -> str:
    """Convert the result of the demo to a JSON document in ASCII, with the attributes and latency of each row.

    The document has the endpoint, the environment variables and the outputs only if the emulator keeps running.
    """
    transfer, latencies = report.transfer, report.latencies
    connection = {
        "endpoint": report.endpoint,
        "environment": dict(report.environment),
        "outputs": dict(report.outputs),
    }
    return json.dumps(
        {
            "schema": SCHEMA,
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
                    "file": printable(decode(row.upload.source.path)),
                    "seconds_from_upload_to_row": round(row.seconds, 3),
                    "differences_from_head": list(row.differences),
                    "item": dict(row.item),
                }
                for row in transfer.rows
            ],
            "missing_rows": [
                {
                    "file": printable(decode(upload.source.path)),
                    "key": upload.source.key,
                    "version_id": upload.version_id,
                }
                for upload in transfer.missing
            ],
            "refused": _problems(transfer.refused),
            "problems": _problems(report.problems),
            "emulator": report.emulator,
            **(connection if report.kept else {}),
        },
        indent=2,
        default=repr,  # Converts bytes, which JSON does not support.
    )


def empty_as_json(problems: Sequence[Problem]) -> str:
    """Return the JSON document that the demo prints if none of its paths can be uploaded."""
    document = {"schema": SCHEMA, "summary": {"files": 0, "rows": 0}, "rows": [], "problems": _problems(problems)}
    return json.dumps(document, indent=2)


def _problems(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    return [{"file": printable(decode(each.path)), "reason": each.reason} for each in problems]
