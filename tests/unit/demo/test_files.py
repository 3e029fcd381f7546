from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from localstack.showcase.demo import files
from localstack.showcase.demo.files import Problem, Source, content_type, find


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)


def keys(*paths: str) -> list[str]:
    sources, problems = find([Path(path) for path in paths])
    assert problems == []
    return [source.key for source in sources]


def problems(*paths: str) -> list[tuple[str, str]]:
    return [(str(each.path), each.reason) for each in find([Path(path) for path in paths])[1]]


def test_a_file_has_its_name_as_key() -> None:
    make("some/where/lake.jpg")
    assert find([Path("some/where/lake.jpg")]) == (
        [Source(path=Path("some/where/lake.jpg"), key="lake.jpg", content_type="image/jpeg")],
        [],
    )


def test_a_folder_keeps_its_own_name_in_front_and_nothing_above_it() -> None:
    make("home/photos/lake.jpg", "home/photos/2026/june/boat.jpg")
    assert keys("home/photos") == ["photos/2026/june/boat.jpg", "photos/lake.jpg"]


@pytest.mark.parametrize("path", ["photos/", "./photos", "photos/../photos/.", "photos/sub/.."])
def test_a_folder_is_called_the_same_however_it_is_spelt(path: str) -> None:
    make("photos/a.txt", "photos/sub/b.txt")
    assert keys(path) == ["photos/a.txt", "photos/sub/b.txt"]


def test_the_working_folder_and_the_one_above_are_called_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("photos/2026/a.txt")
    monkeypatch.chdir(tmp_path / "photos" / "2026")
    assert keys(".") == ["2026/a.txt"]
    assert keys("..") == ["photos/2026/a.txt"]


def test_a_folder_is_walked_in_the_order_of_names_with_hidden_files() -> None:
    make("f/b", "f/a/z", "f/a/y", "f/c", "f/.hidden/x")
    assert keys("f") == ["f/.hidden/x", "f/a/y", "f/a/z", "f/b", "f/c"]


def test_the_given_order_of_paths_is_kept_and_a_path_given_twice_counts_once() -> None:
    make("b", "a", "f/x")
    assert keys("b", "a", "f", "b", "./f") == ["b", "a", "f/x"]


def test_what_symbolic_links_point_to_is_taken_under_the_links_name() -> None:
    make("store/real.txt", "elsewhere/deep.txt")
    Path("store/link.txt").symlink_to("real.txt")
    Path("store/folder").symlink_to("../elsewhere")
    Path("latest").symlink_to("store")
    assert keys("latest") == ["latest/folder/deep.txt", "latest/link.txt", "latest/real.txt"]


def test_a_link_back_to_a_folder_above_is_named_and_not_followed() -> None:
    make("f/sub/a")
    Path("f/sub/up").symlink_to("..")
    assert [source.key for source in find([Path("f")])[0]] == ["f/sub/a"]
    assert problems("f") == [("f/sub/up", "leads back to a folder that it is in")]


def test_a_missing_path_is_named_and_the_others_are_taken() -> None:
    make("a")
    sources, missing = find([Path("nope"), Path("a"), Path("a/b")])
    assert [source.key for source in sources] == ["a"]
    assert missing == [
        Problem(path=Path("nope"), reason="does not exist"),
        Problem(path=Path("a/b"), reason="cannot be read: Not a directory"),
    ]


def test_a_broken_link_is_named() -> None:
    Path("link").symlink_to("nowhere")
    assert problems("link") == [("link", "points to nothing")]


def test_an_empty_folder_is_named_even_if_it_has_empty_folders_in_it() -> None:
    Path("f/g/h").mkdir(parents=True)
    assert problems("f") == [("f", "is a folder without any file in it")]


def test_an_empty_folder_among_files_is_no_problem() -> None:
    make("f/a")
    Path("f/empty").mkdir()
    assert keys("f") == ["f/a"]


def test_a_folder_that_may_not_be_listed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    make("f/a", "f/secret/b")
    listed = Path.iterdir

    def iterdir(self: Path) -> object:
        if self.name == "secret":
            raise PermissionError(13, "Permission denied")
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)  # root, as which containers run, may list every real one
    assert problems("f") == [("f/secret", "cannot be read: Permission denied")]


def test_what_is_neither_file_nor_folder_is_named_and_never_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert problems("pipe", "socket", "/dev/null") == [
            ("pipe", "is a pipe, not a file"),
            ("socket", "is a socket, not a file"),
            ("/dev/null", "is a device, not a file"),
        ]
    monkeypatch.undo()


def test_two_files_with_one_key_are_not_laid_over_each_other() -> None:
    make("x/photos/a.txt", "y/photos/a.txt", "y/photos/b.txt")
    sources, collisions = find([Path("x/photos"), Path("y/photos")])
    assert [str(source.path) for source in sources] == ["x/photos/a.txt", "y/photos/b.txt"]
    reason = "would have the same key as 'x/photos/a.txt', 'photos/a.txt': give a folder that holds both"
    assert collisions == [Problem(path=Path("y/photos/a.txt"), reason=reason)]


def test_a_name_that_is_not_utf_8_is_named_with_the_remedy() -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    Path("f").mkdir()
    (Path("f") / name).write_text("")
    assert problems("f") == [(f"f/{name}", "has a name that is not UTF-8, which S3 keys must be: rename it")]


def test_a_key_may_have_1024_bytes_of_utf_8_and_not_one_more() -> None:
    folder = Path("f") / ("é" * 120) / ("é" * 120) / ("é" * 120) / ("é" * 120)  # 2 + 4 * 240 + 3 bytes
    folder.mkdir(parents=True)
    (folder / ("x" * 58)).write_text("")
    assert len(keys("f")[0].encode()) == 1024
    (folder / ("y" * 59)).write_text("")
    (path, reason), *more = problems("f")
    assert path.endswith("y" * 59)
    assert reason == "would have a key of 1025 bytes, and S3 takes 1024: give a folder further down"
    assert more == []


def test_a_file_too_large_for_one_upload_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PUT_BYTES", 4)
    make("four", "fifth")
    assert keys("four") == ["four"]
    assert problems("fifth") == [("fifth", "has 5 bytes; one upload takes 4 (5 GiB) at most")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lake.jpg", "image/jpeg"),
        ("LAKE.JPG", "image/jpeg"),
        ("week.tar.gz", "application/x-tar"),
        ("readings.csv", "text/csv"),
        ("観測メモ.txt", "text/plain"),
        ("README", None),
        ("file.unheard-of", None),
    ],
)
def test_the_content_type_is_the_one_the_aws_cli_guesses(name: str, expected: str | None) -> None:
    assert content_type(name) == expected
