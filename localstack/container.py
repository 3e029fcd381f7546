"""The container emulator: LocalStack, or MiniStack, from an image, in a Docker container started by testcontainers."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import DockerException, ImageNotFound, NotFound
from testcontainers.community.localstack import LocalStackContainer
from testcontainers.core.config import get_docker_socket, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.exceptions import ContainerStartException

from localstack.embedded import ACCESS_KEY, ACCOUNT, ASYNC_RETRY_BASE_SECONDS, HOST, free_port
from localstack.errors import EmulatorError
from localstack.image import registry
from localstack.image.build import EMULATOR, RUNTIMES
from localstack.image.registry import LABEL

if TYPE_CHECKING:
    from docker.models.containers import Container

IMAGE_VARIABLE = "TAP_EMULATOR_IMAGE"
DEFAULT_IMAGE = "localstack/localstack:4.14.0"
"""The last one that starts without an account."""
TOKEN_VARIABLE = "LOCALSTACK_AUTH_TOKEN"  # noqa: S105  the name of a variable
"""What newer images of LocalStack ask for."""
PORT = 4566

READY_TIMEOUT = 120.0
STOP_TIMEOUT = 20
"""Seconds to end by itself and take the containers of its functions along; killed, it would leave them behind."""
POLL_INTERVAL = 0.1

FUNCTION = "function"
"""Value of the label on the containers of functions; on an emulator's own it is the process that started it."""

FUNCTION_LINES = 10
"""Lines that the container of each function adds to the end of the log."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A started emulator: its product and version, where it answers, and its container's id."""

    name: str
    endpoint: str
    container: str

    def tail(self, lines: int) -> str:
        """Return the end of its log and of those of its functions' containers."""
        return _logs(self.container, lines)


def image() -> str:
    """Return the name of the image that the environment chooses, or the default."""
    return os.environ.get(IMAGE_VARIABLE) or DEFAULT_IMAGE


def problem(*, may_pull: bool) -> str | None:
    """Say why no container can be started here, and what helps; None if one can.

    Unless it `may_pull`, the image must be on this machine.
    """
    try:
        with _docker() as docker:
            if not may_pull:
                docker.images.get(image())
    except ImageNotFound:
        return f"the image {image()} is not on this machine: {_remedy()}"
    except DockerException as error:
        return _no_docker(error)
    return None


@contextmanager
def running(
    *,
    port: int | None = None,
    region: str,
    settings: Mapping[str, str],
    log: Path | None = None,
    report: Callable[[str], None],
) -> Iterator[Running]:
    """Run the image until the block is left; the arguments are those of `emulator.start`.

    Raises:
        EmulatorError: Docker does not answer, the image cannot be had, or the emulator does not become ready (with the
            end of its log).
    """
    # Its helper would have to be pulled; and it removes by force, which leaves the functions' containers behind
    testcontainers_config.ryuk_disabled = True
    port = port or free_port()
    try:
        runtimes = _present(image(), report)
        container = _configured(port=port, region=region, settings={**_served(runtimes), **settings})
    except DockerException as error:
        raise EmulatorError(_no_docker(error)) from error
    try:
        try:
            DockerContainer.start(container)  # not LocalStackContainer's, which waits for a line of its log
        except DockerException as error:
            raise EmulatorError(f"the container of {image()} cannot be started on port {port}: {error}") from error
        endpoint, name = _wait_until_ready(container, port)
        yield Running(name=name, endpoint=endpoint, container=container.get_container_id())
    finally:
        _stop(container, log)


def clean() -> list[str]:
    """Remove the containers that interrupted runs left behind and return their names.

    Those of a run whose process still lives stay. Emulators go first and gently, so that they take the containers of
    their functions along; the registry stays as long as an emulator may need it.

    Raises:
        EmulatorError: Docker does not answer.
    """
    try:
        with _docker() as docker:
            ours = docker.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
            used = [each for each in ours if _in_use(each)]
            names = tuple(_functions_of(each) for each in used)
            left = [each for each in ours if each not in used and not each.name.startswith(names)]
            if used:
                left = [each for each in left if each.labels[LABEL] != registry.OURS]
            for each in sorted(left, key=lambda one: not one.labels[LABEL].isdigit()):
                with suppress(NotFound):  # it went with its emulator
                    each.stop(timeout=STOP_TIMEOUT)
                    each.remove(force=True, v=True)
            return [str(each.name) for each in left]
    except DockerException as error:
        raise EmulatorError(_no_docker(error)) from error


def _in_use(container: Container) -> bool:
    """Whether this is an emulator of a run that still goes on: its label is the process that started it."""
    owner: str = container.labels[LABEL]
    if not owner.isdigit() or container.status != "running":
        return False
    try:
        os.kill(int(owner), 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, and is somebody else's
        return True
    return True


def _functions_of(container: Container) -> str:
    """How the names of an emulator's function containers begin: LocalStack puts hyphens for underscores."""
    return f"{str(container.name).replace('_', '-')}-lambda-"


def _present(name: str, report: Callable[[str], None]) -> Mapping[str, str]:
    """Make sure that the image is on this machine, and return the images of runtimes that it names for its functions.

    Raises:
        EmulatorError: it cannot be pulled.
    """
    with _docker() as docker:
        try:
            found = docker.images.get(name)
        except ImageNotFound:
            report(f"pulling {name} (once; about a gigabyte)")
            try:
                found = docker.images.pull(name)
            except DockerException as error:
                raise EmulatorError(
                    f"the image {name} is neither on this machine nor can it be pulled: {_remedy()}.\n{error}"
                ) from error
        runtimes: dict[str, str] = json.loads(found.labels.get(RUNTIMES, "{}"))
        return runtimes


def _served(runtimes: Mapping[str, str]) -> dict[str, str]:
    """Have images of runtimes served where LocalStack can pull them, and return the setting that says where."""
    if not runtimes:
        return {}
    addresses = {runtime: registry.publish(name) for runtime, name in runtimes.items()}
    return {"LAMBDA_RUNTIME_IMAGE_MAPPING": json.dumps(addresses)}


def _configured(*, port: int, region: str, settings: Mapping[str, str]) -> LocalStackContainer:
    container = LocalStackContainer(image=image(), edge_port=PORT, region_name=region)
    # published on loopback alone, since it runs whatever code is uploaded to it; the attribute's type knows only ports
    bound: Any = {f"{PORT}/tcp": (HOST, port)}
    container.ports = bound
    container.with_kwargs(labels={LABEL: str(os.getpid())})
    container.with_volume_mapping(get_docker_socket(), "/var/run/docker.sock", "rw")
    token = {TOKEN_VARIABLE: os.environ[TOKEN_VARIABLE]} if TOKEN_VARIABLE in os.environ else {}
    return container.with_envs(**{**_environment(port, region), **token, **settings})


def _environment(port: int, region: str) -> dict[str, str]:
    return {
        # instead of testcontainers' own: MiniStack checks presigned links with the secret that it finds here
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
        # LocalStack's
        "LAMBDA_IGNORE_ARCHITECTURE": "1",
        "LAMBDA_RETRY_BASE_DELAY": "1",
        "LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT": "60",
        "LAMBDA_DOCKER_FLAGS": f"--label {LABEL}={FUNCTION}",
        "LOCALSTACK_HOST": f"{HOST}:{port}",  # in the URLs of queues
        "SQS_ENDPOINT_STRATEGY": "path",
        # MiniStack's
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": region,
        "LAMBDA_EXECUTOR": "local",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": str(ASYNC_RETRY_BASE_SECONDS),
    }


def _wait_until_ready(container: LocalStackContainer, port: int) -> tuple[str, str]:
    """Return where it answers and what it is."""
    deadline = time.monotonic() + READY_TIMEOUT
    # from inside a container, the loopback interface may be another one than the engine's
    addresses = dict.fromkeys((f"http://{HOST}:{port}", container.get_url()))
    while time.monotonic() < deadline:
        container.reload()
        if container.status not in ("created", "running"):
            raise EmulatorError(
                f"the emulator of {image()} ended at once{_token_hint()}; the end of its log:\n{_tail(container)}"
            )
        for address in addresses:
            if name := product(address):
                return address, name
        time.sleep(POLL_INTERVAL)
    raise EmulatorError(
        f"the emulator of {image()} did not answer on {' or '.join(addresses)} within {READY_TIMEOUT:g} s; "
        f"the end of its log:\n{_tail(container)}"
    )


def product(address: str) -> str | None:
    """Return the product at an address and its version; None if it does not answer yet.

    MiniStack speaks LocalStack's paths too.
    """
    health = _answer(f"{address}/_localstack/health")
    if health is None:
        return None
    own = _answer(f"{address}/_ministack/health")
    return f"LocalStack {health.get('version', '')}" if own is None else f"MiniStack {own.get('version', '')}"


def _answer(url: str) -> dict[str, Any] | None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by a proxy of the environment
    try:
        with direct.open(url, timeout=2) as answer:
            found: dict[str, Any] = json.load(answer)
    except (OSError, ValueError):
        return None
    return found


def _stop(container: LocalStackContainer, log: Path | None) -> None:
    with suppress(ContainerStartException, DockerException):  # it never started, or has gone by other means
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(_logs(container.get_container_id(), None), encoding="utf-8")
        container.get_wrapped_container().stop(timeout=STOP_TIMEOUT)
    with suppress(NotFound):
        container.stop()


def _tail(container: LocalStackContainer) -> str:
    return _logs(container.get_container_id(), 30)


def _logs(identity: str, lines: int | None) -> str:
    """Return the last lines, or all, of the emulator's log, and a few of each function's; nothing if it has gone."""
    parts = []
    with _docker() as docker, suppress(NotFound):
        own = docker.containers.get(identity)
        parts.append(_printed(own, lines))
        names = {"label": f"{LABEL}={FUNCTION}", "name": _functions_of(own)}
        for each in docker.containers.list(all=True, filters=names, ignore_removed=True):
            with suppress(NotFound):  # a function's container comes and goes
                parts.append(f"--- {each.name}\n{_printed(each, lines and FUNCTION_LINES)}")
    return "\n".join(parts)


def _printed(container: Container, lines: int | None) -> str:
    text: bytes = container.logs(tail="all" if lines is None else lines)
    return text.decode(errors="replace").rstrip()


@contextmanager
def _docker() -> Iterator[Any]:
    client = DockerClient().client
    try:
        client.ping()
        yield client
    finally:
        client.close()


def _remedy() -> str:
    return (
        f"`docker pull` it, name another in {IMAGE_VARIABLE}, or build one from Debian's, PyPI's and Maven's packages: "
        f"`nox -s emulator-image`, then {IMAGE_VARIABLE}={EMULATOR.name}"
    )


def _token_hint() -> str:
    return "" if TOKEN_VARIABLE in os.environ else f" (LocalStack newer than 4.14 wants {TOKEN_VARIABLE})"


def _no_docker(error: DockerException) -> str:
    return (
        "Docker does not answer: install it, start its engine (`systemctl start docker`, or `dockerd` as root), or "
        f"name it in DOCKER_HOST; without Docker there is the embedded emulator.\n{error}"
    )


def main() -> int:
    """Remove what interrupted runs left behind: what `nox -s emulator-clean` runs."""
    try:
        names = clean()
    except EmulatorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"removed {name}\n" for name in names) or "nothing to remove\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
