"""Tests that docs/queries.md contains the source of operations/queries.py, and that its Python examples work.

The Python example in README.md is also tested. After a change of operations/queries.py, update docs/queries.md with
``python -m tests.unit.test_queries_document``.
"""

from __future__ import annotations

import doctest
import inspect
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambda_code.indexer import Indexer
from lambda_code.storage import Storage
from operations import queries
from tests.support.clock import FakeClock
from tests.support.fakes import BUCKET, BUCKETS, TABLE, CallLog, FakeS3, RecordingTelemetry
from tests.support.strategies import head, s3_event, s3_record
from tests.support.synth import synth
from tests.unit.test_docs import section

ROOT = Path(__file__).parents[2]
PATH = ROOT / "docs" / "queries.md"
DOCUMENT = PATH.read_text(encoding="utf-8")

UPLOADS = {
    "QUpfdndhfd8438MNFDN93jdnJFkdmqnh893": ("reports/q3.pdf", datetime(2026, 11, 22, 9, 30, tzinfo=UTC), 41007),
    "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY": ("reports/q3.pdf", datetime(2026, 11, 22, 21, 40, 4, tzinfo=UTC), 48213),
    "draft-1": ("reports/draft.pdf", datetime(2026, 11, 22, 22, 5, 10, tzinfo=UTC), 1200),
    "temporary-1": ("reports/temporary.pdf", datetime(2026, 11, 22, 23, 10, tzinfo=UTC), 300),
}
"""Maps the version IDs of example objects to object key, upload time and size in bytes."""


def create_table(projection: str) -> None:
    """Create a DynamoDB table in moto with the keys and the index that the stack defines."""
    table = synth(indexProjection=projection).one("Table").inputs
    [index] = table["globalSecondaryIndexes"]
    keys = [{"AttributeName": each["attributeName"], "KeyType": each["keyType"]} for each in index["keySchemas"]]
    boto3.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": each["name"], "AttributeType": each["type"]} for each in table["attributes"]
        ],
        KeySchema=[
            {"AttributeName": table["hashKey"], "KeyType": "HASH"},
            {"AttributeName": table["rangeKey"], "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index["name"],
                "KeySchema": keys,
                "Projection": {"ProjectionType": index["projectionType"]},
            }
        ],
    )


def index_uploads() -> None:
    """Deliver S3 events about the example objects to the indexer, which writes their rows."""
    s3 = FakeS3(CallLog(FakeClock()))
    for version_id, (key, time, size) in UPLOADS.items():
        s3.put(key, version_id, head(LastModified=time, ContentLength=size, ContentType="application/pdf"))
    storage = Storage(s3=s3, dynamodb=boto3.client("dynamodb"), bucket_name=BUCKET, table_name=TABLE)
    indexer = Indexer(buckets=BUCKETS, deleted_retention_days=90, storage=storage, telemetry=RecordingTelemetry())
    records = [
        *(
            s3_record(key, version_id=version_id, sequencer=f"{n:02}")
            for n, (version_id, (key, *_)) in enumerate(UPLOADS.items())
        ),
        s3_record(
            "reports/draft.pdf",
            version_id="marker",
            sequencer="99",
            event_name="ObjectRemoved:DeleteMarkerCreated",
            event_time="2026-11-22T22:30:00.000Z",
        ),
        s3_record(
            "reports/temporary.pdf",
            version_id="temporary-1",
            event_name="ObjectRemoved:Delete",
            event_time="2026-11-23T08:15:30.125Z",
        ),
    ]
    indexer.handle(s3_event(*records), request_id="request-1", deadline=float("inf"))
    add_contents()


def add_contents() -> None:
    """Add the attribute `content` to the rows of the example objects, as the inspector does."""
    table = boto3.resource("dynamodb").Table(TABLE)
    for version_id, (key, *_) in UPLOADS.items():
        address = {"object_id": f"{BUCKET}/{key}", "version_id": version_id}
        if version_id == "draft-1":
            update = "SET content = :content, mismatch = :mismatch"
            values = {":content": {"type": "application/zip"}, ":mismatch": True}
        else:
            pages = {"temporary.pdf": 1, "q3.pdf": 12 if version_id.startswith("3sL4") else 9}[Path(key).name]
            update, values = "SET content = :content", {":content": {"type": "application/pdf", "pages": pages}}
        table.update_item(Key=address, UpdateExpression=update, ExpressionAttributeValues=values)


@pytest.fixture(params=["all", "keys-only"])
def stack(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Mock a deployed stack: its table contains example rows, and outputs.json contains its outputs."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.chdir(tmp_path)
    outputs = {"table_name": TABLE, "bucket_name": BUCKET}
    Path("outputs.json").write_text(json.dumps(outputs), encoding="utf-8")
    with mock_aws():
        create_table(request.param)
        index_uploads()
        yield


@pytest.mark.usefixtures("stack")
def test_python_examples_of_the_queries_document_print_the_shown_results() -> None:
    examples = "\n".join(re.findall(r"```pycon\n(.*?)```", DOCUMENT, re.DOTALL))
    variables: dict[str, Any] = {}
    test = doctest.DocTestParser().get_doctest(examples, variables, "docs/queries.md", None, 0)
    output: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=output.append)
    assert len(test.examples) == examples.count(">>> ")
    assert (result.failed, result.attempted) == (0, len(test.examples)), "".join(output)


@pytest.mark.usefixtures("stack")
def test_python_example_of_the_readme_returns_the_current_row() -> None:
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    variables: dict[str, Any] = {}
    exec(example.replace("tapstack-dev-objects", TABLE).replace("my-bucket", BUCKET), variables)  # noqa: S102 - our own text
    assert variables["row"]["version_id"] == "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"
    assert (variables["today"], variables["pdfs"]) == ([], [])


def test_queries_document_lists_each_public_function_with_its_parameters() -> None:
    documented = re.findall(r"^\| `(\w+\(.*?\))` \|", section(DOCUMENT, "## Functions"), re.MULTILINE)
    functions = [
        f"{name}({', '.join(inspect.signature(value).parameters)})"
        for name, value in vars(queries).items()
        if inspect.isfunction(value) and value.__module__ == queries.__name__ and not name.startswith("_")
    ]
    assert sorted(documented) == sorted(functions)


def show_source(document: str) -> str:
    """Return docs/queries.md with the current source of operations/queries.py, without the module's docstring."""
    source = (ROOT / "operations" / "queries.py").read_text(encoding="utf-8").split('"""\n\n', 1)[1]
    return re.sub(r"(?<=^```python\n).*?(?=^```$)", lambda _: source, document, flags=re.MULTILINE | re.DOTALL)


def test_queries_document_contains_the_current_source_of_queries_py() -> None:
    assert DOCUMENT.count("```python\n") == 1
    assert show_source(DOCUMENT) == DOCUMENT, "run: python -m tests.unit.test_queries_document"


if __name__ == "__main__":
    PATH.write_text(show_source(DOCUMENT), encoding="utf-8")
