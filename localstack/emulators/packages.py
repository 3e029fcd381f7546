"""Installation of Python packages with uv or pip, independent of the caller's settings for other projects."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from localstack.errors import EmulatorError

UV_DOWNLOAD_VARIABLES = re.compile(
    r"UV_((DEFAULT_)?INDEX|INDEX_\w+|EXTRA_INDEX_URL|NO_INDEX|FIND_LINKS|KEYRING_PROVIDER|CREDENTIALS_DIR|INSECURE_HOST"
    r"|NATIVE_TLS|SYSTEM_CERTS|HTTP_\w+|REQUEST_TIMEOUT|CONCURRENT_\w+|OFFLINE|(NO_)?CACHE|CACHE_DIR|CONFIG_FILE"
    r"|NO_CONFIG|LINK_MODE)"
)
"""Environment variables of uv that change only how it downloads packages: index, certificates, time-outs and cache.

uv receives no other of its variables, because they could change which packages it installs, or where.
"""

UV_REMEDY = "If a configuration file of uv changes the packages, set UV_NO_CONFIG=1 to ignore it"
"""uv cannot ignore single options of its configuration files. Ignoring the files would also ignore a package index."""

_REMOVED_VARIABLES = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "PYTHONPLATLIBDIR", "VIRTUAL_ENV")
"""With these variables, uv and pip would compile no bytecode, or use another Python environment."""


def find_uv() -> list[str] | None:
    """Return the command that runs uv; None if uv is not installed.

    The environment variable UV has the first priority, then the program on the PATH, then the Python module.
    """
    if program := os.environ.get("UV") or shutil.which("uv"):
        return [program]
    return [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else None


def installer_environment(environ: Mapping[str, str], *, uv: bool) -> dict[str, str]:
    """Return the environment variables for uv or pip, without settings that change the installation.

    Args:
        environ: environment variables of the caller.
        uv: whether uv installs the packages; otherwise pip.

    Raises:
        EmulatorError: pip is missing, or cannot read its configuration files.
    """
    from tap_stack import PackagingError, pip_environment  # noqa: PLC0415  imports Pulumi, which takes 0.7 s

    kept = {
        name: value
        for name, value in environ.items()
        if name not in _REMOVED_VARIABLES and (not name.startswith("UV_") or UV_DOWNLOAD_VARIABLES.fullmatch(name))
    }
    try:
        return kept if uv else pip_environment(kept)
    except PackagingError as error:
        raise EmulatorError(str(error)) from error


def check_installed(requirements: Path, installed: Path) -> None:
    """Check that a folder contains exactly the pinned packages of a requirements file.

    Args:
        requirements: requirements file with versions.
        installed: folder with the installed packages.

    Raises:
        EmulatorError: a package or a file is missing, or a package is not pinned.
    """
    import tap_stack  # noqa: PLC0415  imports Pulumi, which takes 0.7 s

    try:
        tap_stack.check_installed(requirements, installed)
    except tap_stack.PackagingError as error:
        raise EmulatorError(f"{error}. {UV_REMEDY}") from error
