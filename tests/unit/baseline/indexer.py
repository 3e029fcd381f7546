"""Prints a part of baseline 2 as JSON: what the handler requests, logs, measures and returns for each case.

Run as a program only: it replaces clocks, sleep, randomness and botocore's HTTP layer of its process. Uses only
`lambda_code.main.lambda_handler` and environment variables, so that a refactoring cannot change this file.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import random
import re
import socket
import sys
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from tests.unit.baseline.cases import Case, Response, cases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENVIRONMENT = {
    "TAP_BUCKET_NAME": "uploads",
    "TAP_TABLE_NAME": "objects",
    "POWERTOOLS_SERVICE_NAME": "tapstack-test",
    "POWERTOOLS_METRICS_NAMESPACE": "TapStack",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "TAP_DELETED_RETENTION_DAYS": "90",
}
INVALID_ENVIRONMENTS: list[dict[str, str]] = [
    *({name: ""} for name in ENVIRONMENT),
    {"TAP_BUCKET_NAME": "Upper"},
    {"TAP_TABLE_NAME": "a b"},
    {"POWERTOOLS_SERVICE_NAME": " x"},
    {"POWERTOOLS_METRICS_NAMESPACE": "AWS/Lambda"},
    {"POWERTOOLS_LOG_LEVEL": "info"},
    {"TAP_DELETED_RETENTION_DAYS": "14"},
    {"TAP_DELETED_RETENTION_DAYS": "3651"},
]
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled="
# part -> environment, and which cases
PARTS: dict[str, tuple[dict[str, str], Callable[[int, Case], bool]]] = {
    "info": ({}, lambda number, case: True),  # noqa: ARG005  one signature for all
    "debug": (
        {"POWERTOOLS_LOG_LEVEL": "DEBUG", "TAP_DELETED_RETENTION_DAYS": "0", "AWS_LAMBDA_FUNCTION_NAME": "f"},
        lambda number, case: number % 9 == 0 and "\\ud800" not in json.dumps(case),
    ),
    "traced": (
        {"_X_AMZN_TRACE_ID": f"{TRACE}1", "LAMBDA_TASK_ROOT": "/var/task", "AWS_LAMBDA_FUNCTION_NAME": "f"},
        lambda number, case: number % 8 == 1,  # noqa: ARG005  as above
    ),
    "unsampled": (
        {"_X_AMZN_TRACE_ID": f"{TRACE}0", "LAMBDA_TASK_ROOT": "/var/task", "AWS_LAMBDA_FUNCTION_NAME": "f"},
        lambda number, case: number % 50 == 2,  # noqa: ARG005  as above
    ),
}
UNRECORDED_HEADERS = {
    "authorization", "user-agent", "x-amz-date", "amz-sdk-invocation-id", "x-amzn-trace-id", "content-length",
    "x-amz-security-token",
}  # fmt: skip
START = 1_769_860_800.0  # 2026-01-31T12:00:00Z
CALL_SECONDS = 1 / 64  # exact in binary, so that sums do not depend on their order
RANDOM = (0.5, 0.25, 0.75, 0.0, 1 - 2**-20)


class Clock:
    """Time that passes in sleep and in AWS calls only."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []
        self.drawn = 0

    def monotonic(self) -> float:
        return self.seconds

    def wall(self) -> float:
        return START + self.seconds - 1000.0

    def wall_ns(self) -> int:
        return round(self.wall() * 1_000_000) * 1000

    def sleep(self, seconds: Any) -> None:  # noqa: ANN401  as Python's own
        self.slept.append(round(seconds, 6))
        self.seconds += seconds

    def random(self) -> float:
        self.drawn += 1
        return RANDOM[self.drawn % len(RANDOM)]


def install(clock: Clock) -> None:
    """Replace the clocks, sleep and randomness. Modules imported later get the replacements."""

    class FrozenDatetime(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> FrozenDatetime:
            return cls.fromtimestamp(clock.wall(), tz)

        @classmethod
        def utcnow(cls) -> FrozenDatetime:
            return cls.fromtimestamp(clock.wall(), dt.UTC).replace(tzinfo=None)

    dt.datetime = FrozenDatetime  # type: ignore[misc]  # this process exists for it
    for name in ("monotonic", "perf_counter"):
        setattr(time, name, clock.monotonic)
    time.time, time.time_ns, time.sleep = clock.wall, clock.wall_ns, clock.sleep
    random.random = clock.random
    random.uniform = lambda a, b: a + (b - a) * clock.random()


class Aws:
    """S3 and DynamoDB as a case scripts them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.headers: list[dict[str, str]] = []  # each set once: a request has its number
        self.begin({"s3": [], "dynamodb": []})

    def begin(self, case: Case) -> None:
        self.scripts = {service: list(case[service]) for service in ("s3", "dynamodb")}
        self.requests: list[dict[str, Any]] = []
        self.table: dict[str, dict[str, Any]] = {}

    def send(self, _session: object, request: Any) -> Any:  # noqa: ANN401  botocore's request and response
        from botocore.awsrequest import AWSResponse  # noqa: PLC0415  after `install`

        body = request.body or b""
        body = body.decode() if isinstance(body, bytes) else body
        self._record(request, body)
        self.clock.seconds += CALL_SECONDS
        script = self.scripts["dynamodb" if urlsplit(request.url).netloc.startswith("dynamodb") else "s3"]
        response: Response = script.pop(0) if len(script) > 1 else script[0]
        content = response.get("body", "")
        if response.get("table"):
            old = self._update(json.loads(body))
            content = json.dumps({"Attributes": old} if old else {})
        if "raises" in response:
            raise _exception(response["raises"], request)
        raw = content.encode() if request.method != "HEAD" else b""
        headers = {"Content-Length": str(response.get("length", len(raw))), **response.get("headers", {})}
        if request.method == "POST":
            headers = {"x-amz-crc32": str(zlib.crc32(raw)), **headers}
        elif "length" not in response and "headers" in response:
            headers = response["headers"]
        answer = AWSResponse(request.url, response.get("status", 200), cast("Any", headers), _Raw(raw))
        assert answer.content == raw
        return answer

    def _record(self, request: Any, body: str) -> None:  # noqa: ANN401  botocore's request
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        headers = {name: value for name, value in headers.items() if name not in UNRECORDED_HEADERS}
        if headers not in self.headers:
            self.headers.append(headers)
        told = {
            "request": f"{request.method} {request.url}",
            "headers": self.headers.index(headers),
            **({"body": json.loads(body)} if body else {}),
        }
        if self.requests and {**self.requests[-1], "times": 0} == {**told, "times": 0}:
            self.requests[-1]["times"] += 1
        else:
            self.requests.append({**told, "times": 1})

    def _update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Apply the subset of UpdateExpression that the indexer uses; return the previous row."""
        address = json.dumps(request["Key"], sort_keys=True)
        old = self.table.get(address, {})
        new = dict(old) or dict(request["Key"])
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        sets, _, removes = request["UpdateExpression"].partition(" REMOVE ")
        for target, given, value in re.findall(r"(#\w+) = (if_not_exists\(#\w+, )?(:\w+)", sets):
            if not (given and names[target] in old):
                new[names[target]] = values[value]
        for target in filter(None, removes.split(", ")):
            new.pop(names[target], None)
        self.table[address] = new
        return old


class _Raw:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        yield self._content


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _exception(name: str, request: Any) -> Exception:  # noqa: ANN401  botocore's request
    from botocore import exceptions  # noqa: PLC0415  after `install`

    arguments = {"endpoint_url": request.url, "error": OSError("broken"), "request": request}
    raised: Exception = getattr(exceptions, name)(**arguments)
    return raised


class Daemon:
    """An X-Ray daemon that only receives."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def tree(self) -> list[dict[str, Any]]:
        """Return the subsegments sent since the last call, each inside its parent."""
        found: dict[str, dict[str, Any]] = {}
        with suppress(BlockingIOError):
            while True:
                self._collect(json.loads(self._socket.recv(65536).decode().partition("\n")[2]), None, found)
        children: dict[str | None, list[dict[str, Any]]] = {}
        for each in sorted(found.values(), key=lambda each: each["start"]):  # stable: the order of their sending
            children.setdefault(each["parent"] if each["parent"] in found else None, []).append(each)
        return [self._told(each, children) for each in children.get(None, [])]

    def _collect(self, document: dict[str, Any], parent: str | None, found: dict[str, dict[str, Any]]) -> None:
        told = {
            name: document[name]
            for name in ("name", "namespace", "annotations", "metadata", "fault", "error", "throttle", "http")
            if document.get(name)
        }
        told |= {"operation": document["aws"]["operation"]} if document.get("aws", {}).get("operation") else {}
        exceptions = document.get("cause", {}).get("exceptions", []) if isinstance(document.get("cause"), dict) else []
        told |= {"exceptions": [[_class(each["type"]), each["message"]] for each in exceptions]} if exceptions else {}
        parent = parent or document.get("parent_id")
        found[document["id"]] = {"id": document["id"], "parent": parent, "start": document["start_time"], "told": told}
        for each in document.get("subsegments", []):
            self._collect(each, document["id"], found)

    def _told(self, each: dict[str, Any], children: dict[str | None, list[dict[str, Any]]]) -> dict[str, Any]:
        below = [self._told(child, children) for child in children.get(each["id"], [])]
        return {**each["told"], **({"subsegments": below} if below else {})}


class Context:
    """Lambda's context object, as far as it is used."""

    def __init__(self, request_id: str, milliseconds: int) -> None:
        self.aws_request_id = request_id
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


def _class(name: str) -> str:
    """Return a class name without its module, which a refactoring may move."""
    return name.rpartition(".")[2]


def normal(line: dict[str, Any]) -> dict[str, Any]:
    """Replace what differs between runs or with the place of the code."""
    if "timestamp" in line:
        line["timestamp"] = re.sub(r"\d", "9", line["timestamp"])
    if "_aws" in line:
        line["_aws"]["Timestamp"] = re.sub(r"\d", "9", json.dumps(line["_aws"]["Timestamp"]))
    if "exception" in line:  # the traceback's messages, without its files and lines
        messages = re.findall(r"^(?!Traceback |\s|During |The above )(.+)$", line["exception"], re.MULTILINE)
        line["exception"] = [re.sub(r"^(?:\w+\.)+(\w+)", r"\1", each) for each in messages]
    if "stack_trace" in line:
        line["stack_trace"] = {
            name: value if name in ("type", "value") else f"<{name}>" for name, value in line["stack_trace"].items()
        }
    return line


def main(part: str) -> dict[str, Any]:
    """Return the part's cases, by name."""
    environment, chosen = PARTS[part]
    os.environ.update({**ENVIRONMENT, **environment})
    daemon = Daemon() if "_X_AMZN_TRACE_ID" in environment else None
    if daemon:
        os.environ["AWS_XRAY_DAEMON_ADDRESS"] = daemon.address
    clock = Clock()
    inputs = [case for number, case in enumerate(cases()) if chosen(number, case)]
    install(clock)
    stdout, stderr = io.StringIO(), io.StringIO()
    sys.stdout, sys.stderr = stdout, stderr

    from botocore.httpsession import URLLib3Session  # noqa: PLC0415  after `install`

    aws = Aws(clock)
    setattr(URLLib3Session, "send", lambda session, request: aws.send(session, request))  # noqa: B010, PLW0108  a method
    from lambda_code.main import lambda_handler  # noqa: PLC0415  after `install`

    def outcome(event: object, context: Context) -> dict[str, Any]:
        try:
            return {"returned": lambda_handler(event, context)}
        except Exception as error:  # noqa: BLE001  recorded
            return {"raised": [type(error).__name__, str(error)]}

    def deliver(case: Case, number: int) -> dict[str, Any]:
        stdout.seek(stdout.truncate(0))
        stderr.seek(stderr.truncate(0))
        clock.slept, clock.drawn = [], 0
        clock.seconds = 1000.0 + 60 * number
        aws.requests = []
        told = outcome(case["event"], Context(f"request-{number}", case["milliseconds"]))
        lines = [normal(json.loads(line)) for line in stdout.getvalue().splitlines()]
        told |= {
            "requests": aws.requests,
            "logs": [line for line in lines if "_aws" not in line],
            "metrics": [line for line in lines if "_aws" in line],
            "slept": clock.slept,
            "stderr": stderr.getvalue(),
            "traces": daemon.tree() if daemon else [],
        }
        return {name: value for name, value in told.items() if value or name == "returned"}

    result: dict[str, Any] = {}
    if part == "info":
        for number, invalid in enumerate(INVALID_ENVIRONMENTS):
            os.environ.update(invalid)
            result[f"invalid environment {number:02}"] = outcome({}, Context("request", 60_000))
            os.environ.update(ENVIRONMENT)
        for name, value in ENVIRONMENT.items():
            del os.environ[name]
            result[f"no {name}"] = outcome({}, Context("request", 60_000))
            os.environ[name] = value
    for case in inputs:
        aws.begin(case)
        result[case["name"]] = [deliver(case, number) for number in range(case.get("deliveries", 1))]
    return result | {"headers": aws.headers}


if __name__ == "__main__":
    output = sys.stdout
    json.dump(main(sys.argv[1]), output)
