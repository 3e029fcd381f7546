"""A Docker engine that is not there: images and containers, as far as the harness looks at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from docker.errors import APIError, ImageNotFound, NotFound

from localstack.emulators.docker_engine import STOP_TIMEOUT
from localstack.image.registry import LABEL


@dataclass
class Container:
    """A container; `removes` go with it when it stops, and `prints` are the pieces of its log."""

    name: str
    label: str
    removes: Sequence[str] = ()
    prints: Sequence[bytes] = ()
    everybody: dict[str, Container] = field(default_factory=dict, repr=False)

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.label}

    def stop(self, *, timeout: int) -> None:
        if self.name not in self.everybody:
            raise NotFound(self.name)
        assert timeout == STOP_TIMEOUT
        for each in self.removes:
            del self.everybody[each]

    def remove(self, *, force: bool, v: bool) -> None:
        assert force
        assert v
        del self.everybody[self.name]

    def logs(self, *, stream: bool, follow: bool) -> Iterator[bytes]:
        assert stream
        assert follow
        return iter(self.prints)


@dataclass(frozen=True)
class Image:
    labels: dict[str, str] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)


class Images:
    def __init__(self, here: dict[str, Image], pullable: Sequence[str]) -> None:
        self._here, self._pullable = here, pullable
        self.pulled: list[str] = []

    def get(self, name: str) -> Image:
        if " " in name:
            raise APIError("invalid reference format")
        if name not in self._here:
            raise ImageNotFound(name)
        return self._here[name]

    def pull(self, name: str) -> Image:
        if name not in self._pullable:
            raise APIError("no such host")
        self.pulled.append(name)
        return Image()


class Events(list[dict[str, Any]]):
    """What happens to containers; all of it has happened already."""

    closed = False

    def close(self) -> None:
        self.closed = True


class Engine:
    """A Docker engine with these images and containers, of which some start while somebody listens."""

    def __init__(
        self,
        *containers: Container,
        images: dict[str, Image] | None = None,
        pullable: Sequence[str] = (),
        start: Sequence[str] = (),
    ) -> None:
        self.everybody = {each.name: each for each in containers}
        for each in containers:
            each.everybody = self.everybody
        self.images = Images(images or {}, pullable)
        self.containers = self
        self.heard = Events({"Actor": {"ID": name, "Attributes": {"name": name}}} for name in start)

    def list(self, *, all: bool, filters: dict[str, str], ignore_removed: bool) -> list[Container]:  # noqa: A002  Docker's name
        assert all
        assert ignore_removed
        assert filters == {"label": LABEL}
        return [*self.everybody.values()]

    def get(self, identity: str) -> Container:
        if identity not in self.everybody:
            raise NotFound(identity)
        return self.everybody[identity]

    def events(self, *, decode: bool, filters: dict[str, str]) -> Events:
        assert decode
        assert filters["label"] == f"{LABEL}=function"
        return self.heard

    @contextmanager
    def connected(self) -> Iterator[Engine]:
        yield self


Uses: TypeAlias = Callable[[Engine], Engine]
