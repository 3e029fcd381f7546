"""The functions that are measured: archives as they are deployed, on a runtime like Lambda's.

The runtime's boto3 lies there compiled, in a folder of its own. An archive is never compiled: Lambda cannot write into
it, so each cold start compiles what it imports. Ours is the very one that the program deploys.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import OURS
from tap_stack import build_lambda_package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "bench"
LAMBDA_PYTHON = "3.13"
OPERATIONS = ROOT / "requirements-operations.txt"  # the pinned boto3
PEERS = Path(__file__).parent / "peers"
PEER = "handler.lambda_handler"
POWERTOOLS = PEERS / "powertools" / "requirements.txt"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_SESSION_TOKEN": "benchmark",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_LAMBDA_FUNCTION_NAME": "indexer",
    "LAMBDA_TASK_ROOT": "/var/task",  # without it Powertools and the X-Ray SDK believe that they are elsewhere
    "TAP_BUCKET_NAME": "uploads",
    "TAP_TABLE_NAME": "objects",
    "TAP_DELETED_RETENTION_DAYS": "0",
    "POWERTOOLS_SERVICE_NAME": "tapstack",
    "POWERTOOLS_METRICS_NAMESPACE": "TapStack",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A function as it would be deployed."""

    name: str
    handler: str
    folders: tuple[Path, ...]  # first on its path


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """The interpreter, the runtime's packages, and the functions."""

    python: Path
    version: str
    runtime: Path
    ours: Subject
    plain: Subject
    powertools: Subject
    bare: Subject  # no function: the two clients alone

    def environment(self, port: int | None) -> dict[str, str]:
        """A function's environment, with the port of the fake AWS and X-Ray daemon; a cold start calls neither."""
        where = {"AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{port or 2000}"}
        if port is not None:
            where["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
        return {"PATH": os.environ["PATH"], **ENVIRONMENT, **where}

    def command(self, subject: Subject) -> list[str]:
        """How a process of the function is started."""
        worker = Path(__file__).with_name("worker.py")
        return [str(self.python), "-S", str(worker), subject.handler, *map(str, (*subject.folders, self.runtime))]

    def cold_start(self, subject: Subject) -> dict[str, Any]:
        """Start a new process; return its `cpu_seconds`, `wall_seconds` and `modules`."""
        result: dict[str, Any] = json.loads(_output(self.command(subject), env=self.environment(None)))
        return result

    @contextmanager
    def warm(self, subject: Subject, *, port: int) -> Iterator[Worker]:
        """A process of the function that has started, and stays until the end of the block."""
        with subprocess.Popen(  # noqa: S603 - our own arguments
            self.command(subject),
            env=self.environment(port),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                worker = Worker(process)
                worker.result()
                yield worker
            finally:
                process.communicate()


class Worker:
    """A process of `worker.py`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def work(self, events: int, *, sampled: bool) -> dict[str, float]:
        """Handle events; return the `cpu_seconds` of all together and the `resident_kilobytes` after them."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"events": events, "sampled": sampled}) + "\n")
        self._process.stdin.flush()
        return self.result()

    def result(self) -> dict[str, float]:
        """Read the next result.

        Raises:
            RuntimeError: the process ended; its message is on standard error.
        """
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self._process.args!r} ended: its own message is above")
        result: dict[str, float] = json.loads(line)
        return result


class FakeAws:
    """A process of `aws_stub.py`: an AWS that responds at once, at `port`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = self._number()

    def traces(self) -> int:
        """Return how many datagrams with traces have arrived so far."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._number()

    def _number(self) -> int:
        assert self._process.stdout
        return int(self._process.stdout.readline())


@contextmanager
def fake_aws() -> Iterator[FakeAws]:
    """Context manager for a FakeAws."""
    command = [sys.executable, "-m", "benchmarks.aws_stub"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - as above
        try:
            yield FakeAws(process)
        finally:
            process.communicate()


def prepare() -> Subjects:
    """Create what is missing: an environment, with Lambda's version of Python if there is one, and the archives."""
    environment = _once(CACHE / f"runtime-hashed-{_key(OPERATIONS)}", _environment)
    python = environment / "bin" / "python"
    [runtime] = (environment / "lib").glob("python*/site-packages")
    version = _output([str(python), "-c", "import platform; print(platform.python_version())"]).strip()

    def install(requirements: Path, target: Path) -> None:
        options = ("--no-deps", "--require-hashes", "--target", str(target))
        _pip(python, *options, "--requirement", str(requirements))

    ours = build_lambda_package(ROOT, ROOT / ".cache" / "lambda")
    powertools = _once(CACHE / f"powertools-{version}-{_key(POWERTOOLS)}", lambda folder: install(POWERTOOLS, folder))
    return Subjects(
        python=python,
        version=version,
        runtime=runtime,
        ours=Subject(name=OURS, handler="lambda_code.main.lambda_handler", folders=(ours,)),
        plain=Subject(name="plain boto3", handler=PEER, folders=(PEERS / "plain",)),
        powertools=Subject(name="Powertools", handler=PEER, folders=(PEERS / "powertools", powertools)),
        bare=Subject(name="bare boto3", handler=PEER, folders=(PEERS / "bare",)),
    )


def _environment(folder: Path) -> None:
    make = ["uv", "venv", "--quiet", "--relocatable", "--no-python-downloads", str(folder)]
    wanted = [*make, "--python", LAMBDA_PYTHON]
    if subprocess.run(wanted, capture_output=True, check=False).returncode:  # noqa: S603 - our own arguments
        _output([*make, "--python", sys.executable])  # there is none of Lambda's version here
    python = folder / "bin" / "python"
    _pip(python, "--require-hashes", "--requirement", str(OPERATIONS))
    # valid whatever becomes of the files' times; compiling boto3 at each start would look like a gain for all others
    _output([str(python), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder / "lib")])


def _pip(python: Path, *options: str) -> None:
    _output(["uv", "pip", "install", "--quiet", "--python", str(python), *options])


def _once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, made if it is missing: whole or not at all."""
    if not folder.exists():
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        make(unfinished)
        unfinished.rename(folder)
    return folder


def _key(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _output(command: list[str], env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env)  # noqa: S603 - our own arguments
    return done.stdout
