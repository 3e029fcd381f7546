"""The container emulator's own decisions and messages. What Docker does is a fake here, and real in tests/e2e."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, TypeAlias

import pytest
from docker.errors import APIError, ImageNotFound, NotFound

from localstack import container
from localstack.errors import EmulatorError
from localstack.image import registry
from localstack.image.build import RUNTIMES
from localstack.image.registry import LABEL

DEAD = "4194999"  # above the greatest number that Linux gives a process
ALIVE = str(os.getpid())


@dataclass
class Container:
    """A container, as far as it is looked at; `removes` go with it when it stops."""

    name: str
    label: str
    status: str = "running"
    printed: str = ""
    removes: Sequence[str] = ()
    everybody: dict[str, Container] = field(default_factory=dict, repr=False)

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.label}

    def stop(self, *, timeout: int) -> None:
        if self.name not in self.everybody:
            raise NotFound(self.name)
        assert timeout == container.STOP_TIMEOUT
        for each in self.removes:
            del self.everybody[each]

    def remove(self, *, force: bool, v: bool) -> None:
        assert force
        assert v
        del self.everybody[self.name]

    def logs(self, *, tail: int | str) -> bytes:
        lines = self.printed.splitlines()
        return "\n".join(lines[-tail:] if isinstance(tail, int) else lines).encode()


@dataclass(frozen=True)
class Image:
    labels: dict[str, str]


class Images:
    def __init__(self, labels: dict[str, dict[str, str]], pullable: Sequence[str]) -> None:
        self._labels, self._pullable = labels, pullable
        self.pulled: list[str] = []

    def get(self, name: str) -> Image:
        if name not in self._labels:
            raise ImageNotFound(name)
        return Image(self._labels[name])

    def pull(self, name: str) -> Image:
        if name not in self._pullable:
            raise APIError("no such host")
        self.pulled.append(name)
        return Image({})


class Engine:
    """A Docker engine with these images and containers."""

    def __init__(
        self,
        *containers: Container,
        images: dict[str, dict[str, str]] | None = None,
        pullable: Sequence[str] = (),
    ) -> None:
        self.everybody = {each.name: each for each in containers}
        for each in containers:
            each.everybody = self.everybody
        self.images = Images(images or {}, pullable)
        self.containers = self

    def list(self, *, all: bool, filters: dict[str, str], ignore_removed: bool) -> list[Container]:  # noqa: A002  Docker's name
        assert all
        assert ignore_removed
        label, _, value = filters["label"].partition("=")
        assert label == LABEL
        return [
            each
            for each in self.everybody.values()
            if value in ("", each.label) and filters.get("name", "") in each.name
        ]

    def get(self, identity: str) -> Container:
        if identity not in self.everybody:
            raise NotFound(identity)
        return self.everybody[identity]


Uses: TypeAlias = Callable[[Engine], Engine]


@pytest.fixture
def uses(monkeypatch: pytest.MonkeyPatch) -> Uses:
    """Let this engine be the one that answers."""
    monkeypatch.delenv(container.IMAGE_VARIABLE, raising=False)
    monkeypatch.delenv(container.TOKEN_VARIABLE, raising=False)

    def install(engine: Engine) -> Engine:
        @contextmanager
        def docker() -> Iterator[Engine]:
            yield engine

        monkeypatch.setattr(container, "_docker", docker)
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


@pytest.mark.parametrize("may_pull", [True, False])
def test_without_docker_the_message_says_how_to_get_it_and_what_does_without(
    monkeypatch: pytest.MonkeyPatch,
    may_pull: bool,  # noqa: FBT001  a table
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    said = container.problem(may_pull=may_pull)
    assert said is not None
    for expected in ("Docker does not answer", "systemctl start docker", "DOCKER_HOST", "embedded emulator"):
        assert expected in said
    with pytest.raises(EmulatorError, match="Docker does not answer"):
        container.clean()


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
    uses(Engine(images={"localstack/localstack:4.14.0": {}}))
    assert container.problem(may_pull=False) is None


def test_a_missing_image_is_pulled_once_with_a_word_about_it(uses: Uses) -> None:
    engine = uses(Engine(pullable=["some/image:1"]))
    said: list[str] = []
    assert container._present("some/image:1", said.append) == {}
    assert engine.images.pulled == ["some/image:1"]
    assert said == ["pulling some/image:1 (once; about a gigabyte)"]


def test_an_image_that_cannot_be_pulled_is_an_error_with_the_ways_to_get_it(uses: Uses) -> None:
    uses(Engine())
    with pytest.raises(EmulatorError, match="nor can it be pulled") as refusal:
        container._present("misspelt/image:1", lambda _: None)
    for expected in ("misspelt/image:1", "TAP_EMULATOR_IMAGE", "nox -s emulator-image", "no such host"):
        assert expected in str(refusal.value)


def test_an_image_may_name_what_its_functions_run_in(uses: Uses, monkeypatch: pytest.MonkeyPatch) -> None:
    uses(Engine(images={"ours:1": {RUNTIMES: '{"python3.13": "runtime:3.13"}'}}))
    monkeypatch.setattr(registry, "publish", lambda name: f"localhost:5055/{name}")
    assert container._served(container._present("ours:1", lambda _: None)) == {
        "LAMBDA_RUNTIME_IMAGE_MAPPING": '{"python3.13": "localhost:5055/runtime:3.13"}'
    }
    assert container._served({}) == {}


# -- what becomes of containers ----------------------------------------------------------------------------------------


def emulator(name: str, owner: str, **more: Any) -> Container:
    return Container(name, owner, **more)


def function(of: str, name: str = "indexer", **more: Any) -> Container:
    return Container(f"{of.replace('_', '-')}-lambda-{name}-1", container.FUNCTION, **more)


@pytest.mark.parametrize(
    ("containers", "removed"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([emulator("left", DEAD), function("left")], ["left", "left-lambda-indexer-1"], id="a killed run"),
        pytest.param([emulator("used_one", ALIVE), function("used_one")], [], id="a run that goes on"),
        pytest.param(
            [emulator("used", ALIVE), Container("tapstack-registry", "registry"), emulator("left", DEAD)],
            ["left"],
            id="the registry of a run that goes on",
        ),
        pytest.param([Container("tapstack-registry", "registry")], ["tapstack-registry"], id="the registry of nobody"),
        pytest.param([emulator("ended", ALIVE, status="exited")], ["ended"], id="ended, and its number given again"),
        pytest.param([function("gone")], ["gone-lambda-indexer-1"], id="a function without its emulator"),
    ],
)
def test_what_interrupted_runs_left_is_removed_and_what_is_in_use_stays(
    uses: Uses,
    containers: list[Container],
    removed: list[str],
) -> None:
    engine = uses(Engine(*containers))
    assert sorted(container.clean()) == sorted(removed)
    assert sorted(engine.everybody) == sorted({each.name for each in containers} - set(removed))


def test_an_emulator_may_take_its_functions_along(uses: Uses) -> None:
    child = function("left")
    engine = uses(Engine(child, emulator("left", DEAD, removes=[child.name])))
    assert sorted(container.clean()) == ["left", child.name]
    assert engine.everybody == {}


def test_the_end_of_the_log_is_the_emulators_and_its_own_functions(uses: Uses) -> None:
    uses(
        Engine(
            emulator("my_emulator", ALIVE, printed="1\n2\n3"),
            function("my_emulator", printed="\n".join("abcdefghijklm")),
            function("other", printed="not mine"),
        )
    )
    assert container._logs("my_emulator", 2) == "2\n3\n--- my-emulator-lambda-indexer-1\n" + "\n".join("defghijklm")
    assert container._logs("my_emulator", None).startswith("1\n2\n3\n")
    assert container._logs("gone", 2) == ""


# -- becoming ready ----------------------------------------------------------------------------------------------------


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


class Starting:
    """A container that was started, as `running` waits for it."""

    def __init__(self, status: str) -> None:
        self.status = status

    def reload(self) -> None:
        """Nothing changes."""

    def get_url(self) -> str:
        return "http://127.0.0.1:1"

    def get_container_id(self) -> str:
        return "emulator"


def test_an_emulator_that_ends_at_once_is_shown_with_its_last_words(
    uses: Uses, monkeypatch: pytest.MonkeyPatch
) -> None:
    uses(Engine(emulator("emulator", ALIVE, printed="License activation failed!")))
    ended: Any = Starting("exited")
    with pytest.raises(EmulatorError, match=re.escape("ended at once (LocalStack newer than 4.14 wants")) as failure:
        container._wait_until_ready(ended, 1)
    assert "License activation failed!" in str(failure.value)
    monkeypatch.setenv("LOCALSTACK_AUTH_TOKEN", "ls-1")
    with pytest.raises(EmulatorError, match="ended at once; the end of its log"):
        container._wait_until_ready(ended, 1)


def test_an_emulator_that_never_answers_is_shown_with_its_last_words(
    uses: Uses, monkeypatch: pytest.MonkeyPatch
) -> None:
    uses(Engine(emulator("emulator", ALIVE, printed="still thinking")))
    monkeypatch.setattr(container, "READY_TIMEOUT", 0.05)
    silent: Any = Starting("running")
    with pytest.raises(EmulatorError, match=r"did not answer on http://127\.0\.0\.1:1 within 0\.05 s") as failure:
        container._wait_until_ready(silent, 1)
    assert "still thinking" in str(failure.value)
