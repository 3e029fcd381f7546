"""Runs the external programs that build the images, and checks that they are installed."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from localstack.emulators.packages import find_uv
from localstack.errors import EmulatorError

SHOWN_LINES = 15
"""Maximum number of output lines of a failed program that the error message contains."""

_DEBIAN_PACKAGES = {"debootstrap": "debootstrap", "mvn": "maven"}
"""Required programs that Debian packages contain, and the package of each."""


def run(
    command: Sequence[str | Path], *, stdin: IO[bytes] | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """Run a program until it exits, and return its stdout and stderr.

    Args:
        command: program and its arguments.
        stdin: file to read; None for an empty stdin.
        environment: environment variables; None for those of this process.

    Raises:
        EmulatorError: the program is missing or failed. The message has the end of its output.
    """
    command_line = " ".join(map(str, command))
    try:
        done = subprocess.run(  # noqa: S603  constant commands, no shell
            [str(each) for each in command],
            stdin=stdin or subprocess.DEVNULL,
            env=environment,
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
    """Run a command of the Docker CLI and return its output; see `run`."""
    return run(["docker", *arguments], stdin=stdin)


def inspect(kind: str, name: str, template: str) -> str | None:
    """Return a property of a Docker object; None if the object does not exist.

    Args:
        kind: "image" or "container".
        name: name of the object.
        template: Go template of the property, such as ``{{.Id}}``.
    """
    try:
        return docker(kind, "inspect", "--format", template, name).strip()
    except EmulatorError:
        return None


def docker_problem() -> str | None:
    """Return why Docker cannot be used, with the remedy; None if it can be used."""
    if not shutil.which("docker"):
        return "Docker is not installed: `apt-get install docker.io`, or see its manual for other systems"
    try:
        docker("version", "--format", "{{.Server.Version}}")
    except EmulatorError as error:
        return f"Docker does not respond; start its engine (`systemctl start docker`, or `dockerd` as root). {error}"
    return None


def check() -> None:
    """Check that this machine can build the images: Linux on x86_64, root, and all required programs.

    Raises:
        EmulatorError: a requirement is missing. The message lists all of them, each with its remedy.
    """
    missing = [name for name in _DEBIAN_PACKAGES if not shutil.which(name)]
    problems = []
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        problems.append("the image can be built only on Linux on x86_64, the platform of the pinned packages")
    if os.geteuid() != 0:
        problems.append("debootstrap needs root: run it with `sudo`, or as root in a container")
    if missing:
        packages = " ".join(_DEBIAN_PACKAGES[name] for name in missing)
        problems.append(f"missing programs: {', '.join(missing)}; `apt-get install {packages}` installs them")
    if find_uv() is None:
        problems.append("missing program: uv; `pip install uv` installs it")
    if problem := docker_problem():
        problems.append(problem)
    if problems:
        raise EmulatorError("the emulator's image cannot be built:\n" + "\n".join(f"- {each}" for each in problems))
