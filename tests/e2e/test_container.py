"""Emulators that run in Docker containers: only this machine can access them, and all containers are removed."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from testcontainers.core.docker_client import DockerClient

from localstack.emulators.emulator import start
from localstack.image.registry import LABEL
from tests.e2e.capabilities import Capability, needs
from tests.e2e.functions import create_function
from tests.support.nonempty import nonempty
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Index

pytestmark = pytest.mark.only_emulator("container")

ROOT = Path(__file__).parents[2]
OTHER_RUN = """
import signal
from localstack.emulators.emulator import start
with start("container") as running:
    print(running.endpoint, flush=True)
    signal.pause()
"""


@dataclass(frozen=True)
class Docker:
    """Access to the containers that have the project's label."""

    client: Any  # the Docker client has no type hints

    def containers(self) -> dict[str, Any]:
        listed = self.client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
        return {each.name: each for each in listed}

    def name_at(self, endpoint: str) -> str:
        """Return the name of the container that publishes the port of an endpoint."""
        [name] = [
            name
            for name, each in self.containers().items()
            if any(
                bound["HostPort"] == endpoint.rpartition(":")[2]
                for bounds in each.ports.values()
                for bound in bounds or ()
            )
        ]
        return str(name)

    def functions_of(self, name: str) -> list[str]:
        """Return the names of the function containers that an emulator's container started."""
        return [each for each in self.containers() if each.startswith(f"{name.replace('_', '-')}-lambda-")]


@pytest.fixture
def docker() -> Iterator[Docker]:
    client = DockerClient().client
    yield Docker(client)
    client.close()


def responds(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(f"{endpoint}/_localstack/health", timeout=5).close()  # noqa: S310  our own, on loopback
    except OSError:
        return False
    return True


def test_emulator_container_publishes_its_ports_only_on_loopback(
    docker: Docker, emulator: Emulator, index: Index
) -> None:
    index.invoke({"Event": "s3:TestEvent"})  # this invocation starts the container of the indexer
    own = docker.name_at(emulator.endpoint)
    # The containers are listed only once, because containers of Lambda functions may start or stop at any time.
    containers = docker.containers()
    for name in nonempty(containers.keys() & {own, *docker.functions_of(own)}):
        # The test checks the requested address, because Docker can be configured to publish every port on loopback.
        bindings = containers[name].attrs["HostConfig"]["PortBindings"] or {}
        published = [bound["HostIp"] for bounds in bindings.values() for bound in bounds or ()]
        assert published == (["127.0.0.1"] if name == own else []), name


def test_emulator_log_includes_the_last_lines_of_function_containers(
    docker: Docker, emulator: Emulator, index: Index
) -> None:
    needs(emulator, Capability.FUNCTION_CONTAINERS)
    index.invoke({"Event": "s3:TestEvent"})

    def reports() -> list[str]:
        return [line for line in emulator.logs(5).splitlines() if " | REPORT RequestId: " in line]

    last = wait_until(reports, "the function's REPORT line")[-1]
    assert last.partition(" | ")[0] in docker.functions_of(docker.name_at(emulator.endpoint))
    assert len([line for line in emulator.logs(5).splitlines() if " | " not in line]) <= 5


def test_only_the_localstack_container_can_access_the_docker_socket(docker: Docker, emulator: Emulator) -> None:
    container = docker.containers()[docker.name_at(emulator.endpoint)]
    mounts = [each["Destination"] for each in container.attrs["Mounts"]]
    assert ("/var/run/docker.sock" in mounts) == emulator.name.startswith("LocalStack")


def test_terminated_test_run_removes_its_emulator_container(docker: Docker) -> None:
    before = set(docker.containers())
    command = [sys.executable, "-m", "pytest", "tests/e2e", "--emulator", "container", "-k", "test_deployed_stack"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:  # noqa: S603  our own
        wait_until(lambda: set(docker.containers()) - before, "another emulator", timeout=60)
        run.terminate()
        output, _ = run.communicate(timeout=60)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, output
    assert set(docker.containers()) - before == set()


def test_stopped_emulator_removes_its_function_containers(docker: Docker, emulator: Emulator) -> None:
    needs(emulator, Capability.FUNCTION_CONTAINERS)
    with start("container") as another:
        function = another.client("lambda")
        role = "arn:aws:iam::000000000000:role/another"
        create_function(function, "another", "def handler(event, context):\n    return 42\n", role=role)
        assert function.invoke(FunctionName="another")["Payload"].read() == b"42"
        # LocalStack writes the log in a thread; an interruption of this thread would prevent LocalStack from stopping.
        groups = another.client("logs").describe_log_groups
        wait_until(lambda: groups(logGroupNamePrefix="/aws/lambda/another")["logGroups"], "the function's log")
        own = docker.name_at(another.endpoint)
        assert docker.functions_of(own)
    assert own not in docker.containers()
    assert docker.functions_of(own) == []


def test_cleanup_removes_containers_of_killed_runs_but_none_in_use(docker: Docker, emulator: Emulator) -> None:
    with subprocess.Popen([sys.executable, "-c", OTHER_RUN], cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:  # noqa: S603  our own
        assert run.stdout is not None
        endpoint = run.stdout.readline().strip()
        run.send_signal(signal.SIGKILL)
    assert responds(endpoint)
    left = docker.name_at(endpoint)
    command = [sys.executable, "-m", "localstack.emulators.docker_engine"]
    clean = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603  our own
    assert f"removed {left}" in clean.stdout.splitlines()
    wait_until(lambda: not responds(endpoint), lambda: f"the end of {left}")
    assert left not in docker.containers()
    assert responds(emulator.endpoint)
