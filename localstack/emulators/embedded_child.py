"""Runs inside the emulator's own environment: MiniStack, which ends when the process that started it ends.

Standard input is a pipe whose other end only the parent holds. It closes when the parent lets go of it and also when
the parent is killed, so neither an orphan nor its files stay behind.

MiniStack has no settings for what is changed here: how it waits for a function's log, how it unpacks a function's
code, what becomes of a function that raised, how long it pretends to prepare a function, and how it finds out in which
protocol a service answers.
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

PREPARATION = 0.02
"""Seconds from a function's creation, or a change of it, until it is ready: MiniStack sleeps for half a second."""


def end_with_parent() -> None:
    """Wait until the pipe closes, then remove the state and end this process with the functions it runs."""
    os.read(0, 1)  # not by sys.stdin, whose lock would make Python abort should MiniStack end by itself
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)  # the parent made this process the leader of a group of its own


class Log:
    """What a function's process writes to its standard error, line by line into a queue."""

    def __init__(self, pipe: IO[str], lines: Queue[str]) -> None:
        self._pipe = pipe
        self._lines = lines
        self._unfinished = b""
        self._lock = threading.Lock()

    def follow(self) -> None:
        """Take what comes until the process has ended, lest the pipe gets full."""
        while self._readable() and self.take():
            pass

    def take(self) -> bool:
        """Take all that was written until now; whether more may come.

        A function writes its log before it answers, so that after an answer this finds all of it, at once.
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
        """Wait, by default without end, until there is something to read, or the end of it."""
        waiting = select.poll()  # which cannot be used by two threads at once; and `select` knows too few files
        waiting.register(self._pipe, select.POLLIN)
        return bool(waiting.poll(timeout))


RAISED = '{"status": "error", "error": str(e), "trace": traceback.format_exc()}'
RAISED_AND_KEPT = '{"status": "ok", "raised": {"error": str(e), "trace": traceback.format_exc()}}'
"""What a function's process answers after an exception, in MiniStack's words, and in those that let it live on."""


def keep_processes_and_logs(runtime: Any) -> None:  # noqa: ANN401  MiniStack's module
    """Make MiniStack keep the process of a function that raised, and log what it wrote with the call that it is of.

    It would start another process, in a third of a second of work; on AWS, too, an exception does not end the process.
    And it waits 50 ms for the first line of a log and 5 ms for each other. On a busy machine they come later, and it
    would log them with the next call, or never; on an idle one the function is not free for the next event meanwhile.
    """
    assert RAISED in runtime._PYTHON_WORKER_SCRIPT  # noqa: SLF001  it has no setting for this
    runtime._PYTHON_WORKER_SCRIPT = runtime._PYTHON_WORKER_SCRIPT.replace(RAISED, RAISED_AND_KEPT)  # noqa: SLF001

    class Worker(runtime.Worker):  # type: ignore[misc]  # of a module that is not there where types are checked
        log: Log

        def invoke(self, *event: Any, **context: Any) -> dict[str, Any]:
            answer: dict[str, Any] = super().invoke(*event, **context)
            if raised := answer.pop("raised", None):
                answer |= {"status": "error", **raised}
            return answer

        @property
        def _read_stderr(self) -> Any:  # noqa: ANN401  asked for once per process, as what a thread shall do
            self.log = Log(self._proc.stderr, self._stderr_queue)
            return self.log.follow

        def _drain_stderr(self) -> str:  # after a time-out
            self.log.take()
            return str(super()._drain_stderr())  # what is in the queue

        def _drain_stderr_bounded(self) -> str:  # after an answer
            return self._drain_stderr()

    runtime.Worker = Worker


class SharedZip(zipfile.ZipFile):
    """An archive that is unpacked once and then linked to: each process has the code that every other has, as on AWS.

    MiniStack unpacks it for each process: half of the time that it uses. And Python finds what it compiled before. On
    AWS nothing can be written there; here it can, and all would see it.
    """

    def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:  # noqa: ANN401  as it is
        """Make `path`, an empty folder, a link to the unpacked archive."""
        assert isinstance(self.filename, str)  # MiniStack's way
        digest = hashlib.sha256(Path(self.filename).read_bytes()).hexdigest()
        state = Path(os.environ["TMPDIR"])
        unpacked = state / f"unpacked-{digest}"
        if not unpacked.exists():
            with tempfile.TemporaryDirectory(dir=state) as building:
                super().extractall(Path(building) / "code", members, pwd)
                with suppress(OSError):  # another thread was quicker
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
"""What botocore's descriptions of a stack's services say of their protocols, by MiniStack's names."""


class Described:
    """What MiniStack asks of botocore's description of a service: for its protocol there is no need to read all of it.

    MiniStack reads it to give an answer the right content type: 0.3 s of work for the services of a stack.
    """

    def __init__(self, service: str, describe: Callable[[str], Any]) -> None:
        self.metadata = PROTOCOLS[service]
        self._whole = partial(describe, service)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever else there is
        return getattr(self._whole(), name)


def know_protocols(responses: Any) -> None:  # noqa: ANN401  MiniStack's module
    """Tell MiniStack the protocols of the services of a stack."""
    describe = responses._service_model  # noqa: SLF001  it has no setting for this

    def described(service: str) -> Any:  # noqa: ANN401  as it is
        return Described(service, describe) if service in PROTOCOLS else describe(service)

    responses._service_model = described  # noqa: SLF001  as above


def adapt_ministack() -> None:
    """Change what it has no settings for."""
    runtime: Any = importlib.import_module("ministack.core.lambda_runtime")
    keep_processes_and_logs(runtime)
    runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": SharedZip})
    know_protocols(importlib.import_module("ministack.core.responses"))
    functions: Any = importlib.import_module("ministack.services.lambda_svc")
    functions._LAMBDA_STATE_TRANSITION_DELAY = PREPARATION  # noqa: SLF001  it has no setting for this


if __name__ == "__main__":
    if sys.argv[1] == "ministack":  # tests put another program in its place
        adapt_ministack()
    threading.Thread(target=end_with_parent, daemon=True).start()
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
