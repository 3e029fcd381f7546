from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from localstack.showcase.demo.files import Problem, Source
from localstack.showcase.demo.store import Store, Upload
from localstack.showcase.demo.transfer import OVERDUE, ROWS_PER_MORE, Transfer, transfer
from tests.support.clock import FakeClock
from tests.support.demo_fakes import client_error, source

ERRORS = {
    "secret": PermissionError(13, "Permission denied", "given/secret"),
    "refused": client_error("AccessDenied", "PutObject"),
    "unreachable": EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
    "mistake": KeyError("a mistake of our own"),
}


class FakeStore(Store):
    """Returns each row at the `reads`-th read; never the rows of `lost` keys. Uploads of the keys of `ERRORS` fail."""

    def __init__(self, *, reads: int = 1, lost: str = "") -> None:
        self.clock, self.first_row_at, self.lost = FakeClock(1000), reads, lost.split()
        self.reads: dict[str, int] = {}
        self.outstanding: list[int] = []
        self.puts = self.found = 0
        self.lock = threading.Lock()

    def put(self, source: Source) -> str:
        if error := ERRORS.get(source.key):
            raise error
        with self.lock:
            self.puts += 1
            self.outstanding.append(self.puts - self.found)
        return f"version of {source.key}"

    def rows(self, uploads: Sequence[Upload]) -> Iterator[tuple[Upload, dict[str, Any]]]:
        assert uploads
        for upload in uploads:
            key = upload.source.key
            self.reads[key] = self.reads.get(key, 0) + 1
            if key not in self.lost and self.reads[key] >= self.first_row_at:
                with self.lock:
                    self.found += 1
                yield upload, {"key": key}

    def differences(self, upload: Upload, item: Mapping[str, Any]) -> tuple[str, ...]:
        assert item == {"key": upload.source.key}
        return ("wrong",) if upload.source.key == "wrong" else ()


def run(store: FakeStore, keys: str, **options: Any) -> Transfer:
    defaults = {"on_upload": lambda: None, "on_row": lambda: None, "clock": store.clock, "sleep": store.clock.sleep}
    return transfer([source(key) for key in keys.split()], store, **{**defaults, **options})


def row_keys(result: Transfer) -> list[str]:
    return [row.upload.source.key for row in result.rows]


def missing_keys(result: Transfer) -> list[str]:
    return [upload.source.key for upload in result.missing]


def test_every_file_gets_its_row_in_the_order_of_the_files() -> None:
    result = run(FakeStore(reads=3), "c wrong b")
    assert row_keys(result) == ["c", "wrong", "b"]
    assert [row.upload.version_id for row in result.rows] == ["version of c", "version of wrong", "version of b"]
    assert [row.differences for row in result.rows] == [(), ("wrong",), ()]
    assert (result.missing, result.unreadable, result.refused, result.not_tried) == ((), (), (), 0)


def test_no_file_means_no_row_and_no_look() -> None:
    store = FakeStore()
    assert run(store, "") == Transfer(rows=())
    assert store.reads == {}


def test_a_latency_is_the_time_from_the_end_of_the_upload_until_the_row_was_seen() -> None:
    store = FakeStore(reads=20)
    (row,) = run(store, "a").rows
    assert row.seconds == pytest.approx(store.clock.now - row.upload.finished)
    assert row.seconds > 0


def test_no_more_uploads_are_in_flight_than_allowed_and_only_one_before_the_first_row() -> None:
    store, files = FakeStore(reads=2), 10 * ROWS_PER_MORE
    assert len(run(store, " ".join(f"{number:03}" for number in range(files)), in_flight=3).rows) == files
    assert max(store.outstanding[:ROWS_PER_MORE]) == 1
    assert max(store.outstanding) == 3


def test_a_row_that_never_comes_is_given_up_after_the_patience_and_named() -> None:
    store = FakeStore(lost="b")
    result = run(store, "a b", timeout=30)
    assert (missing_keys(result), row_keys(result)) == (["b"], ["a"])
    assert 1030 < store.clock.now < 1031


def test_once_rows_stop_coming_the_rest_is_not_even_uploaded() -> None:
    keys = "a b c d e f g h i j"
    result = run(FakeStore(lost=keys), keys, timeout=3 * OVERDUE)
    assert missing_keys(result) == keys.split()[: len(result.missing)]
    assert 2 <= len(result.missing) <= 4
    assert result.not_tried == 10 - len(result.missing)


def test_a_row_that_is_long_overdue_does_not_keep_other_files_from_becoming_rows() -> None:
    result = run(FakeStore(lost="a"), "a b c", timeout=2 * OVERDUE)
    assert (row_keys(result), missing_keys(result), result.not_tried) == (["b", "c"], ["a"], 0)


def test_an_upload_that_ends_after_the_rest_was_given_up_is_counted_too() -> None:
    """The transfer no longer waits for its row, but the report has every file."""

    class Slow(FakeStore):
        timed_out = threading.Event()

        def put(self, source: Source) -> str:
            if source.key == "slow":
                self.clock.advance(1000)
                self.timed_out.wait(10)
            return super().put(source)

    store = Slow(lost="lost slow")

    def clock() -> float:
        if store.clock.now > 2000 and threading.current_thread() is threading.main_thread():
            store.timed_out.set()
        return store.clock.now

    assert sorted(missing_keys(run(store, "lost slow", clock=clock, timeout=2 * OVERDUE))) == ["lost", "slow"]


def test_a_row_that_comes_late_is_waited_for_as_long_as_anything_comes() -> None:
    """The timeout starts again with each row."""
    store = FakeStore(reads=60, lost="lost")
    assert len(run(store, "lost 0 1 2 3 4 5 6 7", timeout=2 * OVERDUE).rows) == 8
    assert store.clock.now > 1000 + 4 * OVERDUE


def test_a_file_that_cannot_be_read_is_told_apart_from_an_upload_that_fails_and_the_others_go_on() -> None:
    result = run(FakeStore(), "secret refused unreachable a")
    assert result.unreadable == (Problem(path=Path("given/secret"), reason="cannot be read: Permission denied"),)
    assert [str(each.path) for each in result.refused] == ["given/refused", "given/unreachable"]
    assert "AccessDenied" in result.refused[0].reason
    assert row_keys(result) == ["a"]


def test_each_upload_and_each_row_is_reported_once() -> None:
    reported: list[str] = []
    run(
        FakeStore(),
        "a secret refused b",
        on_upload=lambda: reported.append("upload"),
        on_row=lambda: reported.append("row"),
    )
    assert (reported.count("upload"), reported.count("row")) == (4, 2)


def test_a_mistake_of_our_own_in_an_upload_is_not_taken_for_a_refusal() -> None:
    with pytest.raises(KeyError):
        run(FakeStore(), "mistake")
