"""Finds a Chromium to drive: one that is named, the system's, or one that Playwright installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

VARIABLE = "TAP_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

FLAGS = (
    # nothing leaves this machine, and nothing asks a question
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)


class NoBrowserError(Exception):
    """There is none: the message says how to get one."""


def find(
    environment: Mapping[str, str] = os.environ,
    *,
    which: Callable[[str], str | None] = shutil.which,
    playwrights: str = "",
) -> str:
    """The path of a browser's program; `playwrights` is where Playwright would have its own.

    Raises:
        NoBrowserError: there is none, or not where the environment says.
    """
    if named := environment.get(VARIABLE):
        if found := which(named):
            return found
        raise NoBrowserError(f"{VARIABLE}={named} is no program: set it to the path of Chromium or Chrome, or unset it")
    for name in NAMES:
        if found := which(name):
            return found
    if playwrights and Path(playwrights).exists():
        return playwrights
    raise NoBrowserError(
        f"no browser: none of {', '.join(NAMES)} is on the path, and Playwright has installed none. Get one with "
        f"`apt install chromium`, or with `.nox/browser/bin/playwright install chromium`; or name one in {VARIABLE}"
    )


def flags(*, root: bool) -> list[str]:
    """The flags to start it with; `root`'s processes cannot have Chromium's sandbox."""
    return [*FLAGS, *(["--no-sandbox"] if root else [])]
