"""A registry on loopback with the images of Lambda runtimes: LocalStack pulls even images on this machine."""

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
"""The name of the container, and of the volume with the images."""
LABEL = "org.tapstack.emulator"
"""The label of all containers of this project, by which they are found and removed."""
REGISTRY_OWNER = "registry"
"""Value of the label on the registry's container."""
DEFAULT_PORT = 5055
READY_TIMEOUT = 15.0


def publish(image: str) -> str:
    """Push an image of this machine to the registry, which is started if needed, and return its name there.

    Raises:
        EmulatorError: the registry cannot be started or rejects the image.
    """
    if problem := docker_problem():
        raise EmulatorError(problem)
    # two runs share one registry, and may start at the same time
    with FileLock(Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid()}.lock"):
        published = f"localhost:{_start()}/{image}"
    docker("tag", image, published)
    docker("push", "--quiet", published)
    return published


def _start() -> int:
    """Return the port of the running registry."""
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
        raise EmulatorError(f"{error}\nIf the port is taken, name another one in TAP_REGISTRY_PORT") from error


def _wait_until_ready(port: int) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline:
        with suppress(OSError), direct.open(f"http://127.0.0.1:{port}/v2/", timeout=1):
            return
        time.sleep(0.05)
    raise EmulatorError(f"the registry did not answer on 127.0.0.1:{port}; `docker logs {NAME}` says why")
