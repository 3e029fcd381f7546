"""Tests of the cache folder with exported rows: its permissions, concurrent processes, and its deletion."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from operations.analytics.engine import Engine
from operations.analytics.relation import write_relation
from operations.analytics.snapshot import Cache, Snapshot, cache_folder
from operations.errors import OperatorError
from tests.support.export_folder import typed, write_export

ROWS = [typed({"object_id": "uploads/a", "version_id": "v1", "schema_version": 1})]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_or_empty_cache_folder_gets_permissions_only_for_the_user(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    empty.chmod(0o777)
    Cache(empty)
    Cache(tmp_path / "new")
    assert (mode(empty), mode(tmp_path / "new")) == (0o700, 0o700)


@pytest.mark.parametrize("link", [False, True])
def test_cache_folder_that_others_can_write_to_is_rejected_and_keeps_its_mode(tmp_path: Path, *, link: bool) -> None:
    folder = tmp_path / "shared"
    (folder / "file").mkdir(parents=True)
    folder.chmod(0o1777)
    path = folder
    if link:
        path = tmp_path / "link"
        path.symlink_to(folder)
    with pytest.raises(OperatorError, match=f"the cache folder {path} cannot be used, because other users can write"):
        Cache(path)
    assert mode(folder) == 0o1777


def test_cache_folder_of_another_user_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(OperatorError, match="cannot be used, because other users can write into it"):
        Cache(tmp_path)


def test_cached_rows_that_another_process_writes_at_the_same_time_are_used(tmp_path: Path) -> None:
    export, cache = write_export(tmp_path / "export", ROWS), Cache(tmp_path / "cache")

    def load(engine: Engine) -> Snapshot:
        return cache.load(export, engine, source="path")

    def write_twice(*arguments: Any) -> None:
        original = mock.patch("operations.analytics.snapshot.write_relation", write_relation)
        with original, Engine(spill=tmp_path / "other") as engine:
            others.append(load(engine).path.stat().st_ino)
        write_relation(*arguments)

    others: list[int] = []
    with mock.patch("operations.analytics.snapshot.write_relation", write_twice), Engine(spill=tmp_path) as engine:
        assert load(engine).path.stat().st_ino == others[0]


def test_cache_clear_ignores_links_and_files_of_the_user(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    cache = Cache(tmp_path / "cache")
    (cache.folder / "snapshot-link").symlink_to(other)
    (cache.folder / "unfinished-1").mkdir()
    assert cache.clear() == (0, 0)
    assert other.is_dir()
    assert [each.name for each in cache.folder.iterdir()] == ["snapshot-link"]


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"TAPSTACK_CACHE": "~/cache"}, "home/cache"),
        ({"TAPSTACK_CACHE": "cache"}, "current/cache"),
        ({"XDG_CACHE_HOME": "/cache"}, "/cache/tapstack"),
        ({"TAPSTACK_CACHE": "", "XDG_CACHE_HOME": "cache"}, "home/.cache/tapstack"),
    ],
)
def test_path_of_the_cache_folder_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    """According to the XDG Base Directory Specification, a relative path in XDG_CACHE_HOME is ignored."""
    (tmp_path / "current").mkdir()
    monkeypatch.chdir(tmp_path / "current")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder(variables) == tmp_path / folder


@pytest.mark.parametrize("variables", [{}, {"TAPSTACK_CACHE": "~/cache"}])
def test_cache_folder_in_an_unknown_home_directory_is_an_error_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    # In a container with a random user ID, for example, the home directory is unknown.
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(
        OperatorError, match="home directory is unknown: set TAPSTACK_CACHE to the path of the cache folder"
    ):
        cache_folder(variables)


def test_unwritable_cache_folder_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    (cache.folder / "snapshot-1").mkdir()
    full = OSError(30, "Read-only file system")
    with (
        mock.patch("tempfile.mkdtemp", side_effect=full),
        pytest.raises(
            OperatorError, match=r"Read-only file system\. Set TAPSTACK_CACHE to a folder that you can write to"
        ),
        cache.temporary(),
    ):
        pass
    with (
        mock.patch("shutil.rmtree", side_effect=full),
        pytest.raises(OperatorError, match=f"cannot delete the files in {cache.folder}: Read-only file system"),
    ):
        cache.clear()


def test_cache_folder_deleted_by_cache_clear_during_a_run_is_an_error_with_its_path(tmp_path: Path) -> None:
    export, cache = write_export(tmp_path / "export", ROWS), Cache(tmp_path / "cache")

    def write_and_clear(*arguments: Any) -> None:
        write_relation(*arguments)
        cache.clear()

    patch = mock.patch("operations.analytics.snapshot.write_relation", write_and_clear)
    error = pytest.raises(OperatorError, match=f"cannot write to the cache folder {cache.folder}: No such file")
    with patch, Engine(spill=tmp_path) as engine, error:
        cache.load(export, engine, source="path")
