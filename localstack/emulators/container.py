"""The container emulator: LocalStack, or MiniStack, from an image, in a Docker container started by testcontainers."""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from testcontainers.community.localstack import LocalStackContainer
from testcontainers.core.config import get_docker_socket, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.exceptions import ContainerStartException

from localstack.emulators import docker_engine
from localstack.emulators.container_log import Log
from localstack.emulators.docker_engine import FUNCTION, STOP_TIMEOUT
from localstack.emulators.embedded import ACCESS_KEY, ACCOUNT, ASYNC_RETRY_BASE_SECONDS, HOST, free_port
from localstack.emulators.health import get_json
from localstack.errors import EmulatorError
from localstack.image import registry
from localstack.image.build import EMULATOR, RUNTIMES
from localstack.image.registry import LABEL

if TYPE_CHECKING:
    from docker.models.images import Image

IMAGE_VARIABLE = "TAP_EMULATOR_IMAGE"
DEFAULT_IMAGE = "localstack/localstack:4.14.0"
"""The last version that starts without an account."""
TOKEN_VARIABLE = "LOCALSTACK_AUTH_TOKEN"  # noqa: S105  the name of a variable
"""Newer images of LocalStack require this variable."""
PORT = 4566

READY_TIMEOUT = 120.0
POLL_INTERVAL = 0.1
SOCKET = "/var/run/docker.sock"


@dataclass(frozen=True, kw_only=True)
class Running:
    """A started emulator: its product and version, its endpoint, and its log."""

    name: str
    endpoint: str
    log: Log
    ca_bundle: None = None  # it serves plain HTTP

    def tail(self, lines: int) -> str:
        """Return the last lines of its log and of its functions' logs."""
        return self.log.tail(lines)


def image() -> str:
    """Return the name of the image that the environment chooses, or the default."""
    return os.environ.get(IMAGE_VARIABLE) or DEFAULT_IMAGE


def problem(*, may_pull: bool) -> str | None:
    """Return why no container can be started here, with the remedy; None if one can.

    Unless `may_pull`, the image must be on this machine.
    """
    if found := docker_engine.problem():
        return found
    try:
        with docker_engine.connected() as docker:
            docker.images.get(image())
    except ImageNotFound:
        return None if may_pull else f"the image {image()} is not on this machine: {_remedy()}"
    except APIError as error:
        return _invalid_name(error)
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
        EmulatorError: Docker does not respond, there is no image, the log cannot be written, or the emulator does not
            become ready (with the end of its log).
    """
    # ryuk would have to be pulled, and it removes containers by force, which leaves the functions' containers behind
    testcontainers_config.ryuk_disabled = True
    port = port or free_port()
    with tempfile.TemporaryDirectory(prefix="tapstack-emulator-") as folder:
        container_log = Log(log or Path(folder) / "emulator.log")
        try:
            try:
                found = _ensure_image(image(), report)
                container = _create(found, port=port, region=region, settings={**_publish_runtimes(found), **settings})
            except DockerException as error:
                raise EmulatorError(docker_engine.no_response(error)) from error
            with _started(container, port), container_log.following(container.get_wrapped_container()):
                endpoint, name = _wait_until_ready(container, port, container_log)
                yield Running(name=name, endpoint=endpoint, log=container_log)
        finally:
            container_log.close()


def product(address: str) -> str | None:
    """Return the product at an address and its version; None if it does not respond yet.

    MiniStack serves LocalStack's paths too.
    """
    health = get_json(f"{address}/_localstack/health")
    if health is None:
        return None
    ministack = get_json(f"{address}/_ministack/health")
    return (
        f"LocalStack {health.get('version', '')}" if ministack is None else f"MiniStack {ministack.get('version', '')}"
    )


def _ensure_image(name: str, report: Callable[[str], None]) -> Image:
    """Return the image; pull it if it is not on this machine.

    Raises:
        EmulatorError: the image cannot be pulled.
    """
    with docker_engine.connected() as docker:
        try:
            return docker.images.get(name)
        except ImageNotFound:
            report(f"pulling {name} (once; about a gigabyte)")
        except APIError as error:
            raise EmulatorError(_invalid_name(error)) from error
        try:
            return docker.images.pull(name)
        except DockerException as error:
            raise EmulatorError(
                f"the image {name} is neither on this machine nor can it be pulled: {_remedy()}.\n{error}"
            ) from error


def _publish_runtimes(found: Image) -> dict[str, str]:
    """Publish the runtime images that an image names where LocalStack can pull them; return the setting for that."""
    runtimes: dict[str, str] = json.loads(found.labels.get(RUNTIMES, "{}"))
    if not runtimes:
        return {}
    addresses = {runtime: registry.publish(name) for runtime, name in runtimes.items()}
    return {"LAMBDA_RUNTIME_IMAGE_MAPPING": json.dumps(addresses)}


def _create(found: Image, *, port: int, region: str, settings: Mapping[str, str]) -> LocalStackContainer:
    container = LocalStackContainer(image=image(), edge_port=PORT, region_name=region)
    # published on loopback only, since it runs any uploaded code; the attribute's type allows only ports
    bound: Any = {f"{PORT}/tcp": (HOST, port)}
    container.ports = bound
    container.with_kwargs(labels={LABEL: docker_engine.owner()})
    if _is_localstack(found):
        container.with_volume_mapping(_socket(), SOCKET, "rw")
    token = {name: value for name in (TOKEN_VARIABLE,) if (value := os.environ.get(name))}
    return container.with_envs(**{**_environment(port, region), **token, **settings})


def _is_localstack(found: Image) -> bool:
    """Whether it gets the Docker socket, which means root on this machine: MiniStack's functions would get it too."""
    description = f"{image()} {json.dumps(found.attrs.get('Config', {}))}".lower()
    return "localstack" in description and "ministack" not in description


def _socket() -> str:
    """Return the path of Docker's socket for Docker itself, which runs in a virtual machine unless on Linux."""
    if platform.system() == "Linux":
        return get_docker_socket()
    return os.environ.get("TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE", SOCKET)


def _environment(port: int, region: str) -> dict[str, str]:
    return {
        # instead of testcontainers' own: MiniStack verifies presigned links with this secret
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
        # LocalStack's
        "DISABLE_EVENTS": "1",  # no telemetry
        "SKIP_SSL_CERT_DOWNLOAD": "1",
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


@contextmanager
def _started(container: LocalStackContainer, port: int) -> Iterator[None]:
    """Start the container, and stop it by SIGTERM, so that it removes the containers of its functions."""
    try:
        try:
            DockerContainer.start(container)  # not LocalStackContainer.start, which waits for a line of the log
        except DockerException as error:
            raise EmulatorError(f"the container of {image()} cannot be started on port {port}: {error}") from error
        yield
    finally:
        try:
            # it never started, or was removed already
            with suppress(ContainerStartException, DockerException):
                container.get_wrapped_container().stop(timeout=STOP_TIMEOUT)
        finally:  # even after a second Ctrl-C during the above
            with suppress(NotFound):
                container.stop()


def _wait_until_ready(container: LocalStackContainer, port: int, log: Log) -> tuple[str, str]:
    """Return the endpoint and the product."""
    deadline = time.monotonic() + READY_TIMEOUT
    addresses = [f"http://{HOST}:{port}"]
    while time.monotonic() < deadline:
        container.reload()
        if container.status not in ("created", "running"):
            time.sleep(POLL_INTERVAL)  # until the end of its log has arrived
            raise EmulatorError(
                f"the emulator of {image()} ended at once{_token_hint()}; the end of its log:\n{log.tail(30)}"
            )
        if container.status == "running":
            addresses = list(dict.fromkeys([*addresses, _address_from_a_container(container, port)]))
        for address in addresses:
            if name := product(address):
                return address, name
        time.sleep(POLL_INTERVAL)
    raise EmulatorError(
        f"the emulator of {image()} did not answer on {' or '.join(addresses)} within {READY_TIMEOUT:g} s. If its log "
        "says that it is ready, Docker runs where this process cannot reach it: use the embedded emulator. "
        f"The end of its log:\n{log.tail(30)}"
    )


def _address_from_a_container(container: LocalStackContainer, port: int) -> str:
    """Return its address for a process in a container, which has another loopback interface."""
    mapped = container.get_docker_client().get_connection_mode().use_mapped_port
    return f"http://{container.get_container_host_ip()}:{port if mapped else PORT}"


def _remedy() -> str:
    return (
        f"`docker pull` it, name another in {IMAGE_VARIABLE}, or build one from Debian's, PyPI's and Maven's packages: "
        f"`nox -s emulator-image`, then {IMAGE_VARIABLE}={EMULATOR.name}"
    )


def _invalid_name(error: APIError) -> str:
    return f"Docker does not take {image()!r} for the name of an image: {error}. {_remedy()}"


def _token_hint() -> str:
    return "" if os.environ.get(TOKEN_VARIABLE) else f" (LocalStack newer than 4.14 wants {TOKEN_VARIABLE})"
