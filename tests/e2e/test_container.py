"""The emulator in a container: reachable from this machine alone, told apart from others', and nothing left of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from testcontainers.core.docker_client import DockerClient

from localstack.emulators.emulator import start
from localstack.image.registry import LABEL
from tests.e2e.capabilities import Capability, needs
from tests.e2e.functions import create_function
from tests.support import waiting

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Index

pytestmark = pytest.mark.only_emulator("container")

ROOT = Path(__file__).parents[2]
ANOTHER_RUN = """
import signal
from localstack.emulators.emulator import start
with start("container") as running:
    print(running.endpoint, flush=True)
    signal.pause()
"""


@pytest.fixture
def docker() -> Iterator[Any]:
    client = DockerClient().client
    yield client
    client.close()


def ours(docker: Any) -> dict[str, Any]:  # noqa: ANN401  Docker's client has no types
    """Every container with our label, by name."""
    return {each.name: each for each in docker.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)}


def at(docker: Any, endpoint: str) -> str:  # noqa: ANN401  as above
    """The name of the container that answers at an address of this machine."""
    port = endpoint.rpartition(":")[2]
    [name] = [
        name
        for name, each in ours(docker).items()
        if any(bound["HostPort"] == port for bounds in each.ports.values() for bound in bounds or ())
    ]
    return str(name)


def functions_of(docker: Any, name: str) -> list[str]:  # noqa: ANN401  as above
    return [each for each in ours(docker) if each.startswith(f"{name.replace('_', '-')}-lambda-")]


def answers(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(f"{endpoint}/_localstack/health", timeout=5).close()  # noqa: S310  our own, on loopback
    except OSError:
        return False
    return True


def test_every_port_is_published_on_the_loopback_interface_alone(
    docker: Any,  # noqa: ANN401  as above
    emulator: Emulator,
    index: Index,
) -> None:
    index.invoke({"Event": "s3:TestEvent"})  # so that there is a function's container
    own = at(docker, emulator.endpoint)
    there = ours(docker)  # at one moment: functions come and go
    for name in (each for each in there if each == own or each.startswith(f"{own.replace('_', '-')}-lambda-")):
        # what was asked for: an engine may be set to publish on loopback whatever it is asked
        asked = there[name].attrs["HostConfig"]["PortBindings"] or {}
        published = [bound["HostIp"] for bounds in asked.values() for bound in bounds or ()]
        assert published == (["127.0.0.1"] if name == own else []), name


def test_the_log_has_the_last_lines_of_the_functions_too(
    docker: Any,  # noqa: ANN401  as above
    emulator: Emulator,
    index: Index,
) -> None:
    needs(emulator, Capability.FUNCTION_CONTAINERS)
    index.invoke({"Event": "s3:TestEvent"})
    own = at(docker, emulator.endpoint)

    def reports() -> list[str]:
        return [line for line in emulator.logs(5).splitlines() if " | REPORT RequestId: " in line]

    last = waiting.wait_until(reports, "the function's REPORT line")[-1]
    assert last.partition(" | ")[0] in functions_of(docker, own)
    assert len([line for line in emulator.logs(5).splitlines() if " | " not in line]) <= 5


def test_only_localstack_is_trusted_with_docker(docker: Any, emulator: Emulator) -> None:  # noqa: ANN401  as above
    mounts = [each["Destination"] for each in docker.containers.get(at(docker, emulator.endpoint)).attrs["Mounts"]]
    assert ("/var/run/docker.sock" in mounts) == emulator.name.startswith("LocalStack")


def test_a_run_that_is_told_to_end_takes_its_emulator_along(docker: Any) -> None:  # noqa: ANN401  as above
    before = set(ours(docker))
    command = [sys.executable, "-m", "pytest", "tests/e2e", "--emulator", "container", "-k", "test_deployed_function"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:  # noqa: S603  our own
        waiting.wait_until(lambda: set(ours(docker)) - before, "another emulator", timeout=60)
        run.terminate()
        printed, _ = run.communicate(timeout=60)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, printed
    assert set(ours(docker)) - before == set()


def test_an_emulator_that_ends_leaves_no_container_of_a_function_behind(
    docker: Any,  # noqa: ANN401  as above
    emulator: Emulator,
) -> None:
    needs(emulator, Capability.FUNCTION_CONTAINERS)
    with start("container") as another:
        function = another.client("lambda")
        role = "arn:aws:iam::000000000000:role/another"
        create_function(function, "another", "def handler(event, context):\n    return 42\n", role=role)
        assert function.invoke(FunctionName="another")["Payload"].read() == b"42"
        # LocalStack writes it from a thread that, interrupted, would keep it from ending by itself
        logged = another.client("logs").describe_log_groups
        waiting.wait_until(lambda: logged(logGroupNamePrefix="/aws/lambda/another")["logGroups"], "the function's log")
        own = at(docker, another.endpoint)
        assert functions_of(docker, own)
    assert own not in ours(docker)
    assert functions_of(docker, own) == []


def test_what_a_killed_run_left_is_removed_and_what_is_in_use_is_not(
    docker: Any,  # noqa: ANN401  as above
    emulator: Emulator,
) -> None:
    with subprocess.Popen([sys.executable, "-c", ANOTHER_RUN], cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:  # noqa: S603  our own
        assert run.stdout is not None
        endpoint = run.stdout.readline().strip()
        run.send_signal(signal.SIGKILL)
    assert answers(endpoint)
    left = at(docker, endpoint)
    clean = subprocess.run(
        [sys.executable, "-m", "localstack.emulators.docker_engine"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"removed {left}" in clean.stdout.splitlines()
    waiting.wait_until(lambda: not answers(endpoint), lambda: f"the end of {left}")
    assert left not in ours(docker)
    assert answers(emulator.endpoint)
