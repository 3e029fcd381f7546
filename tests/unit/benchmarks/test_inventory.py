"""Tests that the inventory benchmarks find every kind of difference that they generate."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import inventory, inventory_audit
from benchmarks.inventory import KINDS

VERSIONS = 600


@pytest.mark.slow
def test_inventory_benchmarks_find_exactly_the_planted_differences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory_audit, "PER_FILE", VERSIONS // 2)
    inventory.write(tmp_path, VERSIONS)
    inventory_audit.write(tmp_path)
    capsys.readouterr()
    inventory.compare(tmp_path, "400MB")
    inventory_audit.run(tmp_path, "400MB")
    result = f"planted: {len(KINDS)}, found: {len(KINDS)}, false: 0"
    assert capsys.readouterr().out.splitlines().count(result) == 2
    assert [len(list(tmp_path.rglob(f"data/*.{each}"))) for each in ("parquet", "json.gz")] == [2, 2]
    monkeypatch.setattr(inventory_audit.State, "head", lambda *_: None)
    with pytest.raises(SystemExit, match=r"'encryption' of version number 120 was reported 0 times"):
        inventory_audit.run(tmp_path, "400MB")
