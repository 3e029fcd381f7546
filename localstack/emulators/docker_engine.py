"""Docker for the container emulator: a client, messages about problems, and the owners of containers."""

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
"""Seconds for an emulator to remove the containers of its functions and exit; if killed, it leaves them behind."""

FUNCTION = "function"
"""Value of the label on the containers of functions; on an emulator's container the value is its owner."""


@contextmanager
def connected() -> Iterator[Any]:
    """Connect to Docker; yields a `docker.DockerClient`, which has no types.

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
    """Return why containers cannot be used here, with the remedy; None if they can."""
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
    """Return the message, with the remedy, for a Docker engine that does not respond."""
    return (
        "Docker does not answer: install it, start its engine (`systemctl start docker`, or `dockerd` as root), or "
        f"name its socket in DOCKER_HOST; without Docker there is the embedded emulator.\n{error}"
    )


def owner() -> str:
    """Return a name of this process that is unique on all machines and containers that share the engine."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def functions_of(container: Container) -> str:
    """Return the prefix of the names of an emulator's function containers; LocalStack replaces underscores."""
    return f"{str(container.name).replace('_', '-')}-lambda-"


def clean(*, everything: bool = False) -> list[str]:
    """Remove the containers that interrupted runs left behind and return their names.

    It keeps the containers of running processes, of other machines (or containers), whose processes are unknown here,
    and the registry, which all runs share; `everything` removes these too. Emulators are stopped first, by SIGTERM, so
    that they remove the containers of their functions.

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
                with suppress(NotFound):  # its emulator removed it
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
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, with another user
        return True
    return True


def _started(process: int) -> str:
    """Return the start time of a process, in clock ticks, since process ids are reused; empty without /proc."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # proc_pid_stat(5): starttime is field 22, and the name is field 2


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
