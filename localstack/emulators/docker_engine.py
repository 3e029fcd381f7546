"""Docker as the container emulator needs it: a client, messages for what is wrong, whose container is whose."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import DockerException, NotFound
from testcontainers.core.docker_client import DockerClient

from localstack.errors import EmulatorError
from localstack.image.registry import LABEL, OURS

if TYPE_CHECKING:
    from docker.models.containers import Container

STOP_TIMEOUT = 20
"""Seconds to end by itself and take the containers of its functions along; killed, it would leave them behind."""

FUNCTION = "function"
"""Value of the label on the containers of functions; on an emulator's own it is its owner."""


@contextmanager
def connected() -> Iterator[Any]:
    """Connect to Docker; what is yielded is a `docker.DockerClient`, which has no types.

    Raises:
        DockerException: it does not answer.
    """
    client = DockerClient().client
    try:
        client.ping()
        yield client
    finally:
        client.close()


def problem() -> str | None:
    """Say why containers cannot be used here, and what helps; None if they can."""
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith(("unix://", "npipe://")):
        return (
            f"DOCKER_HOST is {host}: containers there publish their ports on the loopback interface of that machine. "
            "Run the tests there, or use the embedded emulator"
        )
    try:
        with connected():
            return None
    except DockerException as error:
        return no_answer(error)


def no_answer(error: DockerException) -> str:
    """Say that Docker does not answer, and what helps."""
    return (
        "Docker does not answer: install it, start its engine (`systemctl start docker`, or `dockerd` as root), or "
        f"name its socket in DOCKER_HOST; without Docker there is the embedded emulator.\n{error}"
    )


def owner() -> str:
    """Return what tells this process from every other, here and on machines or in containers that share the engine."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def functions_of(container: Container) -> str:
    """Return how the names of an emulator's function containers begin: LocalStack puts hyphens for underscores."""
    return f"{str(container.name).replace('_', '-')}-lambda-"


def clean(*, everything: bool = False) -> list[str]:
    """Remove the containers that interrupted runs left behind and return their names.

    What a process that still lives has started stays, and what was started on another machine (or in another
    container), of which nobody here can tell; so does the registry, which all runs share. `everything`: no exception.
    Emulators go first and gently, so that they take the containers of their functions along.

    Raises:
        EmulatorError: Docker does not answer.
    """
    try:
        with connected() as docker:
            ours = docker.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
            kept = [] if everything else [each for each in ours if _is_kept(each.labels[LABEL])]
            names = tuple(functions_of(each) for each in kept)
            left = [each for each in ours if each not in kept and not each.name.startswith(names)]
            for each in sorted(left, key=lambda one: bool(one.labels[LABEL] == FUNCTION)):
                with suppress(NotFound):  # it went with its emulator
                    each.stop(timeout=STOP_TIMEOUT)
                    each.remove(force=True, v=True)
            return [str(each.name) for each in left]
    except DockerException as error:
        raise EmulatorError(no_answer(error)) from error


def _is_kept(label: str) -> bool:
    if label in (FUNCTION, OURS):
        return label == OURS
    host, process, started = label.split("/")
    return host != socket.gethostname() or _lives(int(process), started)


def _lives(process: int, started: str) -> bool:
    if started:
        return _started(process) == started
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, and is somebody else's
        return True
    return True


def _started(process: int) -> str:
    """When a process started, in the kernel's own measure, since numbers are given again; empty where /proc is not."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # proc_pid_stat(5): starttime is field 22, and 2 end with the name


def main(arguments: Sequence[str]) -> int:
    """Remove what interrupted runs left behind: what `nox -s emulator-clean` runs."""
    parser = argparse.ArgumentParser(prog="python -m localstack.emulators.docker_engine", description=main.__doc__)
    parser.add_argument("--all", action="store_true", help="also what is in use, perhaps elsewhere, and the registry")
    try:
        names = clean(everything=parser.parse_args(arguments).all)
    except EmulatorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"removed {name}\n" for name in names) or "nothing to remove\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
