"""Tests of the search for the sockets of processes, with a fake proc file system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sockets import sockets_of_session


def process(proc: Path, pid: int, session: int, *links: str) -> Path:
    """Create the files of a process in a fake proc file system. Each link is the target of one file descriptor."""
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "stat").write_text(f"{pid} (a (strange) name) S 1 {pid} {session} 0", encoding="utf-8")
    for number, link in enumerate(links):
        (folder / "fd" / str(number)).symlink_to(link)
    return folder


def test_sockets_of_all_processes_in_the_same_session_are_found(tmp_path: Path) -> None:
    process(tmp_path, 10, 7, "socket:[1]", "/dev/null")
    process(tmp_path, 11, 7, "socket:[2]", "pipe:[9]")
    process(tmp_path, 12, 8, "socket:[3]")
    (tmp_path / "net").mkdir()
    assert sockets_of_session("1", tmp_path) == {"1", "2"}


@pytest.mark.parametrize("closed", ["0", "1", "2"])
def test_descriptor_that_closes_while_it_is_listed_hides_no_other_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    process(tmp_path, 10, 7, "socket:[1]", "socket:[2]", "socket:[3]")
    listed = Path.iterdir

    def close_after_listing(folder: Path) -> Iterator[Path]:
        found = sorted(listed(folder))
        if folder.name == "fd":
            (folder / closed).unlink()
        yield from found

    monkeypatch.setattr(Path, "iterdir", close_after_listing)
    remaining = {str(number + 1) for number in range(3) if str(number) != closed}
    assert sockets_of_session(min(remaining), tmp_path) == remaining


@pytest.mark.parametrize("missing", ["stat", "fd"])
def test_process_that_exits_while_it_is_listed_is_ignored(tmp_path: Path, missing: str) -> None:
    process(tmp_path, 10, 7, "socket:[1]")
    ended = process(tmp_path, 11, 7, "socket:[2]")
    (ended / missing).rename(tmp_path / "elsewhere")
    assert sockets_of_session("1", tmp_path) == {"1"}
