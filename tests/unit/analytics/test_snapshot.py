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
from operations.analytics.snapshot import Cache, Snapshot
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


def test_cache_folder_deleted_by_cache_clear_during_a_run_is_an_error_with_its_path(tmp_path: Path) -> None:
    export, cache = write_export(tmp_path / "export", ROWS), Cache(tmp_path / "cache")

    def write_and_clear(*arguments: Any) -> None:
        write_relation(*arguments)
        cache.clear()

    patch = mock.patch("operations.analytics.snapshot.write_relation", write_and_clear)
    error = pytest.raises(OperatorError, match=f"cannot write to the cache folder {cache.folder}: No such file")
    with patch, Engine(spill=tmp_path) as engine, error:
        cache.load(export, engine, source="path")
