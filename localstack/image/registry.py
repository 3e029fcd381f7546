"""Runs a local Docker registry with the images of Lambda runtimes.

LocalStack pulls the image of a Lambda runtime even if it exists on this machine, so a registry must provide it.
"""

from __future__ import annotations

import os
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from localstack.errors import EmulatorError
from localstack.image.build import REGISTRY
from localstack.image.tools import docker, docker_problem, inspect

NAME = "tapstack-registry"
"""Name of the registry's container, and of the Docker volume with its images."""
LABEL = "org.tapstack.emulator"
"""Docker label of all containers that this project starts. Cleanup removes the containers that have this label."""
REGISTRY_OWNER = "registry"
"""Value of the project's Docker label on the container of the local image registry."""
DEFAULT_PORT = 5055
READY_TIMEOUT = 15.0


def publish(image: str) -> str:
    """Push a local Docker image to the local registry, and return its name there, such as ``localhost:5055/image``.

    The registry is started if it is not running.

    Raises:
        EmulatorError: the registry cannot be started or rejects the image.
    """
    if problem := docker_problem():
        raise EmulatorError(problem)
    # The lock prevents two processes from starting the shared registry at the same time.
    with FileLock(Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid()}.lock"):
        published = f"localhost:{_start()}/{image}"
    docker("tag", image, published)
    docker("push", "--quiet", published)
    return published


def _start() -> int:
    """Start the registry unless it is running, and return its port."""
    port = int(os.environ.get("TAP_REGISTRY_PORT", DEFAULT_PORT))
    image_id = inspect("image", REGISTRY.name, "{{.Id}}")
    if image_id is None:
        raise EmulatorError(f"the image {REGISTRY.name} is missing: `nox -s emulator-image` builds it")
    template = '{{.Image}} {{.State.Running}} {{range index .HostConfig.PortBindings "5000/tcp"}}{{.HostPort}}{{end}}'
    found = inspect("container", NAME, template)
    if found != f"{image_id} true {port}":
        if found is not None:
            docker("rm", "--force", NAME)
        _run(port)
    _wait_until_ready(port)
    return port


def _run(port: int) -> None:
    options = ("--publish", f"127.0.0.1:{port}:5000", "--volume", f"{NAME}:/var/lib/docker-registry")
    try:
        docker("run", "--detach", "--name", NAME, "--label", f"{LABEL}={REGISTRY_OWNER}", *options, REGISTRY.name)
    except EmulatorError as error:
        raise EmulatorError(f"{error}\nIf the port is in use, set TAP_REGISTRY_PORT to another port") from error


def _wait_until_ready(port: int) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline:
        with suppress(OSError), direct.open(f"http://127.0.0.1:{port}/v2/", timeout=1):
            return
        time.sleep(0.05)
    raise EmulatorError(f"the registry did not respond on 127.0.0.1:{port}; `docker logs {NAME}` shows its log")
