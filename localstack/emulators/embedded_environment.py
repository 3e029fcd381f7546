"""Creates the Python environment of the embedded emulator once, in the folder `.cache`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from localstack.emulators.packages import UV_REMEDY, check_installed, find_uv, installer_environment
from localstack.errors import EmulatorError

REQUIREMENTS = Path(__file__).with_name("requirements-ministack.txt")
CACHE = Path(__file__).parents[2] / ".cache"

INSTALL_TIMEOUT = 600
"""Maximum seconds for one installation command, which downloads about 60 MB from PyPI."""

PIP_REMEDY = "If `venv` or `pip` is missing, install uv or your system's packages python3-venv and python3-pip"
"""End of the message about a failed installation without uv."""

Run = Callable[[Sequence[str], Mapping[str, str]], "subprocess.CompletedProcess[str]"]


def ensure(report: Callable[[str], None], *, cache: Path = CACHE, run: Run | None = None) -> Path:
    """Return the Python interpreter of the embedded emulator, and create its environment if it does not exist.

    Several processes may call this at the same time. Each creates an environment, and the first that is complete is
    used.

    Args:
        report: called with a message before the installation.
        cache: folder for the environment.
        run: runs a command with environment variables.

    Raises:
        EmulatorError: the installation failed. The message has the end of the output and the remedy.
    """
    target = cache / environment_name(REQUIREMENTS.read_bytes())
    python = target / "bin" / "python"
    if _is_complete(target):
        return python
    report(f"preparing the embedded emulator in {target} (once; needs PyPI)")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{target.name}.building-", dir=cache) as building:
            fresh = Path(building) / "environment"
            _build(fresh, run or _run)
            _move_into_place(fresh, target)
    except OSError as error:
        raise EmulatorError(
            f"the embedded emulator could not be installed in {cache}: {error}. The folder must be writable"
        ) from error
    return python


def environment_name(requirements: bytes) -> str:
    """Return the folder name of the emulator's Python environment: requirements hash, Python version and platform."""
    digest = hashlib.sha256(requirements).hexdigest()[:12]
    return f"ministack-{digest}-{sys.implementation.cache_tag}-{sysconfig.get_platform()}"


def installer_commands(fresh: Path, uv: Sequence[str] | None) -> list[list[str]]:
    """Return the commands that create the Python environment and install the emulator.

    Args:
        fresh: folder of the new environment.
        uv: command that runs uv; None to use the slower venv and pip.
    """
    python = str(fresh / "bin" / "python")
    pinned = ("--quiet", "--require-hashes", "--no-deps", "-r", str(REQUIREMENTS))
    if uv:
        return [
            [*uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(fresh)],
            [*uv, "pip", "install", "--python", python, "--compile-bytecode", *pinned],
        ]
    return [
        [sys.executable, "-m", "venv", "--without-pip", str(fresh)],
        [sys.executable, "-m", "pip", "--python", python, "install", "--disable-pip-version-check", *pinned],
    ]


def _build(fresh: Path, run: Run) -> None:
    uv = find_uv()
    environment = installer_environment(os.environ, uv=uv is not None)
    for command in installer_commands(fresh, uv):
        try:
            done = run(command, environment)
            failure = done.stderr + done.stdout if done.returncode else None
        except (OSError, subprocess.TimeoutExpired) as error:
            failure = str(error)
        if failure is not None:
            output = "\n".join(f"  {line}" for line in failure.strip().splitlines()[-15:])
            raise EmulatorError(
                f"the embedded emulator could not be installed: `{' '.join(command)}` failed:\n{output}\n"
                "It is installed once from PyPI. Without internet, set UV_DEFAULT_INDEX or PIP_INDEX_URL to a mirror. "
                f"{UV_REMEDY if uv else PIP_REMEDY}."
            )
    check_installed(REQUIREMENTS, modules(fresh))


def _run(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own commands, no shell
        command,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=INSTALL_TIMEOUT,
    )


def modules(environment: Path) -> Path:
    """Return the folder of the installed packages in a Python environment."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))


def _is_complete(environment: Path) -> bool:
    """Return whether an environment has its interpreter and all files of the pinned packages."""
    # If Python was uninstalled, `python` is a broken symbolic link.
    if not (environment / "bin" / "python").exists():
        return False
    try:
        check_installed(REQUIREMENTS, modules(environment))
    except EmulatorError:
        return False
    return True


def _move_into_place(fresh: Path, target: Path) -> None:
    if not _is_complete(target):
        shutil.rmtree(target, ignore_errors=True)
    try:
        fresh.rename(target)
    except OSError:
        if not _is_complete(target):  # Ignore the error if another process created the environment.
            raise


def ministack_version() -> str:
    """Return the version of MiniStack in the requirements file."""
    pin = next(line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if line.startswith("ministack=="))
    return pin.removeprefix("ministack==").split()[0]
