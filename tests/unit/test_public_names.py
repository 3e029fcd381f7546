"""Names that users depend on: a change of one is a breaking change.

To accept a change: python -m tests.unit.test_public_names rewrites public_names.json.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, cast
from unittest import mock

import pytest
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session

import localstack.showcase.demo.command
import operations.command
import tap_stack
from lambda_code import main as function
from tests.support import demo_fakes as demo
from tests.support import operations_fakes
from tests.support.selection import add_options
from tests.support.synth import configured, synth

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("public_names.json")
TOOLS = ("audit", "backfill", "redrive", "capacity", "cost")
COMMANDS = ("operations", *(f"operations {tool}" for tool in TOOLS), "localstack.showcase.demo")
KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"

# Requests and lines of the indexer: one record for each outcome and each kind of row.
HEAD = {
    "Last-Modified": "Sat, 31 Jan 2026 11:59:58 GMT", "ETag": '"e"', "Content-Length": "5",
    "Content-Type": "text/plain", "x-amz-storage-class": "STANDARD_IA",
    "x-amz-server-side-encryption": "AES256", "x-amz-meta-a": "b",
    "x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-type": "FULL_OBJECT",
}  # fmt: skip
RECORDS = [
    ("ObjectCreated:Put", "indexed"), ("ObjectCreated:Put", "deleted"), ("ObjectCreated:Put", "invalid"),
    ("ObjectCreated:Put", "throttled"), ("ObjectRemoved:Delete", "v1"), ("ObjectRemoved:DeleteMarkerCreated", "v1"),
    ("ObjectCreated:Put", "duplicate"), ("ObjectTagging:Put", "v1"), ("ObjectCreated:Put", ""),
]  # fmt: skip
OLD_ROW = {"request_id": {"S": "r"}, "processed_at": {"S": "t"}}


def _stack() -> dict[str, Any]:
    """Record outputs, resources (logical: physical name) and environment variables, with everything switched on."""
    config = {"maxCapacity": "1000", "alarmEmail": "a@example.com", "kmsKeyArn": KEY_ARN, "env": "prod"}
    stack = synth(corsAllowedOrigins="https://app.example.com", **config)
    resources: dict[str, dict[str, str]] = {}
    for each in stack.run.resources:
        named = (name for name in ("bucket", "name", "dashboardName") if isinstance(each.inputs.get(name), str))
        resources.setdefault(each.type, {})[each.name] = each.inputs.get(next(named, ""), "")
    with pytest.raises(tap_stack.ConfigurationError) as refused:
        configured({"unknown": "1"})
    keys = re.search(r"the keys are (.+?)\.", str(refused.value))
    assert keys
    return {
        "configuration keys": keys[1].split(", "),
        "outputs": sorted(stack.outputs),
        "resources": resources,
        "environment variables": sorted(stack.one("Function").inputs["environment"]["variables"]),
    }


def _aws(requests: list[dict[str, Any]], _session: object, request: Any) -> AWSResponse:  # noqa: ANN401  botocore's
    status, headers, body = 200, HEAD, dict[str, Any]()
    if request.method == "HEAD":
        status = 404 if "versionId=deleted" in request.url else 200
    else:
        update = json.loads(request.body)
        requests.append(update)
        version = update["Key"]["version_id"]["S"]
        values = update["ExpressionAttributeValues"]
        row = {name: values.get(alias.replace("#", ":")) for alias, name in update["ExpressionAttributeNames"].items()}
        body = {"Attributes": {**row, **OLD_ROW}} if version == "duplicate" else {}
        error = {"invalid": "ValidationException", "throttled": "ThrottlingException"}.get(version)
        if error and not (version == "throttled" and sum(each == update for each in requests) > 1):
            status, body = 400, {"__type": error, "message": "m"}
        headers = {}
    raw = mock.Mock(stream=lambda: [json.dumps(body).encode() if request.method != "HEAD" else b""])
    return AWSResponse(request.url, status, cast("Any", headers), raw)


def _indexer() -> dict[str, Any]:
    """Record row attributes, metrics and log fields."""
    records: list[dict[str, Any]] = [
        {
            "eventName": name,
            "eventTime": "2026-01-31T12:00:00Z",
            "s3": {
                "bucket": {"name": "uploads"},
                "object": {"key": "a", "versionId": version, "sequencer": "1", "size": 5, "eTag": "e"},
            },
        }
        for name, version in RECORDS
    ]
    records.append({**records[0], "s3": {"bucket": {"name": "uploads"}, "object": {"key": "a", "versionId": "null"}}})
    variables = synth().one("Function").inputs["environment"]["variables"]
    variables |= {"TAP_BUCKET_NAME": "uploads", "POWERTOOLS_LOG_LEVEL": "DEBUG", "_X_AMZN_TRACE_ID": "Root=1-2-3"}
    context = mock.Mock(aws_request_id="r", get_remaining_time_in_millis=lambda: 60_000)
    updates: list[dict[str, Any]] = []
    send = mock.patch.object(URLLib3Session, "send", lambda session, request: _aws(updates, session, request))
    function.indexer.cache_clear()
    with send, mock.patch.dict(os.environ, variables), redirect_stdout(io.StringIO()) as printed:
        for event in ({"Records": records}, {"Event": "s3:TestEvent"}):
            with suppress(Exception):  # the records that fail on purpose
                function.lambda_handler(event, context)
    function.indexer.cache_clear()
    lines = [json.loads(line) for line in printed.getvalue().splitlines()]
    metrics: dict[str, list[str]] = {}
    for directive in (each for line in lines for each in line.get("_aws", {}).get("CloudWatchMetrics", [])):
        for metric in directive["Metrics"]:
            dimensions = sorted("+".join(sorted(names)) for names in directive["Dimensions"])
            metrics[f"{directive['Namespace']} {metric['Name']}"] = [metric["Unit"], *dimensions]
    attributes = {name for each in updates for name in (*each["Key"], *each["ExpressionAttributeNames"].values())}
    return {
        "row attributes": sorted(attributes),
        "metrics": metrics,
        "log fields": sorted({name for line in lines if "_aws" not in line for name in line}),
    }


def _output(*command: str) -> str:
    environment = {**os.environ, "COLUMNS": "1000"}  # wide enough that no text is wrapped
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, check=True)  # noqa: S603  our own
    return done.stdout.decode()


def _commands() -> dict[str, Any]:
    """Record the arguments and documented exit codes of each command, sessions of nox and options of the e2e tests."""
    with ThreadPoolExecutor() as pool:
        nox = pool.submit(_output, "-m", "nox", "--list", "--nocolor")
        helps = pool.map(lambda command: _output("-m", *command.split(), "--help"), COMMANDS)
        texts = dict(zip(COMMANDS, helps, strict=True))
    parser = pytest.Parser(_ispytest=True)
    add_options(parser.getgroup("TapStack"))
    return {
        "usage": {command: text.partition("\n")[0].removeprefix("usage: ") for command, text in texts.items()},
        "tools": re.findall(r"^    (\w+)", texts["operations"], re.MULTILINE),
        "exit codes": {
            command: re.findall(r"(?:^|; )(\d+) ", text.partition("Exit codes: ")[2]) for command, text in texts.items()
        },
        "nox sessions": re.findall(r"^[*-] (\S+)", nox.result(), re.MULTILINE),
        "e2e options": sorted(name for option in parser.getgroup("TapStack").options for name in option.names()),
    }


def _paths(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _paths(item, f"{path}.{key}".removeprefix("."))
    elif isinstance(value, list) and value:
        for item in value:
            yield from _paths(item, f"{path}[]")
    else:
        yield path


def _run(main: Callable[..., int], *arguments: str, **fakes: Any) -> dict[str, Any]:
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(io.StringIO()):
        code = main([*arguments, "--json"], **fakes)
    return {"exit code": code, "keys": sorted(set(_paths(json.loads(printed.getvalue()))))}


def _documents() -> dict[str, Any]:
    """Record the keys of each `--json` document and the exit code of the run that prints it."""

    def interrupt(_event: object) -> None:
        raise KeyboardInterrupt

    def operate(*arguments: str, broken: bool = False, interrupted: bool = False, function: str = "indexer") -> Any:  # noqa: ANN401  JSON
        versions = [operations_fakes.version("a"), operations_fakes.marker("b")]
        rows = (
            [operations_fakes.row(versions[0], size_bytes=6)] if broken else list(map(operations_fakes.row, versions))
        )
        aws = operations_fakes.FakeAws(versions, rows)
        if interrupted:
            aws.before_invoke = interrupt
        if arguments[0] == "redrive" and broken:
            aws.put(operations_fakes.failure("a"))
        return _run(operations.command.main, *arguments, f"--function={function}", connect=lambda _: aws, grace=0)

    keys = sorted(path.name for path in localstack.showcase.demo.command.SAMPLES.iterdir())[:4]
    lost, refused, unreadable, wrong = (frozenset({f"samples/{key}"}) for key in keys)
    broken = demo.FakeAws(lost, refused, unreadable, wrong)
    runs = {}
    for name, aws in (("demo", demo.FakeAws()), ("demo that fails", broken)):
        emulator = demo.FakeEmulator({"s3": aws, "dynamodb": aws, "sqs": demo.fake_queue(), "logs": demo.fake_logs()})
        fakes = {"start": emulator.start, "deploy": demo.deploy, "timeout": 0.01}
        runs[name] = _run(localstack.showcase.demo.command.main, str(localstack.showcase.demo.command.SAMPLES), **fakes)
    return {
        **runs,
        "demo of no file": _run(localstack.showcase.demo.command.main, "/nowhere"),
        "audit": operate("audit"),
        "audit with findings": operate("audit", broken=True),
        "audit of an unknown function": operate("audit", function="nobody"),
        "backfill": operate("backfill"),
        "backfill interrupted": operate("backfill", "--invoke", interrupted=True),
        "redrive of an empty queue": operate("redrive"),
        "redrive": operate("redrive", broken=True),
        "capacity": _run(operations.command.main, "capacity", "--per-day=1000"),
        "capacity with losses": _run(
            operations.command.main,
            *("capacity", "--per-day=10", "--burst=300", "--burst-seconds=3", "--reserved-concurrency=1"),
            *("--event-age=60", "--head-ms=900"),
        ),
        "cost": _run(operations.command.main, "cost", "--per-day=1000"),
    }


SECTIONS = {"stack": _stack, "indexer": _indexer, "commands": _commands, "documents": _documents}


@pytest.mark.parametrize("section", SECTIONS)
def test_public_names_are_as_recorded(section: str) -> None:
    assert SECTIONS[section]() == json.loads(FILE.read_text(encoding="utf-8"))[section]


if __name__ == "__main__":
    names = {section: record() for section, record in SECTIONS.items()}
    FILE.write_text(json.dumps(names, indent=1, sort_keys=True) + "\n", encoding="utf-8")
