"""Runs MiniStack, inside the emulator's own environment, until the process that started it ends.

Standard input is a pipe whose other end only the parent has open. It closes when the parent closes it or is killed, so
that neither the process nor its files are left behind.

MiniStack has no settings for the changes that are made here: reading a function's log, unpacking a function's code, the
process of a function that raised, the delay until a function is ready, and finding the protocol of a service.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import runpy
import select
import shutil
import signal
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Queue
from types import MappingProxyType, SimpleNamespace
from typing import IO, Any

STATE_TRANSITION_DELAY = 0.02
"""Seconds from the creation or a change of a function until it is ready, in place of MiniStack's half a second."""


def end_with_parent() -> None:
    """Wait until the pipe closes, then remove the state and kill this process with the functions it runs."""
    os.read(0, 1)  # not sys.stdin.read, whose lock would make Python abort if MiniStack exits
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)  # the parent started this process as the leader of its own group


class Log:
    """The standard error of a function's process, put into a queue line by line."""

    def __init__(self, pipe: IO[str], lines: Queue[str]) -> None:
        self._pipe = pipe
        self._lines = lines
        self._unfinished = b""
        self._lock = threading.Lock()

    def follow(self) -> None:
        """Read until the process has ended, so that the pipe does not fill up."""
        while self._readable() and self.read_available():
            pass

    def read_available(self) -> bool:
        """Read all that was written until now; return whether more may be written.

        A function writes its log before its response, so after the response this reads the whole log without waiting.
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
        """Wait, by default without limit, until there is something to read, or the end of the file."""
        poll = select.poll()  # one for each call, since two threads cannot share it; select.select supports fewer files
        poll.register(self._pipe, select.POLLIN)
        return bool(poll.poll(timeout))


RAISED = '{"status": "error", "error": str(e), "trace": traceback.format_exc()}'
RAISED_AND_KEPT = '{"status": "ok", "raised": {"error": str(e), "trace": traceback.format_exc()}}'
"""The response of a function's process after an exception: MiniStack's, and one after which the process is kept."""


def patch_worker(runtime: Any) -> None:  # noqa: ANN401  MiniStack's module
    """Keep the process of a function that raised, and log all lines of a call with that call.

    MiniStack would start another process, which takes a third of a second; on AWS an exception does not end the process
    either. MiniStack waits 50 ms for the first line of a log and 5 ms for each other line. On a busy machine lines
    arrive later, and would be logged with the next call or never; on an idle machine the wait delays the next event.
    """
    assert RAISED in runtime._PYTHON_WORKER_SCRIPT  # noqa: SLF001  it has no setting for this
    runtime._PYTHON_WORKER_SCRIPT = runtime._PYTHON_WORKER_SCRIPT.replace(RAISED, RAISED_AND_KEPT)  # noqa: SLF001

    class Worker(runtime.Worker):  # type: ignore[misc]  # the module is not installed where types are checked
        log: Log

        def invoke(self, *event: Any, **context: Any) -> dict[str, Any]:
            response: dict[str, Any] = super().invoke(*event, **context)
            if raised := response.pop("raised", None):
                response |= {"status": "error", **raised}
            return response

        @property
        def _read_stderr(self) -> Any:  # noqa: ANN401  read once per process, as the target of a thread
            self.log = Log(self._proc.stderr, self._stderr_queue)
            return self.log.follow

        def _drain_stderr(self) -> str:  # after a time-out
            self.log.read_available()
            return str(super()._drain_stderr())  # the lines in the queue

        def _drain_stderr_bounded(self) -> str:  # after a response
            return self._drain_stderr()

    runtime.Worker = Worker


class SharedZip(zipfile.ZipFile):
    """An archive that is unpacked once and then linked to, so that all processes share one copy of the code.

    MiniStack unpacks it for each process, which is half of its work. Sharing also keeps Python's compiled files. Unlike
    on AWS, a function can write to the folder, and all processes see the change.
    """

    def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:  # noqa: ANN401  as in the base class
        """Make `path`, an empty folder, a link to the unpacked archive."""
        assert isinstance(self.filename, str)  # MiniStack opens it by its path
        digest = hashlib.sha256(Path(self.filename).read_bytes()).hexdigest()
        state = Path(os.environ["TMPDIR"])
        unpacked = state / f"unpacked-{digest}"
        if not unpacked.exists():
            with tempfile.TemporaryDirectory(dir=state) as building:
                super().extractall(Path(building) / "code", members, pwd)
                with suppress(OSError):  # another thread renamed its copy first
                    Path(building, "code").rename(unpacked)
        Path(path).rmdir()
        Path(path).symlink_to(unpacked)


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
        "sts": {"protocol": "query"},
    }
)
"""The protocols in botocore's models of a stack's services, under MiniStack's names of the services."""


class LazyServiceModel:
    """botocore's model of a service, which is only loaded for more than the protocol.

    MiniStack loads it for the content type of a response, which takes 0.3 s for the services of a stack.
    """

    def __init__(self, service: str, load: Callable[[str], Any]) -> None:
        self.metadata = PROTOCOLS[service]
        self._load = partial(load, service)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  any attribute of the model
        return getattr(self._load(), name)


def set_protocols(responses: Any) -> None:  # noqa: ANN401  MiniStack's module
    """Give MiniStack the protocols of the services of a stack."""
    load = responses._service_model  # noqa: SLF001  it has no setting for this

    def service_model(service: str) -> Any:  # noqa: ANN401  a class of botocore without types
        return LazyServiceModel(service, load) if service in PROTOCOLS else load(service)

    responses._service_model = service_model  # noqa: SLF001  as above


def adapt_ministack() -> None:
    """Change the behaviour for which MiniStack has no settings."""
    runtime: Any = importlib.import_module("ministack.core.lambda_runtime")
    patch_worker(runtime)
    runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": SharedZip})
    set_protocols(importlib.import_module("ministack.core.responses"))
    functions: Any = importlib.import_module("ministack.services.lambda_svc")
    functions._LAMBDA_STATE_TRANSITION_DELAY = STATE_TRANSITION_DELAY  # noqa: SLF001  it has no setting for this


if __name__ == "__main__":
    if sys.argv[1] == "ministack":  # tests run another program
        adapt_ministack()
    threading.Thread(target=end_with_parent, daemon=True).start()
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
