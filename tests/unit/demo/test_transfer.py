from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError

from localstack.showcase.demo.files import Problem, Source
from localstack.showcase.demo.transfer import OVERDUE, ROWS_PER_MORE, Transfer, transfer
from tests.unit.demo.fakes import Clock, refusal, source

if TYPE_CHECKING:
    from localstack.showcase.demo.store import Upload


class Place:
    """Takes everything and shows each row after it has been asked `looks` times for it."""

    def __init__(self, clock: Clock, *, looks: int = 1, lost: frozenset[str] = frozenset()) -> None:
        self.clock, self.looks, self.lost = clock, looks, lost
        self.asked: dict[str, int] = {}
        self.outstanding: list[int] = []
        self.puts = self.seen = 0
        self.lock = threading.Lock()

    def put(self, source: Source) -> str:
        with self.lock:
            self.puts += 1
            self.outstanding.append(self.puts - self.seen)
        return f"version of {source.key}"

    def rows(self, uploads: Sequence[Upload]) -> Iterator[tuple[Upload, dict[str, Any]]]:
        assert uploads
        for upload in uploads:
            key = upload.source.key
            self.asked[key] = self.asked.get(key, 0) + 1
            if key not in self.lost and self.asked[key] >= self.looks:
                with self.lock:
                    self.seen += 1
                yield upload, {"key": key}

    def differences(self, upload: Upload, item: Mapping[str, Any]) -> tuple[str, ...]:
        assert item == {"key": upload.source.key}
        return ("wrong",) if upload.source.key == "wrong" else ()


def sources(*keys: str) -> list[Source]:
    return [source(key) for key in keys]


def run(place: Place, given: Sequence[Source], **options: Any) -> Transfer:
    watched = {"on_upload": lambda: None, "on_row": lambda: None, "clock": place.clock, "sleep": place.clock.sleep}
    return transfer(given, place, **{**watched, **options})


def test_every_file_gets_its_row_in_the_order_of_the_files() -> None:
    place = Place(Clock(), looks=3)
    transferred = run(place, sources("c", "a", "b"))
    assert [row.upload.source.key for row in transferred.rows] == ["c", "a", "b"]
    assert [row.upload.version_id for row in transferred.rows] == ["version of c", "version of a", "version of b"]
    assert (transferred.missing, transferred.unreadable, transferred.refused, transferred.not_tried) == ((), (), (), 0)


def test_no_file_means_no_row_and_no_look() -> None:
    place = Place(Clock())
    assert run(place, []) == Transfer(rows=())
    assert place.asked == {}


def test_a_latency_is_the_time_from_the_end_of_the_upload_until_the_row_was_seen() -> None:
    clock = Clock()
    (row,) = run(Place(clock, looks=20), sources("a")).rows
    assert row.seconds == pytest.approx(clock.now - row.upload.finished)
    assert row.seconds > 0


def test_what_differs_from_head_stays_with_its_row() -> None:
    transferred = run(Place(Clock()), sources("right", "wrong"))
    assert [row.differences for row in transferred.rows] == [(), ("wrong",)]


def test_no_more_uploads_are_in_flight_than_allowed_and_only_one_before_the_first_row() -> None:
    place = Place(Clock(), looks=2)
    keys = [f"{number:03}" for number in range(10 * ROWS_PER_MORE)]
    assert len(run(place, sources(*keys), in_flight=3).rows) == len(keys)
    assert max(place.outstanding[:ROWS_PER_MORE]) == 1
    assert max(place.outstanding) == 3


def test_a_row_that_never_comes_is_given_up_after_the_patience_and_named() -> None:
    place = Place(Clock(), lost=frozenset({"b"}))
    began = place.clock.now
    transferred = run(place, sources("a", "b"), timeout=30)
    assert [upload.source.key for upload in transferred.missing] == ["b"]
    assert [row.upload.source.key for row in transferred.rows] == ["a"]
    assert 30 < place.clock.now - began < 31


def test_once_rows_stop_coming_the_rest_is_not_even_uploaded() -> None:
    transferred = run(Place(Clock(), lost=frozenset("abcdefghij")), sources(*"abcdefghij"), timeout=3 * OVERDUE)
    assert [upload.source.key for upload in transferred.missing] == ["a", "b", "c", "d"][: len(transferred.missing)]
    assert 2 <= len(transferred.missing) <= 4
    assert transferred.not_tried == 10 - len(transferred.missing)


def test_a_row_that_is_long_overdue_does_not_keep_other_files_from_becoming_rows() -> None:
    place = Place(Clock(), lost=frozenset({"a"}))
    transferred = run(place, sources("a", "b", "c"), timeout=2 * OVERDUE)
    assert [row.upload.source.key for row in transferred.rows] == ["b", "c"]
    assert [upload.source.key for upload in transferred.missing] == ["a"]
    assert transferred.not_tried == 0


def test_an_upload_that_ends_after_the_rest_was_given_up_is_counted_too() -> None:
    """Its row is not waited for any more, but no file may vanish from the report."""

    class Slow(Place):
        looked_at_the_clock = threading.Event()

        def put(self, source: Source) -> str:
            if source.key == "slow":
                self.clock.sleep(1000)
                self.looked_at_the_clock.wait(10)
            return super().put(source)

    place = Slow(Clock(), lost=frozenset({"lost", "slow"}))

    def clock() -> float:
        if place.clock.now > 2000 and threading.current_thread() is threading.main_thread():
            place.looked_at_the_clock.set()
        return place.clock.now

    transferred = run(place, sources("lost", "slow"), clock=clock, timeout=2 * OVERDUE)
    assert sorted(upload.source.key for upload in transferred.missing) == ["lost", "slow"]


def test_a_row_that_comes_late_is_waited_for_as_long_as_anything_comes() -> None:
    """The patience counts from the last event, not from the beginning."""
    place = Place(Clock(), looks=60)
    keys = [str(number) for number in range(8)]
    began = place.clock.now
    assert len(run(place, sources(*keys), timeout=4).rows) == 8
    assert place.clock.now - began > 8


class Failing(Place):
    def put(self, source: Source) -> str:
        match source.key:
            case "secret":
                raise PermissionError(13, "Permission denied", "given/secret")
            case "refused":
                raise refusal("AccessDenied", "PutObject")
            case "unreachable":
                raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return super().put(source)


def test_a_file_that_cannot_be_read_is_named_and_the_others_go_on() -> None:
    transferred = run(Failing(Clock()), sources("secret", "a"))
    assert transferred.unreadable == (Problem(path=Path("given/secret"), reason="cannot be read: Permission denied"),)
    assert [row.upload.source.key for row in transferred.rows] == ["a"]
    assert transferred.refused == ()


def test_what_s3_refuses_is_told_apart_from_what_cannot_be_read() -> None:
    transferred = run(Failing(Clock()), sources("refused", "unreachable", "a"))
    assert transferred.unreadable == ()
    assert [str(each.path) for each in transferred.refused] == ["given/refused", "given/unreachable"]
    assert "AccessDenied" in transferred.refused[0].reason
    assert [row.upload.source.key for row in transferred.rows] == ["a"]


def test_each_upload_and_each_row_is_reported_once() -> None:
    reported: list[str] = []
    given = sources("a", "secret", "refused", "b")
    run(Failing(Clock()), given, on_upload=lambda: reported.append("upload"), on_row=lambda: reported.append("row"))
    assert (reported.count("upload"), reported.count("row")) == (4, 2)


def test_a_mistake_of_our_own_in_an_upload_is_not_taken_for_a_refusal() -> None:
    class Broken(Place):
        def put(self, source: Source) -> str:
            raise KeyError(source.key)

    with pytest.raises(KeyError):
        run(Broken(Clock()), sources("a"))
