"""Tests that public names have not changed, because users depend on them.

To accept a change, run ``python -m tests.unit.test_public_names``, which writes public_names.json.
"""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import nox.registry
import pytest

import noxfile  # noqa: F401  The import registers the sessions.
import operations.command
import tap_stack
from inspector.facts import FACTS
from lambda_code.settings import Settings
from localstack.showcase.demo import command as demo_command
from operations.errors import OperatorError
from tests.support import demo_fakes as demo
from tests.support import emf, operations_fakes
from tests.support.athena_fakes import AthenaAws
from tests.support.default_stack import ENCRYPTED, PROD
from tests.support.existing_bucket import LOCATION, AdoptingAws, Connection
from tests.support.export_fakes import ExportingAws
from tests.support.export_folder import typed, write_export
from tests.support.fakes import ENVIRONMENT, Fault, client_error
from tests.support.generated_bucket import GeneratedBucket
from tests.support.inspector_fakes import InspectorHarness, stream_record
from tests.support.inventory_folder import write_inventory
from tests.support.selection import add_options
from tests.support.strategies import head, s3_event, s3_record
from tests.support.synth import parse_configuration, synth
from tests.support.telemetry_fakes import LoggedIndexer

FILE = Path(__file__).with_name("public_names.json")
TOOLS = (
    *("audit", "backfill", "redrive", "restore-rows", "adopt", "capacity"),
    *("cost", "report", "sql", "export", "cache"),
)


def _stack() -> dict[str, Any]:
    """Record outputs, resource names and environment variables of a stack with all optional resources."""
    stack = synth(**ENCRYPTED, **PROD)
    resources: dict[str, dict[str, str]] = {}
    for each in stack.run.resources:
        named = (name for name in ("bucket", "name", "dashboardName") if isinstance(each.inputs.get(name), str))
        resources.setdefault(each.type, {})[each.name] = each.inputs.get(next(named, ""), "")
    with pytest.raises(tap_stack.ConfigurationError) as refused:
        parse_configuration({"unknown": "1"})
    keys = re.search(r"the keys are (.+?)\.", str(refused.value))
    assert keys
    return {
        "configuration keys": keys[1].split(", "),
        "outputs": sorted(stack.outputs),
        "resources": resources,
        "environment variables": sorted(stack.named("tap-indexer").inputs["environment"]["variables"]),
        "importable names": sorted(
            name
            for name, value in vars(tap_stack).items()
            if re.match(r"[A-Za-z]", name) and (name.isupper() or getattr(value, "__module__", "") == "tap_stack")
        ),
    }


def _indexer() -> dict[str, Any]:
    """Record row attributes, metrics and log fields of events that cover all results of a record."""
    indexer = LoggedIndexer(Settings.from_env({**ENVIRONMENT, "POWERTOOLS_LOG_LEVEL": "DEBUG"}))
    attributes: set[str] = set()
    indexer.dynamodb.watch = lambda _, new: attributes.update(new)
    indexer.s3.put("photos/cat.jpg", "v1", head(Metadata={"a": "b"}, StorageClass="STANDARD_IA"))
    indexer.calls.faults.extend(
        [Fault(client_error(500)), Fault(), Fault(), Fault(client_error(403)), Fault(KeyError("a bug"))]
    )
    records = [s3_record(key) for key in ("photos/cat.jpg", "denied", "broken", "photos/cat.jpg", "gone")]
    indexer.s3.customer_keys.add(("secret", "v1"))
    normal = [s3_record("secret"), s3_record(event_name="LifecycleTransition")]
    removals = (s3_record(event_name=f"ObjectRemoved:{kind}") for kind in ("Delete", "DeleteMarkerCreated"))
    with mock.patch.dict(os.environ, {"_X_AMZN_TRACE_ID": "Root=1-2-3"}):
        for event in (s3_event(*records, *normal, s3_record(version_id=""), *removals), {"Event": "s3:TestEvent"}):
            indexer.deliver(event)
    published = {each for line in indexer.metrics for each in emf.published(line)}
    metrics: dict[str, list[str]] = {}
    for each in sorted(published, key=lambda each: sorted(each.dimensions)):
        metrics.setdefault(f"{each.namespace} {each.name}", [each.unit]).append("+".join(sorted(each.dimensions)))
    return {
        "row attributes": sorted(attributes),
        "metrics": metrics,
        "log fields": sorted({name for line in indexer.logs for name in line}),
    }


def _inspector() -> dict[str, Any]:
    """Record row attributes and log fields of records that cover all results of the inspector."""
    inspector = InspectorHarness(level="DEBUG")
    inspector.sandbox.describer = lambda _: {"type": "application/pdf", "error": "limit"}
    rows = [inspector.put("a.jpg"), inspector.put("gone"), inspector.put("denied"), inspector.put("broken")]
    before = {name for row in inspector.dynamodb.rows.values() for name in row}
    inspector.s3.errors["gone"] = client_error(404, "NoSuchKey", "GetObject")
    inspector.s3.errors["denied"] = client_error(403, "AccessDenied", "GetObject")
    inspector.s3.errors["broken"] = KeyError("a bug")
    with mock.patch.dict(os.environ, {"_X_AMZN_TRACE_ID": "Root=1-2-3"}):
        inspector.handle(*[stream_record(row) for row in rows], stream_record(rows[0] | {"etag": {"N": "1"}}))
    after = {name for row in inspector.dynamodb.rows.values() for name in row}
    published = {each for line in inspector.metrics for each in emf.published(line)}
    return {
        "row attributes": sorted(after - before),
        "content": sorted(FACTS),
        "metrics": sorted({f"{each.namespace} {each.name}" for each in published}),
        "log fields": sorted({name for line in inspector.logs for name in line}),
    }


def _help(main: Callable[..., int], *arguments: str) -> str:
    """Return the help text of a command."""
    # With these variables, help texts are not wrapped and have no colors.
    environment = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    environment |= {"COLUMNS": "1000", "NO_COLOR": "1"}
    with mock.patch.dict(os.environ, environment, clear=True), redirect_stdout(io.StringIO()) as printed:
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--help"])
        assert ended.value.code == 0
    return printed.getvalue()


def _commands() -> dict[str, Any]:
    """Record usage and exit codes of all commands, nox sessions, and options of the end-to-end tests."""
    texts = {"operations": _help(operations.command.main)}
    texts |= {f"operations {tool}": _help(operations.command.main, tool) for tool in TOOLS}
    texts["localstack.showcase.demo"] = _help(demo_command.main)
    parser = pytest.Parser(_ispytest=True)
    add_options(parser.getgroup("TapStack"))
    return {
        "usage": {command: text.partition("\n")[0].removeprefix("usage: ") for command, text in texts.items()},
        "tools": re.findall(r"^    ([\w-]+)", texts["operations"], re.MULTILINE),
        "exit codes": {
            command: re.findall(r"(?:^|; )(\d+) ", text.partition("Exit codes: ")[2]) for command, text in texts.items()
        },
        "nox sessions": [*nox.registry.get()],
        "e2e options": sorted(name for option in parser.getgroup("TapStack").options for name in option.names()),
    }


# The types `object` and `list` are those of empty dictionaries and lists.
JSON_TYPES: dict[type, str] = dict(
    zip(
        (bool, int, float, str, type(None), dict, list),
        ("boolean", "integer", "number", "string", "null", "object", "list"),
        strict=True,
    )
)


def _types(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and the type of each value in a JSON document; a path contains `[]` for the elements of a list."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _types(item, f"{path}.{key}".removeprefix("."))
    elif isinstance(value, list) and value:
        for item in value:
            yield from _types(item, f"{path}[]")
    else:
        yield path, JSON_TYPES[type(value)]


def _keys(document: object) -> dict[str, str]:
    """Return the types of each path in a JSON document, such as `integer` or `null or string`."""
    found: dict[str, set[str]] = {}
    for path, name in _types(document):
        found.setdefault(path, set()).add(name)
    return {path: " or ".join(sorted(names)) for path, names in sorted(found.items())}


def _run(main: Callable[..., int], *arguments: str, **fakes: Any) -> dict[str, Any]:
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(io.StringIO()):
        code = main([*arguments, "--json"], **fakes)
    return {"exit code": code, "keys": _keys(json.loads(printed.getvalue()))}


def _adopt(*, region: str) -> dict[str, Any]:
    connection = Connection()
    queue = b"<QueueConfiguration><Queue>arn:q</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration>"
    connection.bucket.document = b"<NotificationConfiguration>" + queue + b"</NotificationConfiguration>"
    connection.bucket.settings["location"] = LOCATION % region
    connection.bucket.settings["policy"] = '{"Statement": {"Effect": "Deny", "Action": "s3:*"}}'
    aws = AdoptingAws(connection)
    arguments = ("adopt", "reports", "--function=indexer", "--apply")
    return _run(operations.command.main, *arguments, connect=lambda _: aws)


def _report() -> dict[str, Any]:
    """Run `report` for a bucket with all kinds of rows."""
    bucket = GeneratedBucket("uploads")
    checksum = ("CRC64NVME", "ynIoRb1s2ao=", "FULL_OBJECT")
    for key in ("a.txt", "b.txt", "c.txt", "c.txt", "d.txt"):
        bucket.upload(key, size=5, checksum=checksum, content="text/plain" if key < "d" else None, mismatch=True)
    bucket.delete("b.txt", by="AWS:AIDA1")
    bucket.delete_version("c.txt", 1, by="lifecycle")
    with tempfile.TemporaryDirectory() as folder:
        export = write_export(Path(folder), bucket.items)
        arguments = ("report", f"--from-export={export}", "--since=2026-01-31", "--until=2026-02-01")
        return _run(operations.command.main, *arguments, "--bucket=uploads", "--top=1", cache=Path(folder) / "cache")


def _rows(folder: Path) -> dict[str, Any]:
    """Record the documents of the tools that read the rows of an export."""
    row = {"object_id": "uploads/a", "version_id": "v1"}
    export = f"--from-export={write_export(folder / 'export', [typed(row)])}"
    run, cache = operations.command.main, folder / "cache"
    return {
        "sql": _run(run, "sql", "SELECT key FROM objects", export, cache=cache),
        "sql with an error": _run(run, "sql", "SELECT nothing FROM objects", export, cache=cache),
        "export": _run(run, "export", f"--parquet={folder / 'files'}", export, cache=cache),
        "cache": _run(run, "cache", "clear", cache=cache),
        "audit --from-inventory": _audit_from_inventory(folder),
        **_athena(folder, row),
    }


def _athena(folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    """Record the documents of the tools that use Athena."""
    aws = AthenaAws(folder / "s3", [row])
    aws.add_export("exports/now")
    fakes = {"connect": lambda _: aws, "cache": folder / "cache"}
    run, function = operations.command.main, "--function=indexer"
    return {
        "export for Athena": _run(run, "export", function, **fakes),
        "sql in Athena": _run(run, "sql", "SELECT key FROM objects", function, "--athena", **fakes),
        "report in Athena": _run(run, "report", function, "--athena", **fakes),
    }


def _audit_from_inventory(folder: Path) -> dict[str, Any]:
    versions = [operations_fakes.version("a")]
    inventory, export = write_inventory(folder / "inventory", versions), write_export(folder / "rows", [])
    aws = ExportingAws(folder, [])
    aws.listed = versions
    arguments = ("--function=indexer", f"--from-inventory={inventory.folder}", f"--from-export={export}")
    run = operations.command.main
    return _run(run, "audit", *arguments, connect=lambda _: aws, grace=0, cache=folder / "cache")


def _documents() -> dict[str, Any]:
    """Record the JSON keys and the exit code of each command with `--json`."""

    def operate(
        *arguments: str,
        broken: bool = False,
        function: str = "indexer",
        error: BaseException | None = None,
        crash: str | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        versions = [operations_fakes.version("a"), operations_fakes.marker("b")]
        rows = [operations_fakes.row(each) for each in versions]
        if "--inspect" in arguments:
            del rows[0]["content_of"]
        aws = operations_fakes.FakeAws(versions, [rows[0] | {"size_bytes": 6}] if broken else rows)
        # With a realistic read capacity, the rate limiter would delay this test.
        aws.provisioned = replace(aws.provisioned, read=100_000.0)
        aws.before_invoke = operations_fakes.raising(error or KeyboardInterrupt())
        aws.inspect = lambda _: operations_fakes.inspected(1, error=crash)
        if broken:
            aws.versioning_status = "Suspended"
        if arguments[0] == "redrive" and broken:
            aws.put(operations_fakes.failure("a"))
        return _run(operations.command.main, *arguments, f"--function={function}", connect=lambda _: aws, grace=0)

    keys = sorted(path.name for path in demo_command.SAMPLES.iterdir())[:4]
    lost, refused, unreadable, wrong = (frozenset({f"samples/{key}"}) for key in keys)
    broken = demo.FakeAws(lost, refused, unreadable, wrong)
    runs = {}
    for name, aws in (("demo", demo.FakeAws()), ("demo that fails", broken)):
        emulator = demo.FakeEmulator({"s3": aws, "dynamodb": aws, "sqs": demo.fake_queue(), "logs": demo.fake_logs()})
        fakes = {"start": emulator.start, "deploy": demo.deploy, "timeout": 0.01, "wait": lambda _: None}
        runs[name] = _run(demo_command.main, str(demo_command.SAMPLES), "--keep", **fakes)
    with TemporaryDirectory() as folder:
        runs |= _rows(Path(folder))
    return {
        **runs,
        "demo of no file": _run(demo_command.main, "/nowhere"),
        "audit": operate("audit"),
        "audit with findings": operate("audit", broken=True),
        "audit of all buckets with an error": operate(
            *("audit", "--all-buckets", "--repair"), broken=True, error=OperatorError("denied")
        ),
        "audit of an unknown function": operate("audit", function="nobody"),
        "backfill": operate("backfill"),
        "backfill interrupted": operate("backfill", "--invoke"),
        "backfill --inspect": operate("backfill", "--inspect", "--invoke"),
        "backfill --inspect with a crash": operate("backfill", "--inspect", "--invoke", crash="KeyError: x"),
        "redrive of an empty queue": operate("redrive"),
        "redrive": operate("redrive", broken=True),
        "restore-rows": operate("restore-rows", "--from=restored"),
        "adopt": _adopt(region="eu-west-1"),
        "adopt of a bucket in another region": _adopt(region="us-west-2"),
        "capacity": _run(operations.command.main, "capacity", "--per-day=1000", "--write-capacity=1"),
        "capacity with losses": _run(
            operations.command.main,
            *("capacity", "--per-day=10", "--burst=100", "--burst-seconds=3", "--reserved-concurrency=1"),
            *("--event-age=60", "--head-ms=900"),
        ),
        "capacity with a wasted duration": _run(
            operations.command.main,
            *("capacity", "--per-day=1000", "--burst=40", "--burst-seconds=3", "--write-capacity=4"),
            "--no-burst-capacity",
        ),
        "cost": _run(operations.command.main, "cost", "--per-day=1000"),
        "report": _report(),
    }


SECTIONS = {
    "stack": _stack,
    "indexer": _indexer,
    "inspector": _inspector,
    "commands": _commands,
    "documents": _documents,
}


@pytest.mark.parametrize("section", SECTIONS)
def test_public_names_of_stack_functions_and_commands_are_unchanged(section: str) -> None:
    assert SECTIONS[section]() == json.loads(FILE.read_text(encoding="utf-8"))[section]


if __name__ == "__main__":
    names = {section: record() for section, record in SECTIONS.items()}
    FILE.write_text(json.dumps(names, indent=1, sort_keys=True) + "\n", encoding="utf-8")
