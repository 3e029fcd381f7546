from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

from operations import digests
from operations.digests import SIZE, Digests

if TYPE_CHECKING:
    import pytest


def test_digest_set_contains_exactly_the_added_versions() -> None:
    listed = Digests()
    keys = [f"b/{number}" for number in range(20_000)]
    for key in keys:
        listed.add(key, "v1")
    assert [key for key in keys if (key, "v1") not in listed or (key, "v2") in listed] == []
    # Without a separator, the pairs ("b/a", "1v") and ("b/a1", "v") would have equal digests.
    listed.add("b/a", "1v")
    assert ("b/a1", "v") not in listed
    assert ("b/", "a1v") not in listed


def test_digest_set_does_not_match_bytes_across_two_adjacent_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest `across` consists of the end of the digest `first` and the beginning of the digest `second`."""
    first, second = bytes(range(SIZE)), bytes(range(SIZE, 2 * SIZE))
    across = (first + second)[4 : 4 + SIZE]
    made_up = {"first": first, "second": second, "across": across}
    monkeypatch.setattr(digests, "_digest", lambda object_id, _: made_up[object_id])
    monkeypatch.setattr(digests, "_BINS", 1)
    listed = Digests()
    listed.add("first", "")
    listed.add("second", "")
    assert ("across", "") not in listed
    listed.add("across", "")
    assert ("across", "") in listed


def test_digest_set_uses_less_than_32_bytes_per_version() -> None:
    tracemalloc.start()
    try:
        listed = Digests()
        empty, _ = tracemalloc.get_traced_memory()
        for number in range(50_000):
            listed.add(f"b/{number}", "v")
        full, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert ("b/5", "v") in listed
    assert (full - empty) / 50_000 < 2 * SIZE
