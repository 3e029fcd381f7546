"""Tests of the size limit of manifests, and of temporary files that only the user can read."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest

from operations.errors import OperatorError
from operations.local_files import read_limited, unfinished_file


def test_manifest_larger_than_the_size_limit_is_an_error_with_path_and_limit() -> None:
    assert read_limited(io.BytesIO(b"12345"), "s3://b/manifest.json", limit=5) == b"12345"
    with pytest.raises(OperatorError, match=r"s3://b/manifest\.json is damaged: it has more than 5 bytes"):
        read_limited(io.BytesIO(b"123456"), "s3://b/manifest.json", limit=5)


@pytest.mark.parametrize("name", ["report.html", "ä" * 127])
def test_unfinished_file_is_private_and_unique_and_deleted_on_exit(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with unfinished_file(path) as first, unfinished_file(path) as second:
        assert first != second
        assert first.parent == second.parent == tmp_path
        assert stat.S_IMODE(first.stat().st_mode) == 0o600
        first.rename(path)
    assert list(tmp_path.iterdir()) == [path]
