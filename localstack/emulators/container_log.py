"""What an emulator's container and those of its functions print, followed into one file while they live."""

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

MARK = " | "
"""Between the name of a function's container and its line; a line without is the emulator's."""

FUNCTION_LINES = 20
"""Lines of all functions together that the end of a log has after the emulator's."""

ENDING = 2.0
"""Seconds that a thread which follows a log has to see its end."""


class Log:
    """The file; written by a thread for each container, and one that hears of new containers."""

    def __init__(self, file: Path) -> None:
        """Create the file.

        Raises:
            EmulatorError: it cannot be written.
        """
        self._file = file
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._output: IO[bytes] = file.open("wb")
        except OSError as error:
            message = f"the emulator's log cannot be written to {file}: {error}. Name another file"
            raise EmulatorError(message) from error

    @contextmanager
    def following(self, container: Container) -> Iterator[None]:
        """Write down what the emulator's container prints, and those of its functions, until the block is left."""
        # a connection of its own: closing that is what ends the waiting for events
        with docker_engine.connected() as docker:
            started = docker.events(
                decode=True, filters={"type": "container", "event": "start", "label": f"{LABEL}={FUNCTION}"}
            )
            self._begin(partial(self._follow, container, ""))
            self._begin(partial(self._hear, docker, started, functions_of(container)))
            try:
                yield
            finally:
                started.close()
        for thread in self._threads:
            thread.join(ENDING)

    def tail(self, lines: int) -> str:
        """Return the last lines of the emulator, and after them the last of its functions; nothing once it is gone."""
        own: list[str] = []
        functions: list[str] = []
        text = self._file.read_text(encoding="utf-8", errors="replace") if self._file.exists() else ""
        for line in text.splitlines():
            (functions if MARK in line and "-lambda-" in line.partition(MARK)[0] else own).append(line)
        return "\n".join(own[-lines:] + functions[-FUNCTION_LINES:])

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._output.close()

    def _begin(self, work: Callable[[], object]) -> None:
        def until_it_ends() -> None:
            # the engine went, the container was removed, or the connection was closed: there is no more to write
            with suppress(DockerException, OSError, ValueError, AttributeError):
                work()

        self._threads.append(threading.Thread(target=until_it_ends, daemon=True))
        self._threads[-1].start()

    def _hear(self, docker: Any, started: Iterable[dict[str, Any]], names: str) -> None:  # noqa: ANN401  no types
        for event in started:
            attributes = event["Actor"]["Attributes"]
            if attributes["name"].startswith(names):
                container = docker.containers.get(event["Actor"]["ID"])
                self._begin(partial(self._follow, container, f"{container.name}{MARK}"))

    def _follow(self, container: Container, name: str) -> None:
        for line in _lines(container.logs(stream=True, follow=True)):
            with self._lock:
                self._output.write(name.encode() + line + b"\n")
                self._output.flush()


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Docker sends pieces of any size."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.rstrip(b"\r") for line in lines)
    if rest:
        yield rest
