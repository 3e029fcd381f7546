"""The container emulator's own decisions and messages. What Docker does is a fake here, and real in tests/e2e."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from localstack.emulators import container, docker_engine
from localstack.emulators.container_log import Log
from localstack.errors import EmulatorError
from localstack.image import registry
from localstack.image.build import RUNTIMES
from localstack.image.registry import LABEL
from tests.unit.harness import docker_fakes
from tests.unit.harness.docker_fakes import Engine, Image, Uses

LOCALSTACK = Image(attrs={"Config": {"Env": ["PYTHONPATH=/opt/code/localstack"]}})
MINISTACK = Image(attrs={"Config": {"Entrypoint": ["ministack"], "Labels": {"is": "a LocalStack-compatible emulator"}}})


@pytest.fixture
def uses(monkeypatch: pytest.MonkeyPatch) -> Uses:
    """Let this engine be the one that answers."""
    for name in ("DOCKER_HOST", container.IMAGE_VARIABLE, container.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)

    def install(engine: Engine) -> Engine:
        monkeypatch.setattr(docker_engine, "connected", engine.connected)
        return engine

    return install


# -- which image, and whether it can be had ----------------------------------------------------------------------------


def test_the_image_is_the_last_without_an_account_unless_the_environment_names_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TAP_EMULATOR_IMAGE", raising=False)
    assert container.image() == "localstack/localstack:4.14.0"
    monkeypatch.setenv("TAP_EMULATOR_IMAGE", "mirror.example.com/ministack:1.5.33")
    assert container.image() == "mirror.example.com/ministack:1.5.33"


def test_an_image_that_is_not_here_is_named_with_the_ways_to_get_it_unless_it_may_be_pulled(uses: Uses) -> None:
    uses(Engine())
    said = container.problem(may_pull=False)
    assert said is not None
    for expected in (
        "localstack/localstack:4.14.0 is not on this machine",
        "docker pull",
        "TAP_EMULATOR_IMAGE",
        "nox -s emulator-image",
    ):
        assert expected in said
    assert container.problem(may_pull=True) is None
    uses(Engine(images={"localstack/localstack:4.14.0": LOCALSTACK}))
    assert container.problem(may_pull=False) is None


@pytest.mark.parametrize("may_pull", [True, False])
def test_what_docker_would_not_take_for_a_name_is_shown_as_it_is(
    uses: Uses,
    monkeypatch: pytest.MonkeyPatch,
    may_pull: bool,  # noqa: FBT001  a table
) -> None:
    uses(Engine())
    monkeypatch.setenv("TAP_EMULATOR_IMAGE", "Foo Bar")
    said = container.problem(may_pull=may_pull)
    assert said is not None
    assert said.startswith("Docker does not take 'Foo Bar' for the name of an image: invalid reference format.")
    assert "TAP_EMULATOR_IMAGE" in said


def test_a_missing_image_is_pulled_once_with_a_word_about_it(uses: Uses) -> None:
    engine = uses(Engine(pullable=["some/image:1"]))
    said: list[str] = []
    container._ensure_image("some/image:1", said.append)
    assert engine.images.pulled == ["some/image:1"]
    assert said == ["pulling some/image:1 (once; about a gigabyte)"]


def test_an_image_that_cannot_be_pulled_is_an_error_with_the_ways_to_get_it(uses: Uses) -> None:
    uses(Engine())
    with pytest.raises(EmulatorError, match="nor can it be pulled") as refusal:
        container._ensure_image("misspelt/image:1", lambda _: None)
    for expected in ("misspelt/image:1", "TAP_EMULATOR_IMAGE", "nox -s emulator-image", "no such host"):
        assert expected in str(refusal.value)


def test_an_image_may_name_what_its_functions_run_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "publish", lambda name: f"localhost:5055/{name}")
    found: Any = Image(labels={RUNTIMES: '{"python3.13": "runtime:3.13"}'})
    assert container._publish_runtimes(found) == {
        "LAMBDA_RUNTIME_IMAGE_MAPPING": '{"python3.13": "localhost:5055/runtime:3.13"}'
    }
    without: Any = Image()
    assert container._publish_runtimes(without) == {}


# -- how the container is made -----------------------------------------------------------------------------------------


@pytest.fixture
def make(uses: Uses, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401  a function with keywords
    """Configure a container without starting it."""
    uses(Engine())
    monkeypatch.setattr(DockerClient, "__init__", lambda _self: None)

    def configured(image: Image = LOCALSTACK, **settings: str) -> Any:  # noqa: ANN401  its attributes are not public
        found: Any = image
        return container._create(found, port=4599, region="eu-west-1", settings=settings)

    return configured


def test_it_is_published_on_loopback_alone_and_labelled_with_its_owner(make: Any) -> None:  # noqa: ANN401  as above
    made = make()
    assert made.ports == {"4566/tcp": ("127.0.0.1", 4599)}
    assert made._kwargs == {"labels": {LABEL: docker_engine.owner()}}


def test_localstack_gets_dockers_socket_and_no_other_emulator_does(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    monkeypatch.setenv("TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE", "/run/user/1000/docker.sock")
    assert make().volumes == {"/run/user/1000/docker.sock": {"bind": "/var/run/docker.sock", "mode": "rw"}}
    monkeypatch.setenv("TAP_EMULATOR_IMAGE", "mirror.example.com/emulator:1")
    assert make(MINISTACK).volumes == {}
    assert make(Image()).volumes == {}
    assert make(LOCALSTACK).volumes != {}


def test_it_is_told_where_it_is_whose_account_it_has_and_to_run_any_architecture(make: Any) -> None:  # noqa: ANN401  as above
    environment = make(DEBUG="1").env
    expected = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_SECRET_ACCESS_KEY": "test",
        "LAMBDA_IGNORE_ARCHITECTURE": "1",
        "LAMBDA_DOCKER_FLAGS": f"--label {LABEL}=function",
        "LOCALSTACK_HOST": "127.0.0.1:4599",
        "DISABLE_EVENTS": "1",
        "MINISTACK_ACCOUNT_ID": "000000000000",
        "DEBUG": "1",
    }
    assert expected.items() <= environment.items()
    assert "LOCALSTACK_AUTH_TOKEN" not in environment


@pytest.mark.parametrize(("token", "passed"), [("ls-1", True), ("", False)])
def test_a_token_is_passed_on_if_there_is_one(
    make: Any,  # noqa: ANN401  as above
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    passed: bool,  # noqa: FBT001  a table
) -> None:
    monkeypatch.setenv("LOCALSTACK_AUTH_TOKEN", token)
    assert (make().env.get("LOCALSTACK_AUTH_TOKEN") == "ls-1") == passed


# -- from its start to its end -----------------------------------------------------------------------------------------


class Started:
    """What testcontainers makes of a container, for those who start and stop it."""

    def __init__(self, status: str = "running", *, fails: Exception | None = None) -> None:
        self.status = status
        self.done: list[str] = []
        self._fails = fails

    def start(self) -> None:
        if self._fails:
            raise self._fails
        self.done.append("start")

    def get_wrapped_container(self) -> Any:  # noqa: ANN401  as much of one as is stopped
        gently = docker_fakes.Container("emulator", "me", removes=[])
        gently.everybody = {"emulator": gently}
        self.done.append("stop gently")
        return gently

    def stop(self) -> None:
        self.done.append("remove")

    def reload(self) -> None:
        """Nothing changes."""

    def get_docker_client(self) -> Any:  # noqa: ANN401  as much of one as is asked
        mode = type("Mode", (), {"use_mapped_port": False})
        return type("Client", (), {"get_connection_mode": lambda _self: mode})()

    def get_container_host_ip(self) -> str:
        if self.status != "running":
            raise TimeoutError("it waits until the container runs")
        return "127.0.0.2"


@pytest.fixture
def log(tmp_path: Path) -> Any:  # noqa: ANN401  a function that takes text
    """A log with this in it."""

    class Told(Log):
        def says(self, text: str) -> Told:
            tmp_path.joinpath("log").write_text(text)
            return self

    told = Told(tmp_path / "log")
    told.close()
    return told.says


def test_it_is_stopped_gently_and_then_removed_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DockerContainer, "start", Started.start)
    made: Any = Started()
    with pytest.raises(KeyboardInterrupt), container._started(made, 1):
        raise KeyboardInterrupt
    assert made.done == ["start", "stop gently", "remove"]


def test_one_that_docker_refuses_to_start_is_removed_and_named_with_its_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DockerContainer, "start", Started.start)
    refused: Any = Started(fails=APIError("port is already allocated"))
    refusal = pytest.raises(EmulatorError, match=r"cannot be started on port 4599: port is already")
    with refusal, container._started(refused, 4599):
        pytest.fail("it was refused")
    assert refused.done[-1] == "remove"


def test_the_helper_that_would_have_to_be_pulled_is_off_and_an_unwritable_log_starts_nothing(
    uses: Uses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = uses(Engine(pullable=[container.DEFAULT_IMAGE]))
    monkeypatch.setattr(testcontainers_config, "_ryuk_disabled", False)
    (tmp_path / "file").write_text("")
    started = container.running(region="x", settings={}, log=tmp_path / "file" / "log", report=pytest.fail)
    with pytest.raises(EmulatorError, match="log cannot be written"), started:
        pytest.fail("it has no log")
    assert testcontainers_config.ryuk_disabled
    assert engine.images.pulled == []


@contextmanager
def answering(answers: dict[str, object]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path in answers
            self.send_response(200 if known else 404)
            self.end_headers()
            if known:
                self.wfile.write(json.dumps(answers[self.path]).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("answers", "name"),
    [
        ({"/_localstack/health": {"version": "4.14.0"}}, "LocalStack 4.14.0"),
        ({"/_localstack/health": {"version": "9"}, "/_ministack/health": {"version": "1.5.33"}}, "MiniStack 1.5.33"),
        ({}, None),
    ],
)
def test_health_tells_which_product_this_is(answers: dict[str, object], name: str | None) -> None:
    with answering(answers) as address:
        assert container.product(address) == name


def test_an_emulator_that_ends_at_once_is_shown_with_its_last_words(
    uses: Uses,
    log: Any,  # noqa: ANN401  as above
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uses(Engine())
    monkeypatch.setattr(container, "POLL_INTERVAL", 0.001)
    ended: Any = Started("exited")
    said = log("License activation failed!")
    with pytest.raises(EmulatorError, match=re.escape("ended at once (LocalStack newer than 4.14 wants")) as failure:
        container._wait_until_ready(ended, 1, said)
    assert "License activation failed!" in str(failure.value)
    monkeypatch.setenv("LOCALSTACK_AUTH_TOKEN", "ls-1")
    with pytest.raises(EmulatorError, match="ended at once; the end of its log"):
        container._wait_until_ready(ended, 1, said)


def test_an_emulator_that_never_answers_is_shown_with_its_last_words_and_a_remedy(
    log: Any,  # noqa: ANN401  as above
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(container, "READY_TIMEOUT", 0.05)
    monkeypatch.setattr(container, "POLL_INTERVAL", 0.01)
    silent: Any = Started("running")
    tried = r"did not answer on http://127\.0\.0\.1:1 or http://127\.0\.0\.2:4566 within 0\.05 s"
    with pytest.raises(EmulatorError, match=tried) as failure:
        container._wait_until_ready(silent, 1, log("still thinking"))
    assert "still thinking" in str(failure.value)
    assert "use the embedded emulator" in str(failure.value)
