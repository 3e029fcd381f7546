"""Rows and reports of runs that never were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localstack.showcase.demo.files import Problem
from localstack.showcase.demo.report import Report
from localstack.showcase.demo.store import Upload
from localstack.showcase.demo.transfer import Row, Transfer
from tests.unit.demo.fakes import OUTPUTS, source, upload


def row(key: str, *differences: str, seconds: float = 0.5, **item: Any) -> Row:
    return Row(
        upload=Upload(source=source(key), version_id="v1", finished=0.0),
        item={
            "key": key,
            "size_bytes": 1500,
            "content_type": "text/plain",
            "uploaded_at": "2026-11-22T14:03:07.000Z",
            **item,
        },
        seconds=seconds,
        differences=differences,
    )


def report(*rows: Row, problems: tuple[Problem, ...] = (), **transfer: Any) -> Report:
    return Report(
        emulator="FakeStack 1.0",
        endpoint="http://127.0.0.1:4566",
        environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_REGION": "us-east-1"},
        start_seconds=0.25,
        deploy_seconds=1.5,
        resources=43,
        outputs=OUTPUTS,
        transfer=Transfer(rows=rows, **transfer),
        problems=problems,
    )


def problem(path: str, reason: str = "does not exist") -> Problem:
    return Problem(path=Path(path), reason=reason)


def missing(*keys: str) -> tuple[Upload, ...]:
    return tuple(upload(key) for key in keys)
