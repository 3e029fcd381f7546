from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from localstack.showcase.demo.files import Source, content_type, find

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _empty_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(*paths: str) -> None:
    """Create the given files and folders. The content of a file is its path. Paths of folders end in a slash."""
    for path in paths:
        Path(path if path.endswith("/") else Path(path).parent).mkdir(parents=True, exist_ok=True)
        if not path.endswith("/"):
            Path(path).write_text(path)


def keys(*paths: str) -> list[str]:
    sources, problems = find([Path(path) for path in paths])
    assert problems == []
    return [source.key for source in sources]


def problems(*paths: str) -> list[tuple[str, str]]:
    return [(str(each.path), each.reason) for each in find([Path(path) for path in paths])[1]]


def test_demo_uploads_a_single_file_with_its_name_as_key() -> None:
    make("some/where/lake.jpg")
    source = Source(path=Path("some/where/lake.jpg"), key="lake.jpg", content_type="image/jpeg")
    assert find([source.path]) == ([source], [])


@pytest.mark.parametrize(
    ("existing", "paths", "expected"),
    [
        # Keys begin with the name of the folder, without its parent folders.
        (
            "home/photos/lake.jpg home/photos/2026/june/boat.jpg",
            "home/photos",
            "photos/2026/june/boat.jpg photos/lake.jpg",
        ),
        # The files of a folder are sorted by name. Hidden files are included.
        ("f/b f/a/z f/a/y f/c f/.hidden/x", "f", "f/.hidden/x f/a/y f/a/z f/b f/c"),
        # Files are in the order of the command-line arguments. Repeated arguments are ignored.
        ("b a f/x", "b a f b ./f", "b a f/x"),
        # An empty subfolder is ignored.
        ("f/a f/empty/", "f", "f/a"),
        # Different spellings of a folder's path result in the same keys.
        *(
            ("photos/a.txt photos/sub/b.txt", spelling, "photos/a.txt photos/sub/b.txt")
            for spelling in ("photos/", "./photos", "photos/../photos/.", "photos/sub/..")
        ),
    ],
)
def test_demo_uploads_files_of_a_folder_with_its_name_as_key_prefix(existing: str, paths: str, expected: str) -> None:
    make(*existing.split())
    assert keys(*paths.split()) == expected.split()


def test_demo_replaces_dot_paths_by_folder_names_in_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    make("photos/2026/a.txt")
    monkeypatch.chdir("photos/2026")
    assert (keys("."), keys("..")) == (["2026/a.txt"], ["photos/2026/a.txt"])


def test_demo_uploads_targets_of_symbolic_links_with_the_name_of_the_link() -> None:
    make("store/real.txt", "elsewhere/deep.txt")
    for link, target in (("store/link.txt", "real.txt"), ("store/folder", "../elsewhere"), ("latest", "store")):
        Path(link).symlink_to(target)
    assert keys("latest") == ["latest/folder/deep.txt", "latest/link.txt", "latest/real.txt"]


def test_demo_reports_paths_without_files_and_uploads_the_others() -> None:
    make("a", "f/sub/b", "g/h/i/")
    Path("f/sub/up").symlink_to("..")
    Path("link").symlink_to("nowhere")
    paths = ["nope", "a", "a/c", "f", "g", "link"]
    assert [source.key for source in find([Path(path) for path in paths])[0]] == ["a", "f/sub/b"]
    assert problems(*paths) == [
        ("nope", "the path does not exist"),
        ("a/c", "the path cannot be read: Not a directory"),
        ("f/sub/up", "the symbolic link points to one of its parent folders"),
        ("g", "the folder contains no files"),
        ("link", "the target of the symbolic link does not exist"),
    ]


def test_demo_reports_a_folder_without_read_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    make("f/a", "f/secret/b")
    listed = Path.iterdir

    def iterdir(self: Path) -> object:
        if self.name == "secret":
            raise PermissionError(13, "Permission denied")
        return listed(self)

    # The error must be simulated, because root can list every folder.
    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert problems("f") == [("f/secret", "the path cannot be read: Permission denied")]


def test_demo_reports_pipes_sockets_and_devices_without_opening_them() -> None:
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert problems("pipe", "socket", "/dev/null") == [
            ("pipe", "the path is a pipe, not a file"),
            ("socket", "the path is a socket, not a file"),
            ("/dev/null", "the path is a device, not a file"),
        ]


def test_demo_reports_a_second_file_with_the_same_key() -> None:
    make("x/photos/a.txt", "y/photos/a.txt", "y/photos/b.txt")
    sources, collisions = find([Path("x/photos"), Path("y/photos")])
    assert [str(source.path) for source in sources] == ["x/photos/a.txt", "y/photos/b.txt"]
    same_key = "the file would have the same object key 'photos/a.txt' as 'x/photos/a.txt'"
    reason = f"{same_key}: specify a folder that contains both"
    assert [(str(each.path), each.reason) for each in collisions] == [("y/photos/a.txt", reason)]


def test_demo_reports_a_file_name_that_is_not_utf_8_with_a_remedy() -> None:
    path = os.fsdecode(b"f/caf\xe9.txt")
    Path("f").mkdir()
    Path(path).touch()
    assert problems("f") == [(path, "the file name is not valid UTF-8, which S3 requires: rename the file")]


def test_demo_keys_contain_the_utf_8_text_of_file_names_in_any_locale() -> None:
    make("f/観測 é.txt")
    Path(os.fsdecode(b"f/caf\xe9.txt")).touch()
    program = (
        "import sys; from pathlib import Path; from localstack.showcase.demo.files import find\n"
        "assert sys.getfilesystemencoding() == 'ascii'\n"
        "sources, problems = find([Path('f')])\n"
        "print(ascii([(each.key, each.content_type) for each in sources]), ascii([each.reason for each in problems]))"
    )
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(  # noqa: S603  our own command, no shell
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    )
    reason = "the file name is not valid UTF-8, which S3 requires: rename the file"
    assert done.stdout == f"{[('f/観測 é.txt', 'text/plain')]!a} {[reason]}\n"


def test_demo_reports_a_collision_with_a_file_that_was_deleted_in_the_meantime(monkeypatch: pytest.MonkeyPatch) -> None:
    def samefile(*_: object) -> bool:
        raise FileNotFoundError

    make("x/a", "y/a")
    monkeypatch.setattr(Path, "samefile", samefile)
    assert [path for path, _ in problems("x/a", "y/a")] == ["y/a"]


def test_demo_rejects_a_key_of_more_than_1024_bytes() -> None:
    folder = "f" + 4 * f"/{'é' * 120}"  # The folder path has 1 + 4 * 241 bytes.
    make(f"{folder}/{'x' * 58}")
    assert len(keys("f")[0].encode()) == 1024
    make(f"{folder}/{'y' * 59}")
    reason = "the object key would have 1025 bytes; the maximum of S3 is 1024: specify a subfolder"
    assert problems("f") == [(f"{folder}/{'y' * 59}", reason)]


def test_demo_reports_a_file_that_is_too_large_for_one_upload() -> None:
    make("largest", "larger")
    os.truncate("largest", 5 * 1024**3)  # The files are sparse, so they use no disk space.
    os.truncate("larger", 5 * 1024**3 + 1)
    assert keys("largest") == ["largest"]
    reason = "the file has 5368709121 bytes; the maximum of one upload is 5368709120 (5 GiB)"
    assert problems("larger") == [("larger", reason)]


def test_demo_guesses_the_same_content_type_as_the_aws_cli() -> None:
    expected = {
        "lake.jpg": "image/jpeg",
        "LAKE.JPG": "image/jpeg",
        "week.tar.gz": "application/x-tar",
        "readings.csv": "text/csv",
        "観測メモ.txt": "text/plain",
        "README": None,
        "file.unheard-of": None,
    }
    assert {name: content_type(name) for name in expected} == expected
