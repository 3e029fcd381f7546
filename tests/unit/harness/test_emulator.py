"""Tests of the choice of an emulator, and of its clients and environment variables, without starting an emulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from localstack.emulators import container
from localstack.emulators.emulator import Choice, Emulator, choose, start
from localstack.errors import EmulatorError


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


def test_emulator_environment_has_all_aws_variables_with_and_without_tls(tmp_path: Path) -> None:
    environment = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    assert emulator().environment() == environment
    certificate = tmp_path / "server.crt"
    secure = emulator("https://127.0.0.1:4566", certificate)
    assert secure.environment() == {
        **environment,
        "AWS_ENDPOINT_URL": "https://127.0.0.1:4566",
        "AWS_CA_BUNDLE": str(certificate),
    }
    assert secure.client("s3")._endpoint.http_session._verify == str(certificate)
