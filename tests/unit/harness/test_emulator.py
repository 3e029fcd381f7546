"""What a caller of `start` gets, without starting anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localstack.emulators import container, embedded, embedded_environment
from localstack.emulators.emulator import Choice, Emulator, choose, start
from localstack.errors import EmulatorError


def emulator(endpoint: str = "http://127.0.0.1:4566") -> Emulator:
    return Emulator(
        kind="embedded",
        name="MiniStack",
        endpoint=endpoint,
        region="eu-west-1",
        reason="",
        logs=lambda lines: f"{lines} lines",
    )


@pytest.fixture
def _nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def running(python: Path, **_: object) -> Iterator[embedded.Running]:
        yield embedded.Running(endpoint="http://127.0.0.1:1", pid=1, log=python)

    monkeypatch.setattr(embedded_environment, "ensure", lambda _report: Path("/nowhere/bin/python"))
    monkeypatch.setattr(embedded, "running", running)


@pytest.fixture
def docker_says(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None, str | None], None]:
    """Let Docker have this problem with an image that must be here, and this one if it may be pulled."""

    def say(here: str | None, pulled: str | None) -> None:
        monkeypatch.setattr(container, "problem", lambda *, may_pull: pulled if may_pull else here)

    monkeypatch.setattr(container, "image", lambda: "some/image:1")
    return say


def test_what_is_asked_for_by_name_is_taken(docker_says: Callable[[str | None, str | None], None]) -> None:
    docker_says("the image is not here", None)  # it will be pulled
    assert choose("embedded") == Choice("embedded", "it was asked for")
    assert choose("container") == Choice("container", "it was asked for, with the image some/image:1")


def test_auto_takes_the_container_where_docker_answers_and_the_image_is_here(
    docker_says: Callable[[str | None, str | None], None],
) -> None:
    docker_says(None, None)
    taken = choose()
    assert taken.kind == "container"
    assert "has the image some/image:1" in taken.reason
    assert "`--emulator embedded`" in taken.reason


def test_auto_takes_the_embedded_one_elsewhere_and_says_how_to_get_the_other(
    docker_says: Callable[[str | None, str | None], None],
) -> None:
    docker_says("the image is not here: pull it", None)  # a gigabyte that nobody asked for is not pulled
    assert choose() == Choice("embedded", "no container can be started: the image is not here: pull it")


@pytest.mark.usefixtures("_nothing_is_started")
def test_it_says_what_it_is_and_why() -> None:
    with start("embedded") as running:
        assert running.kind == "embedded"
        assert str(running) == f"embedded (MiniStack {embedded_environment.ministack_version()}) at http://127.0.0.1:1"
        assert running.reason == "it was asked for"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("container", r"Docker does not answer: start it"),
        ("docker", r"there is no emulator 'docker': choose one of auto, embedded, container"),
    ],
)
def test_what_it_cannot_start_is_an_error_and_nothing_takes_its_place(
    docker_says: Callable[[str | None, str | None], None], kind: str, message: str
) -> None:
    docker_says("Docker does not answer: start it", "Docker does not answer: start it")
    with pytest.raises(EmulatorError, match=message), start(kind):
        pass


def test_clients_read_neither_the_shell_nor_the_users_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each of these would send a call elsewhere, sign it as someone else or make the client fail."""
    for folder in (tmp_path, tmp_path / ".aws"):
        folder.mkdir(exist_ok=True)
        (folder / "config").write_text("[default]\nuse_fips_endpoint = true\n", encoding="utf-8")
    for name, value in {
        "HOME": str(tmp_path),
        "AWS_PROFILE": "someone",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ENDPOINT_URL": "http://elsewhere",
        "AWS_ENDPOINT_URL_S3": "http://elsewhere",
        "AWS_ACCESS_KEY_ID": "mine",
        "AWS_SECRET_ACCESS_KEY": "mine",
        "AWS_SESSION_TOKEN": "mine",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_CA_BUNDLE": "/nowhere.pem",
        "AWS_RETRY_MODE": "adaptive",
        "AWS_MAX_ATTEMPTS": "9",
        "HTTP_PROXY": "http://proxy:1",
        "http_proxy": "http://proxy:1",
    }.items():
        monkeypatch.setenv(name, value)
    client = emulator().client("s3")
    url = client.generate_presigned_url("get_object", Params={"Bucket": "uploads", "Key": "a b"})
    assert url.startswith("http://127.0.0.1:4566/uploads/a%20b?")
    assert "AccessKeyId=test&" in url
    assert "security-token" not in url
    assert client.meta.region_name == "eu-west-1"
    assert not client.meta.config.use_fips_endpoint
    assert client._endpoint.http_session._proxy_config.proxy_url_for("http://127.0.0.1:4566") is None
    assert client.meta.config.retries == {"mode": "standard", "total_max_attempts": 1}


def test_clients_are_made_once_per_service_and_region() -> None:
    running = emulator()
    assert running.client("sqs") is running.client("sqs")
    assert running.client("sqs", region="us-west-2").meta.region_name == "us-west-2"
    assert running.client("sqs").meta.region_name == "eu-west-1"


def test_the_environment_is_complete_for_boto3_and_the_command_line() -> None:
    assert emulator().environment() == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }


def test_logs_are_a_tail() -> None:
    assert emulator().logs(3) == "3 lines"


def test_over_tls_clients_and_the_environment_know_its_certificate(tmp_path: Path) -> None:
    certificate = tmp_path / "server.crt"
    secure = Emulator(
        kind="embedded",
        name="MiniStack",
        endpoint="https://127.0.0.1:4566",
        region="eu-west-1",
        reason="",
        logs=str,
        ca_bundle=certificate,
    )
    assert secure.environment()["AWS_CA_BUNDLE"] == str(certificate)
    assert secure.client("s3")._endpoint.http_session._verify == str(certificate)
