"""Search for the browser of the browser tests: TAP_BROWSER, then Chromium or Chrome, then Playwright's browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

VARIABLE = "TAP_BROWSER"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class BrowserNotFoundError(Exception):
    """No browser was found. The message lists the ways to install one."""


def find_browser(
    environment: Mapping[str, str] = os.environ,
    *,
    which: Callable[[str], str | None] = shutil.which,
    playwright_path: str = "",
) -> str:
    """Return the path of the Chromium or Chrome program for the browser tests.

    Args:
        environment: environment variables. TAP_BROWSER is the name or path of the browser, and overrides the search.
        which: returns the path of a program on the PATH, or None.
        playwright_path: path to which Playwright installs its browser; the browser may be missing.

    Raises:
        BrowserNotFoundError: no browser was found, or TAP_BROWSER is not a program.
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
