"""Starting and stopping a process that behaves like MiniStack; the real one is started by the e2e tier."""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from http.server import HTTPServer
from pathlib import Path

import pytest

from localstack.emulators.embedded import HOST, Running, _wait_until_ready, child_environment, free_port, running, tail
from localstack.errors import EmulatorError
from tests.unit.harness import ministack_fake

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def start(*, port: int | None = None, log: Path | None = None, **settings: str) -> AbstractContextManager[Running]:
    return running(
        Path(sys.executable),
        port=port,
        region="eu-west-1",
        settings={"PYTHONPATH": str(HERE), **settings},
        log=log,
        module="ministack_fake",
    )


def seen_environment(log: Path) -> dict[str, str]:
    first, *_ = log.read_text(encoding="utf-8").splitlines()
    environment: dict[str, str] = json.loads(first.removeprefix("standing in with "))
    return environment


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # a zombie still answers; only its parent can end that
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z")


def wait_until_dead(pid: int, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still alive after {seconds} s"
        time.sleep(0.01)


def test_it_answers_on_a_free_port_and_is_gone_afterwards() -> None:
    with start() as emulator:
        assert emulator.endpoint.startswith(f"http://{HOST}:")
        assert alive(emulator.pid)
        state = Path(seen_environment(emulator.log)["TMPDIR"])
        assert state.is_dir()
    assert not alive(emulator.pid)
    assert not state.exists()


def test_it_goes_when_the_block_fails() -> None:
    with pytest.raises(ZeroDivisionError), start() as emulator:
        raise ZeroDivisionError
    assert not alive(emulator.pid)


def test_a_log_that_was_asked_for_stays(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "emulator.log"
    with start(log=log) as emulator:
        assert emulator.log == log
    assert "standing in" in log.read_text(encoding="utf-8")


def test_a_port_that_is_asked_for_is_used() -> None:
    port = free_port()
    with start(port=port) as emulator:
        assert emulator.endpoint == f"http://{HOST}:{port}"


def test_a_port_in_use_is_named_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(EmulatorError, match=rf"cannot listen on port {port} .*in use.*none for a free one"),
            start(port=port),
        ):
            pass


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    with pytest.raises(EmulatorError, match=rf"port {port} .*from 1024 to 65535"), start(port=port):
        pass


def test_a_crash_at_the_start_shows_the_end_of_the_log() -> None:
    with (
        pytest.raises(EmulatorError, match=r"(?s)ended at once with exit code 1; .*no luck today"),
        start(STANDIN="crash"),
    ):
        pass


def test_a_stranger_on_the_same_port_is_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINISTACK_EDITION", "a stranger's")
    with HTTPServer((HOST, 0), ministack_fake.Health) as stranger, subprocess.Popen(["sleep", "60"]) as ours:  # noqa: S607
        threading.Thread(target=stranger.serve_forever, args=(0.01,), daemon=True).start()
        endpoint = f"http://{HOST}:{stranger.server_port}"
        wait = functools.partial(_wait_until_ready, ours, endpoint, log=tmp_path / "log", timeout=0.1)
        wait(nonce="a stranger's")
        with pytest.raises(
            EmulatorError, match=r"did not answer at http://127\.0\.0\.1:\d+ within 0\.1 s; the end of its log"
        ):
            wait(nonce="ours")
        stranger.shutdown()
        ours.kill()


def test_one_that_others_could_reach_is_stopped() -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - for as long as it takes to notice, and it only stands in
    with pytest.raises(EmulatorError, match=r"must be reachable on 127\.0\.0\.1 alone"), start(BIND_HOST=everywhere):
        pass


def test_an_interpreter_that_is_gone_is_named() -> None:
    with (
        pytest.raises(EmulatorError, match=r"could not be started: .*/gone/bin/python.*Remove /gone"),
        running(Path("/gone/bin/python"), region="eu-west-1", settings={}),
    ):
        pass


def test_it_works_in_paths_with_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "with space").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "with space"))
    with start() as emulator:
        assert "with space" in str(emulator.log)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_it_does_not_outlive_a_parent_that_is_killed(end: signal.Signals, tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from localstack.emulators.embedded import running\n"
        f"with running(Path(sys.executable), region='eu-west-1', settings={{'PYTHONPATH': {str(HERE)!r}}}, "
        f"module='ministack_fake', log=Path({str(tmp_path / 'log')!r})) as emulator:\n"
        "    print(emulator.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:  # noqa: S603 - our own code
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        state = Path(seen_environment(tmp_path / "log")["TMPDIR"])
        parent.send_signal(end)
        wait_until_dead(pid)
    assert not state.exists()


def test_nothing_of_the_users_shell_reaches_it(tmp_path: Path) -> None:
    shell = {
        "PATH": "/usr/bin",
        "AWS_PROFILE": "prod",
        "AWS_ENDPOINT_URL": "http://elsewhere",
        "AWS_CA_BUNDLE": "/ca.pem",
        "HTTPS_PROXY": "http://proxy",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": "/mine",
        "HOME": "/home/me",
        "LAMBDA_EXECUTOR": "docker",
    }
    environment = child_environment(shell, port=1, region="eu-west-1", state=tmp_path, settings={})
    assert _shared(environment, shell) == {"PATH": "/usr/bin"}
    assert {"AWS_PROFILE", "AWS_ENDPOINT_URL", "HTTPS_PROXY", "PYTHONDONTWRITEBYTECODE"}.isdisjoint(environment)
    assert environment["BIND_HOST"] == "127.0.0.1"
    assert environment["HOME"] == str(tmp_path)


def test_settings_win(tmp_path: Path) -> None:
    environment = child_environment(
        {}, port=1, region="eu-west-1", state=tmp_path, settings={"AUTH": "true", "TZ": "X"}
    )
    assert (environment["AUTH"], environment["TZ"]) == ("true", "X")


def test_over_tls_it_is_known_by_a_certificate_of_its_own() -> None:
    with start(USE_SSL="1") as emulator:
        assert emulator.endpoint.startswith(f"https://{HOST}:")
        assert emulator.ca_bundle is not None
        assert "BEGIN CERTIFICATE" in emulator.ca_bundle.read_text(encoding="utf-8")
        # the functions that it runs inherit this, and could not call it otherwise
        assert seen_environment(emulator.log)["AWS_CA_BUNDLE"] == str(emulator.ca_bundle)


def test_over_plain_http_there_is_no_certificate() -> None:
    with start(USE_SSL="0") as emulator:
        assert emulator.endpoint.startswith("http://")
        assert emulator.ca_bundle is None
        assert "AWS_CA_BUNDLE" not in seen_environment(emulator.log)


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"1\n2\n\xff3\n")
    assert tail(log, 2) == "2\n\N{REPLACEMENT CHARACTER}3"
    assert tail(tmp_path / "nowhere", 2) == ""


def _shared(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in one.items() if other.get(name) == value}
