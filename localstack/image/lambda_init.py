#!/usr/bin/python3
"""Init process of LocalStack's Lambda containers: starts the Lambda runtime, and forwards events and results.

LocalStack copies this file to ``/var/rapid/init`` and starts it. The runtime process polls it through the public Lambda
Runtime API. LocalStack sends each event by ``POST /invoke``. This process sends POST requests to
LOCALSTACK_RUNTIME_ENDPOINT:

- ``status/RUNTIME_ID/ready`` or ``status/RUNTIME_ID/error``, once: the runtime is ready, or cannot start.
- ``invocations/ID/logs``: the output of an invocation.
- ``invocations/ID/response`` or ``invocations/ID/error``, after the output: the result of an invocation.

If the runtime exits or times out, its child processes are killed, and the next invocation starts another runtime. This
file requires only Python's standard library.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

API = "/2018-06-01/runtime"
API_PORT = 9001
INVOKE_PORT = 9563
BOOTSTRAPS = ("/var/task/bootstrap", "/opt/bootstrap", "/var/runtime/bootstrap")
"""Programs that start a Lambda runtime. The first one that exists is used."""
SANDBOX = (993, 990)
"""User ID and group ID of Lambda functions, as on AWS."""
MAX_RESPONSE_BYTES = 6291556
"""Maximum size of a Lambda response on AWS, in bytes. LocalStack may set another limit."""


@dataclass(frozen=True)
class Invocation:
    """One invocation of a Lambda function.

    Attributes:
        request: LocalStack's request with the event.
        deadline: Unix time of the timeout, in seconds.
        outcome: future with a pair: "response" or "error", and the body to report.
    """

    request: Mapping[str, str]
    deadline: float
    outcome: Future[tuple[str, bytes]] = field(default_factory=Future)

    def complete(self, verb: str, body: bytes) -> None:
        """Set the result of the invocation; only the first call has an effect.

        Args:
            verb: "response" or "error".
            body: response or error of the function, as JSON.
        """
        if not self.outcome.done():
            self.outcome.set_result((verb, body))


class Output:
    """Pipe for the output of the Lambda runtime, which is buffered for LocalStack and copied to stdout."""

    def __init__(self) -> None:
        self._pipe, self.writable = os.pipe()
        os.set_blocking(self._pipe, False)
        self._lock = threading.Lock()
        self._buffer = bytearray()
        threading.Thread(target=self._follow, daemon=True).start()

    def add(self, line: str) -> None:
        """Write a line to the log of the Lambda function."""
        os.write(self.writable, f"{line}\n".encode())

    def read(self) -> str:
        """Return the output of the Lambda runtime since the last call."""
        self._drain()
        with self._lock:
            unread, self._buffer = self._buffer, bytearray()
        return unread.decode(errors="replace")

    def _follow(self) -> None:
        while select.select([self._pipe], [], []):
            self._drain()

    def _drain(self) -> None:
        with self._lock, suppress(BlockingIOError):
            while chunk := os.read(self._pipe, 65536):
                self._buffer += chunk
                os.write(1, chunk)


class Runtime:
    """A process of the Lambda runtime, and the queue of its events. The item None ends the queue."""

    def __init__(self, environ: Mapping[str, str], output: Output) -> None:
        self.events: SimpleQueue[Invocation | None] = SimpleQueue()
        self.process = subprocess.Popen(  # noqa: S603  the function's own program, no shell
            [next((path for path in BOOTSTRAPS if Path(path).is_file()), BOOTSTRAPS[-1])],
            env=dict(environ),
            stdout=output.writable,
            stderr=output.writable,
            # Create a process group, so that one signal kills the Lambda runtime and its child processes.
            start_new_session=True,
        )

    def kill(self) -> None:
        """Kill the process of the Lambda runtime and all its children."""
        self.events.put(None)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Init:
    """Forwards events to the Lambda runtime, one at a time, and results to LocalStack.

    Args:
        environ: environment variables of the container.
        finish: called with an exit code to stop the container.
    """

    def __init__(self, environ: Mapping[str, str], finish: Callable[[int], object]) -> None:
        self._environ = environ
        self._finish = finish
        self._output = Output()
        self._runtime: Runtime | None = None
        self._current: Invocation | None = None
        self._status_reported = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the Lambda runtime, and a thread that waits for its exit."""
        try:
            self._runtime = Runtime(runtime_environment(self._environ), self._output)
        except OSError as error:
            self.fail(failure("Runtime.InvalidEntrypoint", str(error)))
        else:
            threading.Thread(target=self._watch, args=(self._runtime,), daemon=True).start()

    def stop(self) -> None:
        """Kill the Lambda runtime if it is running."""
        runtime, self._runtime = self._runtime, None
        if runtime:
            runtime.kill()

    def next(self) -> Invocation | None:
        """Wait for the next event for the Lambda runtime; return None if the runtime was killed."""
        runtime = self._runtime
        self._report_status("ready")
        return runtime.events.get() if runtime else None

    def complete(self, request_id: str, verb: str, body: bytes) -> bool:
        """Complete the current invocation with the result from the Lambda runtime.

        Args:
            request_id: ID of the invocation.
            verb: "response" or "error".
            body: response or error of the function, as JSON.

        Returns:
            False if `request_id` is not the current invocation.
        """
        current = self._current
        if current is None or current.request["invoke-id"] != request_id:
            return False
        limit = int(self._environ.get("LOCALSTACK_MAX_PAYLOAD_SIZE", MAX_RESPONSE_BYTES))
        if len(body) > limit:
            message = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
            verb, body = "error", failure("Function.ResponseSizeTooLarge", message)
        current.complete(verb, body)
        return True

    def fail(self, body: bytes) -> None:
        """Report an error of the Lambda runtime for the current invocation.

        Before the first invocation, the error is reported for the whole container, which then exits.
        """
        self.stop()
        if current := self._current:
            current.complete("error", body)
        elif self._report_status("error", body):
            self._finish(1)

    def invoke(self, request: Mapping[str, str]) -> None:
        """Run one invocation, and report its output and its result to LocalStack."""
        with self._lock:
            timeout = int(self._environ["AWS_LAMBDA_FUNCTION_TIMEOUT"])
            request_id, begun = request["invoke-id"], time.monotonic()
            self._output.add(f"START RequestId: {request_id} Version: {self._environ['AWS_LAMBDA_FUNCTION_VERSION']}")
            self._current = invocation = Invocation(request, time.time() + timeout)
            if self._runtime is None:
                self.start()
            if runtime := self._runtime:
                runtime.events.put(invocation)
            try:
                verb, body = invocation.outcome.result(timeout)
            except TimeoutError:
                self.stop()
                now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                message = f"{now} {request_id} Task timed out after {timeout}.00 seconds"
                self._output.add(message)
                verb, body = "error", json.dumps({"errorMessage": message}).encode()
            self._current = None
            self._add_report(request_id, min(time.monotonic() - begun, timeout) * 1000)
            self._post(f"invocations/{request_id}/logs", json.dumps({"logs": self._output.read()}).encode())
            self._post(f"invocations/{request_id}/{verb}", body)

    def _watch(self, runtime: Runtime) -> None:
        status = runtime.process.wait()
        if self._runtime is not runtime:
            return  # The Lambda runtime did not fail, but was killed by `stop`.
        how = f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        message = f"Runtime exited with error: {how}" if status else "Runtime exited without providing a reason"
        current = self._current
        prefix = f"RequestId: {current.request['invoke-id']} Error: " if current else ""
        self.fail(failure("Runtime.ExitError", prefix + message))

    def _report_status(self, status: str, body: bytes = b"") -> bool:
        """Report once whether the Lambda runtime is ready; return False if it was already reported."""
        first, self._status_reported = not self._status_reported, True
        if first:
            self._post(f"status/{self._environ['LOCALSTACK_RUNTIME_ID']}/{status}", body)
        return first

    def _add_report(self, request_id: str, milliseconds: float) -> None:
        size = self._environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        durations = f"Duration: {milliseconds:.2f} ms\tBilled Duration: {-int(-milliseconds // 1)} ms"
        self._output.add(f"END RequestId: {request_id}")
        # Report the configured memory size as the used memory, as LocalStack's own init process does.
        self._output.add(
            f"REPORT RequestId: {request_id}\t{durations}\tMemory Size: {size} MB\tMax Memory Used: {size} MB\t"
        )

    def _post(self, path: str, body: bytes) -> None:
        url = f"{self._environ['LOCALSTACK_RUNTIME_ENDPOINT']}/{path}"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  URL of LocalStack
        try:
            # Connect to LocalStack directly, even if the Lambda function's environment variables specify a proxy.
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            direct.open(request).close()
        except OSError as error:
            sys.stderr.write(f"LocalStack did not accept {path}: {error}\n")


class Handler(BaseHTTPRequestHandler):
    """HTTP request handler for the Lambda runtime (on one port) and for LocalStack (on another port)."""

    protocol_version = "HTTP/1.1"

    def __init__(self, init: Init, *connection: Any) -> None:
        self.init = init
        super().__init__(*connection)

    def handle(self) -> None:
        """Handle the requests of a connection. Ignore a connection error, because the Lambda runtime may be killed."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """Respond to the Lambda runtime's request for its next event; waits until there is an event."""
        if self.path != f"{API}/invocation/next":
            self._respond(404, b"{}")
        elif invocation := self.init.next():
            self._respond(
                200,
                invocation.request["payload"].encode(),
                {
                    "Lambda-Runtime-Aws-Request-Id": invocation.request["invoke-id"],
                    "Lambda-Runtime-Invoked-Function-Arn": invocation.request["invoked-function-arn"],
                    "Lambda-Runtime-Trace-Id": invocation.request["trace-id"],
                    "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                },
            )
        else:
            self.close_connection = True

    def do_POST(self) -> None:
        """Receive an event from LocalStack, or a result or an error from the Lambda runtime."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        outcome = re.fullmatch(rf"{API}/invocation/([^/]+)/(response|error)", self.path)
        if self.path == "/invoke":
            self._respond(200, b"OK")
            self.init.invoke(json.loads(body))
        elif self.path == f"{API}/init/error":
            self._respond(202, b'{"status": "OK"}')
            self.init.fail(body)
        elif outcome and self.init.complete(outcome[1], outcome[2], body):
            self._respond(202, b'{"status": "OK"}')
        else:
            self._respond(400, failure("InvalidRequestID", "Invalid request ID"))

    def _respond(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Log no HTTP requests, because the output of the container is the log of the Lambda function."""


def main() -> int:
    """Run until LocalStack stops the container (exit code 0) or the Lambda runtime cannot start (exit code 1)."""
    prepare(json.loads(os.environ.get("LOCALSTACK_CHMOD_PATHS", "[]")), os.environ.get("LOCALSTACK_USER", "sandbox"))
    status: SimpleQueue[int] = SimpleQueue()
    signal.signal(signal.SIGTERM, lambda *_: status.put(0))  # By default, process 1 ignores SIGTERM.
    init = Init(dict(os.environ), status.put)
    for address in (("127.0.0.1", API_PORT), ("0.0.0.0", INVOKE_PORT)):  # noqa: S104  inside the container only
        server = ThreadingHTTPServer(address, partial(Handler, init))
        threading.Thread(target=server.serve_forever, daemon=True).start()
    init.start()
    result = status.get()
    init.stop()
    return result


def prepare(modes: list[dict[str, str]], user: str) -> None:
    """Set the file modes that LocalStack requests, change to the Lambda function's folder, and drop root privileges.

    Args:
        modes: dictionaries with the keys `path` and `mode` (an argument of chmod).
        user: "root" to keep root privileges.
    """
    for each in modes:
        subprocess.run(["chmod", "-R", each["mode"], each["path"]], check=True)  # noqa: S603, S607  chmod of the system
    os.chdir("/var/task")
    if os.getuid() == 0 and user != "root":
        os.chown("/tmp", *SANDBOX)  # noqa: S108  the only folder that a Lambda function may write to
        os.setgroups([])
        os.setgid(SANDBOX[1])
        os.setuid(SANDBOX[0])


def runtime_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the Lambda runtime's environment variables: those of the container, without LocalStack's own."""
    internal = re.compile("HOME|HOSTNAME|LOCALSTACK_(?!HOSTNAME).*")
    public = {name: value for name, value in environ.items() if not internal.fullmatch(name)}
    return {**public, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{API_PORT}"}


def failure(kind: str, message: str) -> bytes:
    """Return an error in the JSON format of Lambda.

    Args:
        kind: error type, such as "Runtime.ExitError".
        message: error message.
    """
    return json.dumps({"errorMessage": message, "errorType": kind}).encode()


if __name__ == "__main__":
    sys.exit(main())
