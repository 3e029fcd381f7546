"""Program of the child process that runs MiniStack, the embedded emulator. It exits when the parent process exits.

This module also changes behavior for which MiniStack has no settings: reading the logs of Lambda functions, unpacking
their code, reusing their processes after an exception, limiting the number of their processes, their activation delay,
loading botocore's service models, reading ranges of object versions, and inventory configurations.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from queue import Queue
from types import FunctionType, MappingProxyType, SimpleNamespace
from typing import IO, Any

PARENT_CHECK_INTERVAL = 1.0
"""Seconds between checks whether the parent process is alive."""

STATE_TRANSITION_DELAY = 0.02
"""Seconds from the creation or an update of a Lambda function until it is active. MiniStack's default is 0.5 s."""

CONCURRENT_EVENTS = min(8, 2 * (os.cpu_count() or 4))
"""Maximum number of asynchronous events that are processed at the same time; further events wait.

A process of the indexer uses about 50 MB, and its start uses 0.25 s of CPU time. More than two processes per CPU do
not process more events per second.
"""

THROTTLED_PAUSE = 0.1
"""Seconds until an event that Lambda throttled is tried again."""


KILL_AND_DELETE = 'kill -KILL -- "-$1"; rm -rf -- "$2"'
"""Shell script that kills a process group and then deletes a folder, to which these processes could write."""


def end_with_parent(parent: int) -> None:
    """Wait until the parent process exits, then kill the emulator and its Lambda functions and delete the state.

    The pipe on stdin closes when the parent process exits. If the parent process has forked, the pipe stays open in the
    other process. Therefore, this function also checks the process ID of the parent, which changes when it exits.
    `PR_SET_PDEATHSIG` would exist only on Linux, and would also kill the emulator at the end of the parent's thread.

    Args:
        parent: process ID of the parent process, which starts this process as the leader of a process group.
    """
    # Waiting in sys.stdin.read would hold a lock and make Python abort when MiniStack exits.
    while os.getppid() == parent and not select.select([0], [], [], PARENT_CHECK_INTERVAL)[0]:
        pass
    try:
        command = ["/bin/sh", "-c", KILL_AND_DELETE, "sh", str(os.getpgrp()), os.environ["TMPDIR"]]
        subprocess.Popen(command, start_new_session=True).wait()  # noqa: S603  our own command
    finally:  # Kill the processes even if the shell could not be started.
        os.killpg(0, signal.SIGKILL)


class Log:
    """Reads the stderr of a Lambda function's process into a queue, line by line."""

    def __init__(self, pipe: IO[str], lines: Queue[str]) -> None:
        self._pipe = pipe
        self._lines = lines
        self._unfinished = b""
        self._lock = threading.Lock()

    def follow(self) -> None:
        """Read stderr until the process exits, so that a full pipe never blocks the process."""
        while self._readable() and self.read_available():
            pass

    def read_available(self) -> bool:
        """Read the available output without waiting; return False at the end of the stream.

        A Lambda function writes its log before its response. Therefore, a call after the response reads the whole log.
        """
        with self._lock:
            while self._readable(0):
                read = os.read(self._pipe.fileno(), 65536)
                *lines, self._unfinished = (self._unfinished + read).split(b"\n")
                if not read and self._unfinished:
                    lines, self._unfinished = [self._unfinished], b""
                for line in lines:
                    self._lines.put(line.decode(errors="replace"))
                if not read:
                    return False
        return True

    def _readable(self, timeout: float | None = None) -> bool:
        """Wait until the pipe has output or is closed; return False if the timeout expires first.

        Args:
            timeout: maximum milliseconds to wait; None for no limit.
        """
        poll = select.poll()  # Each call creates a poll object, because threads cannot share a poll object.
        poll.register(self._pipe, select.POLLIN)
        return bool(poll.poll(timeout))


RAISED = '{"status": "error", "error": str(e), "trace": traceback.format_exc()}'
RAISED_AND_KEPT = '{"status": "ok", "raised": {"error": str(e), "trace": traceback.format_exc()}}'
"""Python code of MiniStack that responds after an exception in a Lambda function, and the code that replaces it.

MiniStack stops a process that responds with the status "error", but not one that responds with the status "ok".
"""


def patch_worker(runtime: Any) -> None:  # noqa: ANN401  MiniStack's module
    """Patch MiniStack to reuse a function's process after an exception, and to log each line with its invocation.

    On AWS, the process of a function continues after an exception. MiniStack would start a new process, which takes
    0.3 s.

    After a response, MiniStack waits 50 ms for the first log line and 5 ms for each further line. On a busy machine,
    it would log late lines with the next invocation or never. On an idle machine, it would delay the next event.
    """
    assert RAISED in runtime._PYTHON_WORKER_SCRIPT  # noqa: SLF001  MiniStack has no setting
    runtime._PYTHON_WORKER_SCRIPT = runtime._PYTHON_WORKER_SCRIPT.replace(RAISED, RAISED_AND_KEPT)  # noqa: SLF001

    class Worker(runtime.Worker):  # type: ignore[misc]  # the module is not installed where types are checked
        log: Log

        def invoke(self, *event: Any, **context: Any) -> dict[str, Any]:
            response: dict[str, Any] = super().invoke(*event, **context)
            if raised := response.pop("raised", None):
                response |= {"status": "error", **raised}
            return response

        @property
        def _read_stderr(self) -> Any:  # noqa: ANN401  MiniStack reads it once, as the target of a thread
            self.log = Log(self._proc.stderr, self._stderr_queue)
            return self.log.follow

        def _drain_stderr(self) -> str:  # MiniStack calls this method after an invocation has timed out.
            self.log.read_available()
            return str(super()._drain_stderr())

        def _drain_stderr_bounded(self) -> str:  # MiniStack calls this method after each response.
            return self._drain_stderr()

    runtime.Worker = Worker


class SharedZip(zipfile.ZipFile):
    """Zip file of a Lambda function that is unpacked once and shared by all processes of the function.

    MiniStack would unpack it again for each process. The shared folder also keeps compiled Python files. Unlike on AWS,
    a function can change the files in the folder for all of its processes.
    """

    def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:  # noqa: ANN401  as in the base class
        """Unpack the zip file once, and replace the folder `path` by a symbolic link to the unpacked files."""
        assert isinstance(self.filename, str)  # MiniStack opens zip files by path, not as file objects.
        digest = hashlib.sha256(Path(self.filename).read_bytes()).hexdigest()
        state = Path(os.environ["TMPDIR"])
        unpacked = state / f"unpacked-{digest}"
        if not unpacked.exists():
            with tempfile.TemporaryDirectory(dir=state) as building:
                super().extractall(Path(building) / "code", members, pwd)
                with suppress(OSError):  # Another thread may have unpacked the same zip file first.
                    Path(building, "code").rename(unpacked)
        Path(path).rmdir()
        Path(path).symlink_to(unpacked)


def queue_events(functions: Any, limit: int = CONCURRENT_EVENTS) -> None:  # noqa: ANN401  MiniStack's module
    """Patch MiniStack to queue the asynchronous events of Lambda functions.

    MiniStack starts a thread and a process for each event that arrives while other events are processed: 400 concurrent
    uploads would take 16 GB. With a limit of MiniStack's own (`LAMBDA_ACCOUNT_CONCURRENCY`), it would count a throttled
    event as a failed attempt. AWS, in contrast, keeps throttled events in a queue.

    Args:
        functions: MiniStack's module of the service Lambda.
        limit: maximum number of events that are processed at the same time.
    """
    threads = ThreadPoolExecutor(limit, thread_name_prefix="event")

    class QueuedThread:
        def __init__(self, *, target: Callable[..., None], args: tuple[Any, ...], daemon: bool) -> None:
            assert daemon
            self._run = partial(target, *args)

        def start(self) -> None:
            threads.submit(self._run).add_done_callback(Future.result)  # The executor logs an exception of `result`.

    def execute(function: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
        while True:
            result: dict[str, Any] = functions._execute_function(function, event)  # noqa: SLF001  MiniStack has no setting
            # If the reserved concurrency is 0, AWS does not keep events in the queue.
            if not result.get("throttle") or function.get("concurrency") == 0:
                return result
            time.sleep(THROTTLED_PAUSE)

    functions.invoke_async_with_retry = FunctionType(
        functions.invoke_async_with_retry.__code__,
        {**vars(functions), "threading": SimpleNamespace(Thread=QueuedThread), "_execute_function": execute},
    )


PROTOCOLS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "dynamodb": {"protocol": "json", "jsonVersion": "1.0"},
        "iam": {"protocol": "query"},
        "lambda": {"protocol": "rest-json"},
        "logs": {"protocol": "json", "jsonVersion": "1.1"},
        "monitoring": {"protocol": "smithy-rpc-v2-cbor", "jsonVersion": "1.0"},  # CloudWatch
        "s3": {"protocol": "rest-xml"},
        "sns": {"protocol": "query"},
        "sqs": {"protocol": "json", "jsonVersion": "1.0"},
        "ssm": {"protocol": "json", "jsonVersion": "1.1"},
        "sts": {"protocol": "query"},
    }
)
"""Protocol of each AWS service that the stack uses. The keys are MiniStack's names of the services.

The values are copies of values in botocore's service models.
"""


class LazyServiceModel:
    """botocore's model of an AWS service, which is loaded only if an attribute other than the protocol is read.

    MiniStack reads the protocol of every response. Loading the models of all services of the stack takes 0.3 s.
    """

    def __init__(self, service: str, load: Callable[[str], Any]) -> None:
        self.metadata = PROTOCOLS[service]
        self._load = partial(load, service)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  the type depends on the attribute
        return getattr(self._load(), name)


def set_protocols(responses: Any) -> None:  # noqa: ANN401  MiniStack's module
    """Patch MiniStack to read the protocols of the stack's AWS services from `PROTOCOLS`."""
    load = responses._service_model  # noqa: SLF001  MiniStack has no setting

    def service_model(service: str) -> Any:  # noqa: ANN401  botocore has no types
        return LazyServiceModel(service, load) if service in PROTOCOLS else load(service)

    responses._service_model = service_model  # noqa: SLF001  MiniStack has no setting


def serve_ranges(s3: Any) -> None:  # noqa: ANN401  MiniStack's module
    """Patch MiniStack to serve the range of a GET request with a version ID, for which it returns the whole object."""
    get_object = s3._get_object  # noqa: SLF001  MiniStack has no setting

    def get_range(
        bucket: str, key: str, headers: dict[str, str], query: Mapping[str, Any] | None = None
    ) -> tuple[int, Any, bytes]:
        status, response, body = get_object(bucket, key, headers, query)
        whole = status == HTTPStatus.OK
        found = s3._parse_range(headers.get("range", ""), len(body)) if whole else None  # noqa: SLF001  as above
        if found is None:
            return status, response, body
        first, last = found
        changed = {"Content-Length": str(last - first + 1), "Content-Range": f"bytes {first}-{last}/{len(body)}"}
        kept = {name: value for name, value in response.items() if not name.lower().startswith("x-amz-checksum")}
        return HTTPStatus.PARTIAL_CONTENT, {**kept, **changed}, body[first : last + 1]

    s3._get_object = get_range  # noqa: SLF001  as above


def keep_inventory_configurations(s3: Any) -> None:  # noqa: ANN401  MiniStack's module
    """Patch MiniStack to store the inventory configurations of buckets. MiniStack writes no inventories.

    Without this patch, MiniStack treats a request for a configuration as a request for the bucket, so that the deletion
    of a configuration would delete an empty bucket.
    """
    handle_request, stored = s3.handle_request, dict[tuple[str, str], bytes]()

    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any, **options: Any) -> Any:  # noqa: ANN401  as in MiniStack
        bucket, key = s3._parse_bucket_key(path, headers)  # noqa: SLF001  MiniStack has no setting
        if key or "inventory" not in query:
            return await handle_request(method, path, headers, body, query, **options)
        listed = await handle_request("GET", path, headers, b"", {}, **options)
        if listed[0] != HTTPStatus.OK:  # The bucket does not exist, or the request is not allowed.
            return listed
        place = (bucket, query["id"][0])
        if method == "PUT":
            stored[place] = body
        elif place not in stored:
            return s3._error("NoSuchConfiguration", "The specified configuration does not exist.", 404)  # noqa: SLF001  as above
        elif method == "DELETE":
            del stored[place]
            return HTTPStatus.NO_CONTENT, {}, b""
        return HTTPStatus.OK, {"Content-Type": "application/xml"}, stored[place] if method == "GET" else b""

    s3.handle_request = handle


def adapt_ministack() -> None:
    """Apply all patches of this module to MiniStack."""
    runtime: Any = importlib.import_module("ministack.core.lambda_runtime")
    patch_worker(runtime)
    runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": SharedZip})
    set_protocols(importlib.import_module("ministack.core.responses"))
    s3: Any = importlib.import_module("ministack.services.s3")
    serve_ranges(s3)
    keep_inventory_configurations(s3)
    functions: Any = importlib.import_module("ministack.services.lambda_svc")
    queue_events(functions)
    functions._LAMBDA_STATE_TRANSITION_DELAY = STATE_TRANSITION_DELAY  # noqa: SLF001  MiniStack has no setting


if __name__ == "__main__":
    # Start the thread first, because the parent process may exit while MiniStack is imported.
    threading.Thread(target=end_with_parent, args=(int(sys.argv.pop(1)),), daemon=True).start()
    # Unit tests run another module instead of MiniStack. That module needs no patches.
    if sys.argv[1] == "ministack":
        adapt_ministack()
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
