"""Tests of the choice of an emulator, and of its clients and environment variables, without starting an emulator."""

from __future__ import annotations

import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from botocore.exceptions import EndpointConnectionError

from localstack.emulators import container, embedded, embedded_environment
from localstack.emulators import emulator as emulator_module
from localstack.emulators.emulator import Choice, Emulator, choose, start
from localstack.errors import EmulatorError
from tests.support import waiting


def emulator(endpoint: str = "http://127.0.0.1:4566", ca_bundle: Path | None = None) -> Emulator:
    return Emulator(
        kind="embedded",
        name="MiniStack",
        endpoint=endpoint,
        region="eu-west-1",
        reason="",
        logs=lambda lines: f"{lines} lines",
        ca_bundle=ca_bundle,
    )


NO_DOCKER = "Docker does not respond: start it"
NO_IMAGE = "the image is not here: pull it"


@pytest.mark.parametrize(
    ("kind", "problem", "problem_if_pulled", "choice"),
    [
        ("embedded", NO_IMAGE, None, Choice("embedded", "this kind of emulator was requested")),
        (
            "container",
            NO_IMAGE,
            None,
            Choice("container", "this kind of emulator was requested, with the image some/image:1"),
        ),
        ("auto", NO_IMAGE, None, Choice("embedded", f"no container can be started: {NO_IMAGE}")),
        (
            "auto",
            None,
            None,
            Choice(
                "container",
                "Docker has the image some/image:1; to use the emulator without Docker, add `--emulator embedded`",
            ),
        ),
        ("container", NO_DOCKER, NO_DOCKER, EmulatorError(NO_DOCKER)),
        (
            "docker",
            NO_DOCKER,
            NO_DOCKER,
            EmulatorError("there is no emulator 'docker': choose one of auto, embedded, container"),
        ),
    ],
)
def test_emulator_choice_returns_kind_and_reason_or_raises_an_error(
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    problem: str | None,
    problem_if_pulled: str | None,
    choice: Choice | EmulatorError,
) -> None:
    monkeypatch.setattr(container, "problem", lambda *, may_pull: problem_if_pulled if may_pull else problem)
    monkeypatch.setattr(container, "image", lambda: "some/image:1")
    if isinstance(choice, Choice):
        assert choose(kind) == choice
    else:
        with pytest.raises(EmulatorError, match=str(choice)), start(kind):
            pass


def test_emulator_clients_ignore_environment_variables_and_aws_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """AWS settings of the user could change the endpoint or credentials of emulator calls, or make boto3 fail."""
    for folder in (tmp_path, tmp_path / ".aws"):
        folder.mkdir(exist_ok=True)
        (folder / "config").write_text("[default]\nuse_fips_endpoint = true\n", encoding="utf-8")
    variables = (
        "AWS_PROFILE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN "
        "AWS_CA_BUNDLE AWS_RETRY_MODE AWS_MAX_ATTEMPTS HTTP_PROXY http_proxy"
    )
    for name in variables.split():
        monkeypatch.setenv(name, "http://elsewhere")
    for name in ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    client = emulator().client("s3")
    url = client.generate_presigned_url("get_object", Params={"Bucket": "uploads", "Key": "a b"})
    assert url.startswith("http://127.0.0.1:4566/uploads/a%20b?")
    assert "AccessKeyId=test&" in url
    assert "security-token" not in url
    assert client.meta.region_name == "eu-west-1"
    assert not client.meta.config.use_fips_endpoint
    assert client._endpoint.http_session._proxy_config.proxy_url_for("http://127.0.0.1:4566") is None
    assert client.meta.config.retries == {"mode": "standard", "total_max_attempts": 1}


def test_emulator_clients_are_cached_by_service_and_region() -> None:
    running = emulator()
    assert running.client("sqs") is running.client("sqs")
    assert running.client("sqs", region="us-west-2").meta.region_name == "us-west-2"
    assert running.client("sqs").meta.region_name == "eu-west-1"
    assert running.logs(3) == "3 lines"
    assert str(running) == "embedded (MiniStack) at http://127.0.0.1:4566"


def test_emulator_environment_has_all_aws_variables_with_and_without_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert emulator().environment() == environment
    certificate = tmp_path / "server.crt"
    secure = emulator("https://127.0.0.1:4566", certificate)
    assert secure.environment() == {
        **environment,
        "AWS_ENDPOINT_URL": "https://127.0.0.1:4566",
        "AWS_CA_BUNDLE": str(certificate),
    }
    assert secure.client("s3")._endpoint.http_session._verify == str(certificate)


@pytest.mark.parametrize(
    ("variables", "excluded"),
    [
        ({"NO_PROXY": "corp.example,10.0.0.1"}, "127.0.0.1,corp.example,10.0.0.1"),
        ({"no_proxy": "lower", "NO_PROXY": "upper"}, "127.0.0.1,lower"),  # Python prefers the name in lower case.
        ({"no_proxy": "other,127.0.0.1"}, "127.0.0.1,other"),
        ({"NO_PROXY": "*"}, "*"),
    ],
)
def test_emulator_environment_excludes_the_emulator_and_the_hosts_of_the_user_from_the_proxy(
    variables: dict[str, str], excluded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    environment = emulator().environment()
    assert (environment["NO_PROXY"], environment["no_proxy"]) == (excluded, excluded)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert urllib.request.proxy_bypass("127.0.0.1:4566")


def test_emulator_start_rejects_a_port_in_use_before_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_environment, "ensure", lambda _: pytest.fail("it was installed"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = f"cannot listen on port {port}"
        with pytest.raises(EmulatorError, match=message), start("embedded", port=port):
            pass


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Process IDs of emulators that the function `start` runs: a fake MiniStack."""
    started: list[int] = []
    run = embedded.running

    @contextmanager
    def running(python: Path, **options: Any) -> Iterator[embedded.Running]:
        with run(python, module="fake_ministack", **options) as emulator:
            started.append(emulator.pid)
            yield emulator

    monkeypatch.setattr(embedded_environment, "ensure", lambda _: Path(sys.executable))
    monkeypatch.setattr(embedded, "running", running)
    return started


FAKE = {"PYTHONPATH": str(Path(__file__).parent)}
EXITED = (
    r"(?s)the emulator MiniStack .* exited with exit code -9 .*its data is lost.*Run the command again.*GATEWAY_PORT"
)
UNREACHABLE = EndpointConnectionError(endpoint_url="http://127.0.0.1:4566")


def test_emulator_check_reports_the_exit_code_and_log_of_an_emulator_that_was_killed(processes: list[int]) -> None:
    with start("embedded", settings=FAKE) as running:
        running.check()
        os.kill(processes[0], signal.SIGKILL)
        with pytest.raises(EmulatorError, match=EXITED):
            running.check(waiting.TIMEOUT)


def test_emulator_that_was_killed_is_reported_instead_of_the_request_that_failed(
    processes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator_module, "EXIT_TIMEOUT", waiting.TIMEOUT)

    def kill() -> NoReturn:
        os.kill(processes[0], signal.SIGKILL)
        raise UNREACHABLE

    with pytest.raises(EmulatorError, match=EXITED) as raised, start("embedded", settings=FAKE):
        kill()
    assert raised.value.__context__ is UNREACHABLE


@pytest.mark.usefixtures("processes")
def test_failed_request_to_a_running_emulator_is_raised_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator_module, "EXIT_TIMEOUT", 0.0)
    with pytest.raises(EndpointConnectionError), start("embedded", settings=FAKE):
        raise UNREACHABLE
