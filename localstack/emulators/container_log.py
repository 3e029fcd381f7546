"""Writes the output of an emulator's container, and of the containers of its Lambda functions, to one log file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from docker.errors import DockerException

from localstack.emulators import docker_engine
from localstack.emulators.docker_engine import FUNCTION, functions_of
from localstack.errors import EmulatorError
from localstack.image.registry import LABEL

if TYPE_CHECKING:
    from docker.models.containers import Container

SEPARATOR = " | "
"""Separator between the name of a Lambda function's container and its log line.

Log lines of the emulator itself have no name and no separator.
"""

FUNCTION_LINES = 20
"""Maximum number of log lines of Lambda functions that `Log.tail` returns after the lines of the emulator."""

JOIN_TIMEOUT = 2.0
"""Maximum seconds to wait until a thread has read the end of a container's log."""


class Log:
    """Log file of an emulator and its Lambda functions. One thread per container writes its output to the file.

    Raises:
        EmulatorError: the file cannot be written.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._output: IO[bytes] = file.open("wb")
        except OSError as error:
            message = f"the emulator's log cannot be written to {file}: {error}. Specify another file"
            raise EmulatorError(message) from error

    @contextmanager
    def following(self, container: Container) -> Iterator[None]:
        """Context manager that writes the output of the emulator, and of its Lambda functions, to the log file."""
        # Use a separate Docker connection, because only closing the connection ends the wait for events.
        with docker_engine.connected() as docker:
            started = docker.events(
                decode=True, filters={"type": "container", "event": "start", "label": f"{LABEL}={FUNCTION}"}
            )
            self._start_thread(partial(self._follow, container, ""))
            self._start_thread(partial(self._follow_functions, docker, started, functions_of(container)))
            try:
                yield
            finally:
                started.close()
        for thread in self._threads:
            thread.join(JOIN_TIMEOUT)

    def tail(self, lines: int) -> str:
        """Return the last log lines of the emulator, then of its Lambda functions; empty if there is no log file."""
        own: list[str] = []
        functions: list[str] = []
        text = self._file.read_text(encoding="utf-8", errors="replace") if self._file.exists() else ""
        for line in text.splitlines():
            (functions if SEPARATOR in line and "-lambda-" in line.partition(SEPARATOR)[0] else own).append(line)
        return "\n".join(own[-lines:] + functions[-FUNCTION_LINES:])

    def close(self) -> None:
        """Close the log file."""
        with self._lock:
            self._output.close()

    def _start_thread(self, follow: Callable[[], object]) -> None:
        def until_it_ends() -> None:
            # Ignore errors that end the log: Docker stopped, the container was removed, or the connection was closed.
            with suppress(DockerException, OSError, ValueError, AttributeError):
                follow()

        self._threads.append(threading.Thread(target=until_it_ends, daemon=True))
        self._threads[-1].start()

    def _follow_functions(self, docker: Any, started: Iterable[dict[str, Any]], names: str) -> None:  # noqa: ANN401  the library has no types
        for event in started:
            attributes = event["Actor"]["Attributes"]
            if attributes["name"].startswith(names):
                container = docker.containers.get(event["Actor"]["ID"])
                self._start_thread(partial(self._follow, container, f"{container.name}{SEPARATOR}"))

    def _follow(self, container: Container, name: str) -> None:
        for line in _lines(container.logs(stream=True, follow=True)):
            with self._lock:
                self._output.write(name.encode() + line + b"\n")
                self._output.flush()


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Split a stream of byte chunks into lines, without their line ends."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.rstrip(b"\r") for line in lines)
    if rest:
        yield rest
