"""Tests of the child process that parses files: protocol, limits, failures and restart."""

from __future__ import annotations

import io
import os
import signal
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector import child
from inspector.reader import BLOCK
from inspector.sandbox import Sandbox, SandboxError
from tests.support.clock import FakeClock
from tests.support.content_samples import sample
from tests.support.ranged import fetcher

if TYPE_CHECKING:
    from collections.abc import Iterator

PNG = sample("plain.png")
PNG_CONTENT = {"type": "image/png", "width": 40, "height": 30}
# Child processes without parsers start fast. Each program sends its first message, and receives the size of a file.
START = """import json, os, sys, time
def send(message):
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    os.write(0, len(data).to_bytes(4, "big") + data)
send({"ready": True})
size = os.read(0, 8)
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """Sandbox with a real child process, which the tests of this module share."""
    with Sandbox(file_seconds=600) as sandbox:
        yield sandbox


def process_id(sandbox: Sandbox) -> int:
    assert sandbox._child
    return sandbox._child._process.pid


def has_ended(process: int) -> bool:
    """Return whether a child process has ended and its status was read, so that no zombie process remains."""
    return not Path(f"/proc/{process}").exists()


def describe(program: str, data: bytes = b"abc", *, seconds: float = 600) -> dict[str, str | int]:
    with Sandbox(program=START + program, file_seconds=seconds) as sandbox:
        return sandbox.describe(fetcher(data), size=len(data))


def test_one_child_process_describes_several_files(shared: Sandbox) -> None:
    assert shared.describe(fetcher(PNG), size=len(PNG)) == PNG_CONTENT
    process = process_id(shared)
    assert shared.describe(fetcher(b""), size=0) == {"type": "application/x-empty"}
    damaged = PNG[:16] + bytes(8) + PNG[24:]
    assert shared.describe(fetcher(damaged), size=len(damaged)) == {"type": "image/png", "error": "damaged"}
    assert shared.describe(fetcher(PNG), size=len(PNG)) == PNG_CONTENT
    assert process_id(shared) == process


def test_long_row_of_digits_in_a_tar_archive_does_not_exceed_the_limit_of_the_cpu_time(shared: Sandbox) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("a")
        member.pax_headers = {"comment": "1" * 600_000}
        tar.addfile(member)
    data = archive.getvalue()
    assert shared.describe(fetcher(data), size=len(data)) == {"type": "application/x-tar", "entries": 1}


def test_child_process_has_no_environment_and_limits(shared: Sandbox) -> None:
    shared.start()
    folder = Path(f"/proc/{process_id(shared)}")
    assert [name for name in (folder / "environ").read_bytes().split(b"\0") if name] == [
        f"LD_LIBRARY_PATH={sys.base_prefix}/lib".encode()
    ]
    lines = (folder / "limits").read_text().splitlines()
    limits = {line[:26].strip(): line[26:].split()[0] for line in lines}
    assert limits["Max address space"] == str(256 * 1024 * 1024)
    assert (limits["Max file size"], limits["Max core file size"], limits["Max processes"]) == ("0", "0", "0")
    assert limits["Max open files"] == "16"
    assert sorted(str(each.readlink()).partition(":")[0] for each in (folder / "fd").iterdir()) == [
        *("/dev/null", "/dev/null", "socket")
    ]


def test_exception_of_a_request_is_raised_unchanged_and_the_next_file_succeeds(shared: Sandbox) -> None:
    error = ConnectionError("no connection")

    def fail(_offset: int, _length: int) -> bytes:
        raise error

    shared.start()
    process = process_id(shared)
    with pytest.raises(ConnectionError) as raised:
        shared.describe(fail, size=10)
    assert raised.value is error
    assert has_ended(process)
    assert shared.describe(fetcher(PNG), size=len(PNG)) == PNG_CONTENT


def test_killed_child_process_is_replaced_and_its_file_keeps_the_type() -> None:
    reads = []

    with Sandbox(file_seconds=600) as sandbox:

        def fetch(offset: int, length: int) -> bytes:
            reads.append(offset)
            if len(reads) == 2:  # the second range, for the details
                os.kill(process_id(sandbox), signal.SIGKILL)
            return data[offset : offset + length]

        data = sample("baseline.jpg")
        segment = b"\xff\xe2\xff\xff" + bytes(0xFFFD)
        data = data[:2] + segment * 3 + data[2:]
        assert sandbox.describe(fetch, size=len(data)) == {"type": "image/jpeg", "error": "limit"}
        assert reads == [0, BLOCK]
        assert sandbox.describe(fetcher(PNG), size=len(PNG)) == PNG_CONTENT


def test_child_process_that_ended_between_two_files_is_replaced_without_effect_on_the_next_file() -> None:
    with Sandbox(file_seconds=600) as sandbox:
        sandbox.start()
        process = process_id(sandbox)
        os.kill(process, signal.SIGKILL)
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
        assert sandbox.describe(fetcher(PNG), size=len(PNG)) == PNG_CONTENT
        assert has_ended(process)


@pytest.mark.parametrize(
    "program",
    [
        "sys.exit(3)",
        "os.kill(os.getpid(), 11)",
        "send(b'no JSON')",
        r"send(b'\xff')",
        "send(b'[' * 60000)",
        "os.write(0, bytes([255]) * 4)",
        "send({'content': {'author': 'Ada'}})",
        "send({'content': 3})",
        "send({'partial': {'type': 3}})",
        "send({'read': [0, 4]})",
        "send({'read': [-1, 2]})",
        "send({'read': [0, 0]})",
        "send({'read': ['0', 1]})",
        "send({'read': [False, True]})",
        r"send({'content': {'type': '\ud800'}})",
        "send({'other': 1})",
        "os.write(0, b'ab')",
        "[(send({'read': [0, 1]}), os.read(0, 9)) for _ in range(13)]",  # one request more than permitted
    ],
)
def test_child_process_that_violates_the_protocol_causes_the_error_limit(program: str) -> None:
    assert describe(program + "\nsend({'content': {'type': 'text/plain'}})") == {"error": "limit"}


def test_child_process_that_exceeds_the_byte_budget_receives_no_more_bytes() -> None:
    ranges: list[int] = []

    def fetch(_offset: int, length: int) -> bytes:
        ranges.append(length)
        return bytes(length)

    program = """
for _ in range(2):
    send({"read": [0, 600_000]})
    rest = 600_008
    while rest:
        rest -= len(os.read(0, rest))
"""
    with Sandbox(program=START + program) as sandbox:
        assert sandbox.describe(fetch, size=1_000_000) == {"error": "limit"}
    assert ranges == [600_000]


def test_partial_content_remains_if_the_child_process_exits() -> None:
    assert describe("send({'partial': {'type': 'text/plain'}})") == {"type": "text/plain", "error": "limit"}


def test_child_process_that_does_not_respond_is_killed_after_the_time_limit() -> None:
    assert describe("time.sleep(600)", seconds=0.01) == {"error": "limit"}


def test_time_of_a_request_does_not_count_towards_the_time_limit() -> None:
    clock = FakeClock()
    program = "send({'read': [0, 1]}); os.read(0, 9); send({'content': {'type': 'text/plain'}}); time.sleep(600)"
    with Sandbox(program=START + program, file_seconds=50, clock=clock) as sandbox:

        def fetch(_offset: int, length: int) -> bytes:
            clock.advance(100)
            return bytes(length)

        assert sandbox.describe(fetch, size=1) == {"type": "text/plain"}


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import absent", "exited before its first message"),
        ("import os; os.write(0, bytes([0, 0, 0, 2]) + b'{}')", "instead of its first message"),
    ],
)
def test_child_process_that_does_not_start_is_a_failure_of_the_function(
    program: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(program=program) as sandbox, pytest.raises(SandboxError, match=message):
        sandbox.describe(fetcher(PNG), size=len(PNG))
    assert ("No module named 'absent'" in capfd.readouterr().err) is ("absent" in program)


def test_child_process_without_a_module_is_a_failure_of_the_function() -> None:
    with pytest.raises(SandboxError, match="No module named 'tinytag'"):
        describe("send({'failed': \"No module named 'tinytag'\"})")


def test_child_process_ends_after_its_parent_closed_the_socket() -> None:
    with Sandbox() as sandbox:
        sandbox.start()
        assert sandbox._child
        sandbox._child._socket.close()
        assert sandbox._child._process.wait(timeout=30) == 0


@pytest.mark.parametrize(
    ("event", "arguments", "permitted"),
    [
        ("open", (str(Path(os.__file__)), "rb", os.O_RDONLY | os.O_CLOEXEC), True),
        ("open", (str(Path(os.__file__)), "wb", os.O_WRONLY), False),
        ("open", (str(Path(os.__file__)), None, os.O_RDWR), False),
        ("open", ("/proc/self/environ", "r", os.O_RDONLY), False),
        ("open", (3, "r", os.O_RDONLY), False),
        ("import", ("zlib", None, None, None, None), True),
        ("os.listdir", ("/",), True),
        ("os.system", ("true",), False),
        ("os.fork", (), False),
        ("subprocess.Popen", ("true",), False),
        ("socket.__new__", (), False),
        ("socket.connect", (), False),
        ("ctypes.dlopen", ("libc.so.6",), False),
    ],
)
def test_child_process_rejects_operations_that_no_parser_needs(
    event: str,
    arguments: tuple[object, ...],
    permitted: bool,  # noqa: FBT001 - parameter of a table
) -> None:
    if permitted:
        child._reject(event, arguments)
    else:
        with pytest.raises(PermissionError, match="the child process cannot"):
            child._reject(event, arguments)
