"""One log file with the output of an emulator's container and of its functions' containers."""

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
"""Separates the name of a function's container from its line; the emulator's lines have no name."""

FUNCTION_LINES = 20
"""Number of lines of all functions that `Log.tail` adds to the emulator's."""

JOIN_TIMEOUT = 2.0
"""Seconds for a thread to read the end of a container's log."""


class Log:
    """The file, written by one thread for each container; another thread waits for new containers."""

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
        """Log the output of the emulator's container and of its functions' containers until the block is left."""
        # its own connection, since only closing it ends the wait for events
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
        """Return the last lines of the emulator, then those of its functions; an empty text if the file was removed."""
        own: list[str] = []
        functions: list[str] = []
        text = self._file.read_text(encoding="utf-8", errors="replace") if self._file.exists() else ""
        for line in text.splitlines():
            (functions if SEPARATOR in line and "-lambda-" in line.partition(SEPARATOR)[0] else own).append(line)
        return "\n".join(own[-lines:] + functions[-FUNCTION_LINES:])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._output.close()

    def _start_thread(self, follow: Callable[[], object]) -> None:
        def until_it_ends() -> None:
            # the engine stopped, the container was removed, or the connection was closed: the log is complete
            with suppress(DockerException, OSError, ValueError, AttributeError):
                follow()

        self._threads.append(threading.Thread(target=until_it_ends, daemon=True))
        self._threads[-1].start()

    def _follow_functions(self, docker: Any, started: Iterable[dict[str, Any]], names: str) -> None:  # noqa: ANN401  no types
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
    """Yield the lines of a stream of chunks of any size."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.rstrip(b"\r") for line in lines)
    if rest:
        yield rest
