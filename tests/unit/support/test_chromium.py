from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.chromium import NoBrowserError, find, flags


def nothing(_: str) -> None:
    return None


def test_a_browser_that_is_named_wins() -> None:
    assert find({"TAP_BROWSER": "/opt/c"}, which=lambda name: name) == "/opt/c"


def test_a_named_browser_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NoBrowserError, match="TAP_BROWSER=/opt/c is no program"):
        find({"TAP_BROWSER": "/opt/c"}, which=nothing)


def test_the_systems_browser_comes_before_playwrights(tmp_path: Path) -> None:
    assert find({}, which=lambda name: f"/usr/bin/{name}", playwrights=str(tmp_path)) == "/usr/bin/chromium"
    assert find({}, which=nothing, playwrights=str(tmp_path)) == str(tmp_path)


def test_without_a_browser_it_is_said_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NoBrowserError, match=r"`apt install chromium`, or with .*playwright install chromium`"):
        find({}, which=nothing, playwrights=str(tmp_path / "none"))


@pytest.mark.parametrize("root", [True, False])
def test_only_root_goes_without_the_sandbox(root: bool) -> None:  # noqa: FBT001  a table
    assert ("--no-sandbox" in flags(root=root)) == root
