"""One emulator and one stack for the whole session; every test reads and writes keys of its own."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import boto3
import pytest

from localstack.deployment import Deployment, deploy
from localstack.emulator import Emulator, start
from tests.e2e.awkward import CASES
from tests.e2e.capabilities import Capability, gap
from tests.e2e.failures import FailureQueue, Poisoned, poison
from tests.e2e.index import Clients, Index
from tests.e2e.uploading import Upload, sample_cases, upload_all
from tests.e2e.waiting import NothingCameError

if TYPE_CHECKING:
    from tests.e2e.queries import Table

LINE = 240
"""Characters of a line of the emulator's log that are worth showing."""


@pytest.fixture(scope="session")
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with start(request.config.getoption("--emulator")) as running:
        yield running


@pytest.fixture(scope="session")
def stack(emulator: Emulator, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """The stack as Pulumi.localstack.yaml configures it, deployed once."""
    deployment = deploy(emulator, engine=request.config.getoption("--engine"))
    yield deployment
    deployment.destroy()


@pytest.fixture(scope="session")
def outputs(stack: Deployment) -> Mapping[str, str]:
    return stack.outputs


@pytest.fixture(scope="session")
def clients(emulator: Emulator) -> Clients:
    return Clients.of(emulator)


@pytest.fixture(scope="session")
def index(clients: Clients, outputs: Mapping[str, str]) -> Index:
    return Index(clients, outputs)


@pytest.fixture(scope="session")
def account(clients: Clients) -> str:
    answer: str = clients.sts.get_caller_identity()["Account"]
    return answer


@pytest.fixture(scope="session")
def region(emulator: Emulator) -> str:
    return emulator.region


@pytest.fixture(scope="session")
def prefix(stack: Deployment) -> str:  # noqa: ARG001 - there is nothing to name without a stack
    """What the names of this stack start with: project and environment."""
    return "tapstack-local"


@pytest.fixture(scope="session")
def queue_arn(clients: Clients, outputs: Mapping[str, str]) -> str:
    answer = clients.sqs.get_queue_attributes(QueueUrl=outputs["failure_queue_url"], AttributeNames=["QueueArn"])
    arn: str = answer["Attributes"]["QueueArn"]
    return arn


@pytest.fixture(scope="session")
def table(emulator: Emulator, outputs: Mapping[str, str]) -> Table:
    """The table as README's queries take it."""
    shell = emulator.environment()
    resource = boto3.resource(
        "dynamodb",
        endpoint_url=shell["AWS_ENDPOINT_URL"],
        region_name=shell["AWS_REGION"],
        aws_access_key_id=shell["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=shell["AWS_SECRET_ACCESS_KEY"],
    )
    return resource.Table(outputs["table_name"])


@pytest.fixture(scope="session")
def uploads(emulator: Emulator, index: Index) -> Mapping[str, Upload]:
    """Every sample and every awkward case, uploaded once; by the case's name."""
    done = upload_all(index, [*sample_cases(), *CASES])
    if gap(emulator, Capability.LIST_CONTROL_CHARACTERS):
        for upload in done.values():
            if not upload.case.listable and upload.version_id:
                index.delete_version(upload.case.key, upload.version_id)
    return done


@pytest.fixture(scope="session")
def failures(clients: Clients, outputs: Mapping[str, str]) -> FailureQueue:
    return FailureQueue(clients.sqs, outputs["failure_queue_url"])


@pytest.fixture(scope="session")
def poisoned(index: Index) -> Poisoned:
    """Events that cannot succeed, sent once."""
    return poison(index)


@pytest.fixture(scope="session", autouse=True)
def _poison_first(request: pytest.FixtureRequest) -> None:
    """Lambda takes its time to give up on an event: let it, while other tests run."""
    if any("poisoned" in getattr(item, "fixturenames", ()) for item in request.session.items):
        with suppress(NothingCameError):  # the tests that need it will say so
            request.getfixturevalue("poisoned")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure is easier to understand with the end of the emulator's log."""
    report = yield
    emulator = getattr(item, "funcargs", {}).get("emulator")
    if report.failed and emulator is not None:
        report.sections.append((f"the end of the log of {emulator}", _short(emulator.logs(20))))
    return report


def _short(log: str) -> str:
    return "\n".join(line if len(line) < LINE else f"{line[:LINE]} ..." for line in log.splitlines())
