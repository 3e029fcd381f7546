"""Finds a Chromium for the browser tests: a named one, the system's, or one that Playwright installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

VARIABLE = "TAP_BROWSER"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class BrowserNotFoundError(Exception):
    """No browser was found; the message says how to install one."""


def find_browser(
    environment: Mapping[str, str] = os.environ,
    *,
    which: Callable[[str], str | None] = shutil.which,
    playwright_path: str = "",
) -> str:
    """The path of a browser's program; `playwright_path` is that of the browser that Playwright installs.

    Raises:
        BrowserNotFoundError: there is no browser, or not at the path in the environment.
    """
    if named := environment.get(VARIABLE):
        if found := which(named):
            return found
        raise BrowserNotFoundError(
            f"{VARIABLE}={named} is no program: set it to the path of Chromium or Chrome, or unset it"
        )
    for name in PROGRAMS:
        if found := which(name):
            return found
    if playwright_path and Path(playwright_path).exists():
        return playwright_path
    raise BrowserNotFoundError(
        f"no browser: none of {', '.join(PROGRAMS)} is on the path, and Playwright has installed none. Get one with "
        f"`apt install chromium`, or with `.nox/browser/bin/playwright install chromium`; or name one in {VARIABLE}"
    )
