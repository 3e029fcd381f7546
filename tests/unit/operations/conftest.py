from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from operations.aws import Aws
from operations.aws.client import SERVICES
from operations.command import main
from tests.support.clock import FakeClock
from tests.support.existing_bucket import Connection
from tests.support.operations_fakes import ARN, FakeAws, failure, marker, row, version

LISTED = [version("a", "v1"), version("b", "v1"), marker("b", "m1")]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Command:
    """Runs the command `tapstack` with fake AWS calls. The attributes contain the output of the last run."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.stack = ("--function", "indexer")
        self.aws = FakeAws(LISTED, [row(each) for each in LISTED])
        # With a realistic read capacity, the rate limiter would delay these tests.
        self.aws.provisioned = replace(self.aws.provisioned, read=100_000.0)

    def __call__(self, tool: str, *arguments: str) -> int:
        code = main([tool, *self.stack, *arguments], connect=lambda _: self.aws, grace=0)
        self.output, errors = self._capsys.readouterr()
        self.lines, self.errors = self.output.splitlines(), errors.splitlines()
        return code

    @property
    def document(self) -> dict[str, Any]:
        """JSON document that the last run of a tool printed."""
        document: dict[str, Any] = json.loads(self.output)
        return document

    def put_failures(self, number: int) -> None:
        for each in range(number):
            self.aws.put(failure(f"in/{each}"), sent_ms=1_769_860_800_000 + each * 1000)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def stack_outputs(tmp_path: Path) -> Path:
    """Fixture: path of a file with the outputs of the fake stack."""
    file = tmp_path / "outputs.json"
    names = {"bucket_name": "uploads", "table_name": "objects", "lambda_function_name": "indexer"}
    file.write_text(json.dumps({**names, "lambda_function_arn": ARN, "failure_queue_url": "https://queue"}))
    return file


@pytest.fixture(scope="session")
def connection() -> Connection:
    return Connection()


@pytest.fixture(scope="session")
def _shared_clients() -> dict[str, Any]:
    """Fixture: boto3 clients by service name. All tests share the clients, because their creation is slow."""
    with mock_aws():  # Only clients of a session that is created after the first use of moto are connected to moto.
        session: Any = boto3.Session()
        return {service: session.client(service) for service in SERVICES}


@pytest.fixture
def clients(_shared_clients: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Fixture: boto3 clients by service name that are connected to moto, which is empty at the start of each test."""
    with mock_aws():
        yield _shared_clients


@pytest.fixture
def aws(clients: dict[str, Any]) -> Aws:
    """Fixture: instance of `Aws` that shares its boto3 clients with the fixture `clients`."""
    return Aws(clients.__getitem__)
