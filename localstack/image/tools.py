"""The programs that the build needs: checks, remedies, and running them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from localstack.emulators.embedded_environment import find_uv
from localstack.errors import EmulatorError

SHOWN_LINES = 15
"""Number of the last lines of a failed program's output in its message."""

_DEBIAN_PACKAGES = {"debootstrap": "debootstrap", "mvn": "maven"}
"""Programs and their Debian packages."""


def run(command: Sequence[str | Path], *, stdin: IO[bytes] | None = None) -> str:
    """Run a program to its end and return its output.

    Raises:
        EmulatorError: it is missing or failed, with the end of its output.
    """
    command_line = " ".join(map(str, command))
    try:
        done = subprocess.run(  # noqa: S603  our own commands, no shell
            [str(each) for each in command],
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        raise EmulatorError(f"`{command_line}` could not be run: {error}") from error
    output = done.stdout.decode(errors="replace")
    if done.returncode:
        last = "\n".join(f"  {line}" for line in output.strip().splitlines()[-SHOWN_LINES:])
        raise EmulatorError(f"`{command_line}` failed with exit code {done.returncode}:\n{last}")
    return output


def docker(*arguments: str | Path, stdin: IO[bytes] | None = None) -> str:
    """Run a command of Docker's."""
    return run(["docker", *arguments], stdin=stdin)


def inspect(kind: str, name: str, template: str) -> str | None:
    """Return a value of an image or a container from Docker; None if it does not exist."""
    try:
        return docker(kind, "inspect", "--format", template, name).strip()
    except EmulatorError:
        return None


def docker_problem() -> str | None:
    """Return why Docker cannot be used, with the remedy; None if it can."""
    if not shutil.which("docker"):
        return "Docker is not installed: `apt-get install docker.io`, or see its manual for other systems"
    try:
        docker("version", "--format", "{{.Server.Version}}")
    except EmulatorError as error:
        return f"Docker does not answer; start its engine (`systemctl start docker`, or `dockerd` as root). {error}"
    return None


def check() -> None:
    """Check that all programs are available.

    Raises:
        EmulatorError: everything that is missing, each with its remedy.
    """
    missing = [name for name in _DEBIAN_PACKAGES if not shutil.which(name)]
    problems = []
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        problems.append("the image can be built on Linux and x86_64 only, for which DynamoDB Local's library is pinned")
    if os.geteuid() != 0:
        problems.append("debootstrap needs root: run it with `sudo`, or as root in a container")
    if missing:
        packages = " ".join(_DEBIAN_PACKAGES[name] for name in missing)
        problems.append(f"missing: {', '.join(missing)}; `apt-get install {packages}` installs them")
    if find_uv() is None:
        problems.append("missing: uv; `pip install uv` installs it")
    if problem := docker_problem():
        problems.append(problem)
    if problems:
        raise EmulatorError("the emulator's image cannot be built:\n" + "\n".join(f"- {each}" for each in problems))
