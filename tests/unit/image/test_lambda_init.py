"""Tests of the init process of Lambda containers with a fake LocalStack and a fake Lambda runtime."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from localstack.emulators.embedded import free_port
from localstack.image import lambda_init
from tests.support import waiting
from tests.support.processes import is_running
from tests.support.serving import serving
from tests.unit.image import fake_runtime
from tests.unit.image.fake_localstack import TIMEOUT, FakeLocalStack, send

pytestmark = pytest.mark.slow

RUNTIME_ID = "4bf9"


@dataclass(frozen=True)
class Container:
    """Test setup with the init process of a Lambda container and a fake LocalStack that sends events to it."""

    localstack: FakeLocalStack
    init: lambda_init.Init
    port: int
    finished: SimpleQueue[int]

    def start(self) -> None:
        self.init.start()
        assert self.localstack.next_report() == (f"/status/{RUNTIME_ID}/ready", b"")

    def invoke(self, request_id: str, **event: Any) -> tuple[str, bytes, str]:
        """Send an event to the Lambda container.

        Returns:
            "response" or "error", the body of the response or error, and the log of the invocation.
        """
        assert send(self.port, request_id, **event) == 200
        path, printed = self.localstack.next_report()
        assert path == f"/invocations/{request_id}/logs"
        path, body = self.localstack.next_report()
        assert path.startswith(f"/invocations/{request_id}/")
        return path.rpartition("/")[2], body, json.loads(printed)["logs"]


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fake Lambda runtime, at the path where the init process expects the bootstrap."""
    script = tmp_path / "bootstrap"
    # The options -I and -S reduce Python's start time to a third.
    script.write_text(f"#!{sys.executable} -IS\n{Path(fake_runtime.__file__).read_text(encoding='utf-8')}")
    script.chmod(0o755)
    monkeypatch.setattr(lambda_init, "BOOTSTRAPS", (str(tmp_path / "not-there"), str(script)))
    return script


@pytest.fixture
def localstack() -> Iterator[FakeLocalStack]:
    with serving(FakeLocalStack()) as fake:
        yield fake


def wait_until_dead(pid: int) -> None:
    waiting.wait_until(lambda: not is_running(pid), f"the end of process {pid}")


def environment(localstack: FakeLocalStack, **more: str) -> dict[str, str]:
    return {
        "LOCALSTACK_RUNTIME_ENDPOINT": localstack.address,
        "LOCALSTACK_RUNTIME_ID": RUNTIME_ID,
        "LOCALSTACK_HOSTNAME": "172.17.0.2",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "HOSTNAME": "0123456789ab",
        "HOME": "/root",
        "_HANDLER": "main.handler",
        **more,
    }


@pytest.fixture
def container(
    bootstrap: Path, localstack: FakeLocalStack, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Container]:
    """Lambda container that is not yet started. The fixture's parameter has additional environment variables."""
    assert bootstrap.exists()
    finished: SimpleQueue[int] = SimpleQueue()
    init = lambda_init.Init(environment(localstack, **getattr(request, "param", {})), finished.put)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(lambda_init.Handler, init))
    monkeypatch.setattr(lambda_init, "API_PORT", server.server_port)
    with serving(server):
        yield Container(localstack, init, server.server_port, finished)
        init.stop()


def test_init_process_passes_event_headers_and_environment_to_the_runtime(container: Container) -> None:
    container.start()
    before = time.time()
    verb, body, _ = container.invoke("r-1", do="report", greeting="grüß")
    reported = json.loads(body)
    headers, environment = reported["headers"], reported["environment"]
    assert verb == "response"
    assert reported["event"] == {"do": "report", "greeting": "grüß"}
    assert headers["Lambda-Runtime-Aws-Request-Id"] == "r-1"
    assert headers["Lambda-Runtime-Invoked-Function-Arn"].endswith(":function:indexer")
    assert headers["Lambda-Runtime-Trace-Id"] == "Root=1-2-3;Parent=4;Sampled=1"
    assert before + 60 <= int(headers["Lambda-Runtime-Deadline-Ms"]) / 1000 + 0.001 <= time.time() + 60
    assert environment["_HANDLER"] == "main.handler"
    assert environment["LOCALSTACK_HOSTNAME"] == "172.17.0.2"
    assert environment["AWS_LAMBDA_RUNTIME_API"] == f"127.0.0.1:{container.port}"
    assert not {"HOME", "HOSTNAME", "LOCALSTACK_RUNTIME_ENDPOINT", "LOCALSTACK_RUNTIME_ID"} & set(environment)


def test_init_process_reports_output_once_between_start_and_end(
    container: Container, capfd: pytest.CaptureFixture[str]
) -> None:
    container.start()
    long = "ü" * 100_000  # This text is longer than the buffer of a pipe.
    printed = container.invoke("r-1", do="print", text=long)[2]
    assert re.fullmatch(
        rf"starting\nSTART RequestId: r-1 Version: \$LATEST\n{long}\nEND RequestId: r-1\n"
        r"REPORT RequestId: r-1\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 512 MB\tMax Memory Used: 512 MB\t\n",
        printed,
    ), printed[:200]
    second = container.invoke("r-2", do="print", text="short")[2]
    assert second.startswith("START RequestId: r-2 Version: $LATEST\nshort\nEND RequestId: r-2\n")
    assert long in capfd.readouterr().out, "the container's own output lacks the text"


def test_init_process_reports_an_error_of_the_function_unchanged(container: Container) -> None:
    container.start()
    error = {"errorType": "KeyError", "errorMessage": "'x'", "stackTrace": ["..."]}
    verb, body, _ = container.invoke("r-1", do="fail", error=error)
    assert (verb, json.loads(body)) == ("error", error)
    assert container.invoke("r-2", do="print", text="fine")[0] == "response"


@pytest.mark.parametrize("container", [{"LOCALSTACK_MAX_PAYLOAD_SIZE": "1000"}], indirect=True)
def test_init_process_reports_a_response_over_the_size_limit_as_error(container: Container) -> None:
    container.start()
    assert container.invoke("r-1", do="respond", bytes=1000)[:2] == ("response", b"x" * 1000)
    verb, body, _ = container.invoke("r-2", do="respond", bytes=1001)
    assert verb == "error"
    assert json.loads(body) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (1000 bytes).",
    }


def test_init_process_rejects_a_result_for_another_invocation(container: Container) -> None:
    container.start()
    assert container.invoke("r-1", do="respond to another")[:2] == ("response", b"400")


@pytest.mark.parametrize(
    ("status", "message"),
    [(7, "Runtime exited with error: exit status 7"), (0, "Runtime exited without providing a reason")],
)
def test_init_process_restarts_a_runtime_that_exits_during_an_invocation(
    container: Container, status: int, message: str
) -> None:
    container.start()
    verb, body, _ = container.invoke("r-1", do="exit", status=status)
    assert verb == "error"
    assert json.loads(body) == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: r-1 Error: {message}"}
    verb, _, printed = container.invoke("r-2", do="print", text="back again")
    assert verb == "response"
    assert "starting\nback again\n" in printed
    assert container.finished.empty()


@pytest.mark.parametrize("container", [{"AWS_LAMBDA_FUNCTION_TIMEOUT": "3"}], indirect=True)
def test_init_process_kills_runtime_and_its_children_after_a_timeout(container: Container) -> None:
    container.start()
    verb, body, printed = container.invoke("r-1", do="hang")
    message = json.loads(body)["errorMessage"]
    assert verb == "error"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ r-1 Task timed out after 3\.00 seconds", message)
    assert f"{message}\nEND RequestId: r-1\n" in printed
    assert "\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\t" in printed
    child = re.search(r"child (\d+)", printed)
    assert child is not None
    wait_until_dead(int(child[1]))
    assert container.invoke("r-2", do="print", text="back again")[0] == "response"


NO_MODULE = b'{"errorType": "Runtime.ImportModuleError"}'


@pytest.mark.parametrize(
    ("container", "error_type", "message"),
    [
        ({"MODE": "init error"}, "Runtime.ImportModuleError", None),
        ({"MODE": "exit"}, "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ({"MODE": "missing"}, "Runtime.InvalidEntrypoint", "[Errno 2] No such file or directory: '{bootstrap}'"),
    ],
    indirect=["container"],
)
def test_init_process_reports_a_failed_runtime_start_once_and_exits(
    container: Container, bootstrap: Path, error_type: str, message: str | None
) -> None:
    if message and "{bootstrap}" in message:
        bootstrap.unlink()
    container.init.start()
    path, body = container.localstack.next_report()
    assert path == f"/status/{RUNTIME_ID}/error"
    error = {"errorMessage": message and message.format(bootstrap=bootstrap), "errorType": error_type}
    assert json.loads(body) == {name: value for name, value in error.items() if value}
    assert container.finished.get(timeout=TIMEOUT) == 1
    assert container.localstack.reports.empty()


def test_init_process_reports_a_failed_restart_as_error_of_the_invocation(
    container: Container, bootstrap: Path
) -> None:
    container.start()
    script = bootstrap.read_text(encoding="utf-8")
    bootstrap.write_text(script.replace('os.environ.get("MODE")', '"init error"'))
    assert container.invoke("r-1", do="exit", status=1)[0] == "error"
    verb, body, _ = container.invoke("r-2", do="print", text="never")
    assert (verb, body) == ("error", NO_MODULE)
    bootstrap.write_text(script)
    assert container.invoke("r-3", do="print", text="fixed")[0] == "response"


def test_init_process_reports_readiness_without_the_proxy_of_the_function(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    container.start()
    assert container.localstack.reports.empty()


def test_lambda_invocation_ignores_a_second_result() -> None:
    invocation = lambda_init.Invocation({}, deadline=0)
    invocation.complete("response", b"1")
    invocation.complete("error", b"2")
    assert invocation.outcome.result() == ("response", b"1")


PROCESS = """
import sys
from localstack.image import lambda_init
lambda_init.API_PORT, lambda_init.INVOKE_PORT = int(sys.argv[1]), int(sys.argv[2])
lambda_init.BOOTSTRAPS = sys.argv[3:]
lambda_init.prepare = lambda *_: None  # The real function would change this machine.
sys.exit(lambda_init.main())
"""


def run(bootstrap: Path, port: int, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROCESS, str(free_port()), str(port), str(bootstrap)]
    root = str(Path(lambda_init.__file__).absolute().parents[2])
    return subprocess.Popen(command, env={**environ, "PYTHONPATH": root}, stdout=subprocess.PIPE)  # noqa: S603


def test_sigterm_stops_init_process_and_runtime_during_an_invocation(
    bootstrap: Path, localstack: FakeLocalStack
) -> None:
    port = free_port()
    with run(bootstrap, port, environment(localstack)) as process:
        assert localstack.next_report()[0].endswith("/ready")
        assert send(port, "r-1", do="hang") == 200
        assert process.stdout is not None
        printed = iter(process.stdout.readline, b"")
        child = next(line for line in printed if line.startswith(b"child "))
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    wait_until_dead(int(child.split()[1]))


def test_init_process_exits_with_code_1_if_the_runtime_cannot_start(
    bootstrap: Path, localstack: FakeLocalStack
) -> None:
    with run(bootstrap, free_port(), environment(localstack, MODE="init error")) as process:
        assert localstack.next_report()[0].endswith("/error")
        assert process.wait(TIMEOUT) == 1
