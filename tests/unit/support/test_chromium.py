from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.chromium import BrowserNotFoundError, find_browser


def test_find_browser_prefers_tap_browser_then_system_then_playwright(tmp_path: Path) -> None:
    path = str(tmp_path)
    assert find_browser({"TAP_BROWSER": "/opt/c"}, which=lambda name: name, playwright_path=path) == "/opt/c"
    assert find_browser({}, which=lambda name: f"/usr/bin/{name}", playwright_path=path) == "/usr/bin/chromium"
    assert find_browser({}, which=lambda _name: None, playwright_path=path) == path


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"TAP_BROWSER": "/opt/c"}, "TAP_BROWSER=/opt/c is no program"),
        ({}, r"`apt install chromium`, or with .*playwright install chromium`"),
    ],
)
def test_find_browser_error_explains_how_to_install_a_browser(
    environment: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BrowserNotFoundError, match=message):
        find_browser(environment, which=lambda _name: None, playwright_path=str(tmp_path / "none"))
