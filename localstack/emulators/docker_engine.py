"""Connects to Docker, explains connection problems, and removes containers that interrupted runs left behind."""

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
from localstack.image.registry import LABEL, REGISTRY_OWNER

if TYPE_CHECKING:
    from docker.models.containers import Container

STOP_TIMEOUT = 20
"""Maximum seconds until a stopped emulator exits. In this time it removes the containers of its Lambda functions."""

FUNCTION = "function"
"""Value of the project's Docker label on the containers of Lambda functions.

On an emulator's container, the value of the label identifies the process that started the emulator.
"""


@contextmanager
def connected() -> Iterator[Any]:
    """Context manager that connects to Docker and yields a `docker.DockerClient`.

    Raises:
        DockerException: Docker does not respond.
    """
    client = DockerClient().client
    try:
        client.ping()
        yield client
    finally:
        client.close()


def problem() -> str | None:
    """Return why Docker containers cannot be used, with the remedy; None if they can be used."""
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
        return no_response(error)


def no_response(error: DockerException) -> str:
    """Return the error message of a failed connection to Docker, with the remedy."""
    return (
        "Docker does not respond: install it, start its engine (`systemctl start docker`, or `dockerd` as root), or "
        f"set DOCKER_HOST to its socket; without Docker, use the embedded emulator.\n{error}"
    )


def owner() -> str:
    """Return an identifier of this process that is unique among all machines and containers that share Docker."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def functions_of(container: Container) -> str:
    """Return the prefix of the names of the containers that run an emulator's Lambda functions.

    LocalStack replaces underscores in the emulator's name with hyphens.
    """
    return f"{str(container.name).replace('_', '-')}-lambda-"


def clean(*, everything: bool = False) -> list[str]:
    """Remove the containers that interrupted runs left behind, and return their names.

    Emulators are stopped first, with SIGTERM, so that they remove the containers of their Lambda functions.

    Args:
        everything: whether to also remove containers of running processes, containers that another machine or
            container started, and the local image registry.

    Raises:
        EmulatorError: Docker does not respond.
    """
    try:
        with connected() as docker:
            labelled = docker.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
            kept = [] if everything else [each for each in labelled if _is_kept(each.labels[LABEL])]
            names = tuple(functions_of(each) for each in kept)
            removed = [each for each in labelled if each not in kept and not each.name.startswith(names)]
            for each in sorted(removed, key=lambda container: bool(container.labels[LABEL] == FUNCTION)):
                with suppress(NotFound):  # The emulator may already have removed this container.
                    each.stop(timeout=STOP_TIMEOUT)
                    each.remove(force=True, v=True)
            return [str(each.name) for each in removed]
    except DockerException as error:
        raise EmulatorError(no_response(error)) from error


def _is_kept(label: str) -> bool:
    if label in (FUNCTION, REGISTRY_OWNER):
        return label == REGISTRY_OWNER
    host, process, started = label.split("/")
    return host != socket.gethostname() or _is_running(int(process), started)


def _is_running(process: int, started: str) -> bool:
    if started:
        return _started(process) == started
    try:
        os.kill(process, 0)  # Signal 0 only checks whether the process exists.
    except ProcessLookupError:
        return False
    except PermissionError:  # The process exists, but belongs to another user.
        return True
    return True


def _started(process: int) -> str:
    """Return the start time of a process in clock ticks, which distinguishes reused process IDs.

    The result is an empty string if the system has no /proc.
    """
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # Field 22 of /proc/PID/stat is the start time.


def main(arguments: Sequence[str]) -> int:
    """Remove the Docker containers that interrupted runs left behind (`nox -s emulator-clean`)."""
    parser = argparse.ArgumentParser(prog="python -m localstack.emulators.docker_engine", description=main.__doc__)
    parser.add_argument("--all", action="store_true", help="also remove containers in use and the image registry")
    try:
        names = clean(everything=parser.parse_args(arguments).all)
    except EmulatorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"removed {name}\n" for name in names) or "nothing to remove\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
