"""One emulator and one stack for the whole session; every test reads and writes keys of its own."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from localstack.deployers.deploy import deploy
from localstack.emulators.emulator import Emulator, choose, start
from localstack.errors import EmulatorError, HarnessError
from tests.e2e.capabilities import Capability, gap
from tests.e2e.failures import FailureQueue, Poisoned, poison
from tests.e2e.operated import LATE, MORE_PATIENCE, Operated
from tests.e2e.operated import SETTINGS as OPERATED
from tests.e2e.uploading import Upload, sample_cases, upload_all
from tests.support.deployed_stack import INTERVAL, PATIENCE, LiveStack, clean_up, indexed_folder, read_outputs
from tests.support.edge_cases import CASES
from tests.support.index import Clients, Index, Place
from tests.support.scheduling import WORKERS, Scheduling, longest_first
from tests.support.selection import EXISTING, IN_PROCESS, PULUMI, Deploys, reason_against, summary
from tests.support.waiting import NothingCameError

if TYPE_CHECKING:
    from localstack.deployers.deployment import Deployment
    from operations.queries import Table

LINE = 240
"""Characters of a line of the emulator's log that are worth showing."""


CLOCKS_DIFFER = 60.0
"""Seconds by which this machine's clock may be ahead of AWS's."""

NOT_RUN = "tapstack: reasons of what was deselected"
"""The name under which a worker tells them."""

UNASKED = "no other was asked for (`--engine pulumi` takes Pulumi's own)"

_CHOSEN = pytest.StashKey[list[str]]()
_EMULATOR = pytest.StashKey[str | None]()
_RUNNING = pytest.StashKey[Emulator]()
_NOT_RUN = pytest.StashKey[list[str]]()


@pytest.hookimpl(optionalhook=True)  # one of pytest-xdist's
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes `-n auto` makes, each with an emulator and a stack of its own; 0: this one does it all."""
    if config.getoption("--engine") != IN_PROCESS:
        return 0
    with suppress(HarnessError):  # what cannot be is said at the start
        if choose(config.getoption("--emulator")).kind == "embedded":
            return WORKERS
    return 0


@pytest.hookimpl(optionalhook=True)  # one of pytest-xdist's
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:  # noqa: ANN401  it has no types
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Decide on engine and emulator, and why; what cannot be is said before any test."""
    for name in ("SIGTERM", "SIGHUP"):  # the latter is unknown to Windows
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)  # cleans up as Ctrl-C does
    option = session.config.getoption
    engine = option("--engine")
    kind = None
    if engine == EXISTING:
        where = LiveStack(read_outputs(option("--outputs")))
        chosen = [f"engine: existing, where --outputs says: {where}", "emulator: none is started"]
    else:
        try:
            emulator = choose(option("--emulator"))
            how = _cli(install=option("--install-pulumi")) if engine == PULUMI else UNASKED
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from error
        kind = emulator.kind
        chosen = [f"engine: {engine}, because {how}", f"emulator: {emulator.kind}, because {emulator.reason}"]
    session.config.stash[_CHOSEN] = chosen
    session.config.stash[_EMULATOR] = kind


def pytest_report_header(config: pytest.Config) -> list[str]:
    return config.stash.get(_CHOSEN, [])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what is not for this engine or emulator, and keep the reasons for the end; begin with the longest."""
    engine, emulator = config.getoption("--engine"), config.stash[_EMULATOR]
    reasons = {item: reason_against(item.iter_markers(), engine, emulator) for item in items}
    if gone := [item for item in items if reasons[item]]:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if not reasons[item]]
    config.stash[_NOT_RUN] = [reason for reason in reasons.values() if reason]
    items.sort(key=longest_first)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker collects, and so deselects, on behalf of the process that reports."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[NOT_RUN] = session.config.stash.get(_NOT_RUN, [])


@pytest.hookimpl(optionalhook=True)  # one of pytest-xdist's
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401  its types are internal
    """All workers deselect the same."""
    node.config.stash[_NOT_RUN] = getattr(node, "workeroutput", {}).get(NOT_RUN, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if reasons := config.stash.get(_NOT_RUN, []):
        emulator = config.stash[_EMULATOR]
        chosen = f"--engine {config.getoption('--engine')}" + (f" --emulator {emulator}" if emulator else "")
        terminalreporter.section(f"deselected for {chosen}")
        for line in summary(reasons):
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """Without one, one message ends the run: the tests have nothing to add to it."""
    option = request.config.getoption
    with ExitStack() as until_done:
        try:
            started = start(option("--emulator"), log=_log(request.config), report=_tell(request.config))
            running = until_done.enter_context(started)
        except EmulatorError as error:
            pytest.exit(str(error), pytest.ExitCode.USAGE_ERROR)
        request.config.stash[_RUNNING] = running
        yield running


@pytest.fixture(scope="session")
def deploys(request: pytest.FixtureRequest) -> Deploys:
    option = request.config.getoption
    return partial(deploy, deployer=option("--engine"), install_pulumi=option("--install-pulumi"))


@pytest.fixture(scope="session")
def stack(emulator: Emulator, deploys: Deploys) -> Iterator[Deployment]:
    """The stack as Pulumi.localstack.yaml configures it, deployed once."""
    deployment = deploys(emulator)
    yield deployment
    deployment.destroy()


@pytest.fixture(scope="session")
def existing(request: pytest.FixtureRequest) -> bool:
    """Whether the stack is somebody else's."""
    return bool(request.config.getoption("--engine") == EXISTING)


@pytest.fixture(scope="session")
def outputs(existing: bool, request: pytest.FixtureRequest) -> Mapping[str, str]:  # noqa: FBT001  a fixture
    if existing:
        return read_outputs(request.config.getoption("--outputs"))
    deployment: Deployment = request.getfixturevalue("stack")
    return deployment.outputs


@pytest.fixture(scope="session")
def place(existing: bool, request: pytest.FixtureRequest) -> Place:  # noqa: FBT001  a fixture
    """Where the stack is: the emulator, or what an existing stack's outputs lead to."""
    if existing:
        return LiveStack(request.getfixturevalue("outputs"))
    running: Emulator = request.getfixturevalue("emulator")
    return running


@pytest.fixture(scope="session")
def clients(place: Place) -> Clients:
    return Clients.of(place)


@pytest.fixture(scope="session")
def index(existing: bool, clients: Clients, outputs: Mapping[str, str]) -> Iterator[Index]:  # noqa: FBT001  a fixture
    if not existing:
        yield Index(clients, outputs)
        return
    folder = indexed_folder(clients.s3, outputs["bucket_name"], uuid.uuid4().hex[:8])
    began = int((time.time() - CLOCKS_DIFFER) * 1000)
    mine = Index(clients, outputs, folder=folder, patience=PATIENCE, interval=INTERVAL, since=began)
    yield mine
    clean_up(mine)


@pytest.fixture(scope="session")
def account(clients: Clients) -> str:
    answer: str = clients.sts.get_caller_identity()["Account"]
    return answer


@pytest.fixture(scope="session")
def region(place: Place) -> str:
    return place.region


@pytest.fixture(scope="session")
def prefix(existing: bool, outputs: Mapping[str, str]) -> str:  # noqa: FBT001  a fixture
    """What the names of this stack start with: project and environment."""
    return outputs["lambda_function_name"].removesuffix("-indexer") if existing else "tapstack-local"


@pytest.fixture(scope="session")
def queue_arn(clients: Clients, outputs: Mapping[str, str]) -> str:
    answer = clients.sqs.get_queue_attributes(QueueUrl=outputs["failure_queue_url"], AttributeNames=["QueueArn"])
    arn: str = answer["Attributes"]["QueueArn"]
    return arn


@pytest.fixture(scope="session")
def table(place: Place, outputs: Mapping[str, str]) -> Table:
    """The table as README's queries take it."""
    name = outputs["table_name"]
    if isinstance(place, LiveStack):
        return place.table(name)
    assert isinstance(place, Emulator)
    shell = place.environment()
    resource = boto3.resource(
        "dynamodb",
        endpoint_url=shell["AWS_ENDPOINT_URL"],
        region_name=shell["AWS_REGION"],
        aws_access_key_id=shell["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=shell["AWS_SECRET_ACCESS_KEY"],
    )
    return resource.Table(name)


@pytest.fixture(scope="session")
def uploads(place: Place, index: Index, _poison_first: None) -> Mapping[str, Upload]:
    """Every sample and every awkward case, uploaded once; by the case's name."""
    done = upload_all(index, [*sample_cases(), *CASES])
    if gap(place, Capability.LIST_CONTROL_CHARACTERS):
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


@pytest.fixture(scope="session")
def _operated(emulator: Emulator, deploys: Deploys) -> Iterator[Operated]:
    deployment = deploys(emulator, config_overrides=OPERATED)
    index = Index(Clients.of(emulator), deployment.outputs, patience=MORE_PATIENCE)
    settling = LATE if gap(emulator, Capability.EVENTS_DURING_AN_UPDATE) else 0.0
    yield Operated(index, deployment.outputs["failure_queue_url"], settling=settling)
    deployment.destroy()


@pytest.fixture
def operated(_operated: Operated, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Operated:
    """A stack of its own for the operator's tools, which find the emulator as they would in an operator's shell."""
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    return _operated


@pytest.fixture(scope="session")
def _poison_first(request: pytest.FixtureRequest) -> None:
    """Lambda takes its time to give up on an event: let it, while other tests run."""
    if any("poisoned" in getattr(item, "fixturenames", ()) for item in request.session.items):
        with suppress(NothingCameError):  # the tests that need it will say so
            request.getfixturevalue("poisoned")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure is easier to understand with the end of the emulator's log."""
    report = yield
    emulator = item.config.stash.get(_RUNNING, None)
    if report.failed and emulator:
        report.sections.append((f"the end of the log of {emulator}", _short(emulator.logs(20))))
    return report


def _log(config: pytest.Config) -> Path | None:
    """Where the emulator's log shall stay: of each worker's in a file of its own."""
    log: Path | None = config.getoption("--emulator-log")
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    return log.with_name(f"{log.stem}-{worker}{log.suffix}") if log and worker else log


def _tell(config: pytest.Config) -> Callable[[str], None]:
    """What says on the terminal, though pytest captures output, why it takes so long."""

    def tell(sentence: str) -> None:
        if not config.pluginmanager.hasplugin("terminalreporter"):  # a worker has no terminal
            return
        with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            config.pluginmanager.getplugin("terminalreporter").write_line(f"\n{sentence}")

    return tell


def _short(log: str) -> str:
    return "\n".join(line if len(line) < LINE else f"{line[:LINE]} ..." for line in log.splitlines())


def _cli(*, install: bool) -> str:
    """A half-sentence on Pulumi's own engine, which is then certain to be there."""
    from localstack.deployers import pulumi_cli  # noqa: PLC0415  importing Pulumi takes most of a second

    found = pulumi_cli.find(install=install)
    stand_ins = os.environ.get("PULUMI_DEBUG_PROVIDERS")
    instead = f"; PULUMI_DEBUG_PROVIDERS={stand_ins} takes the place of a plugin" if stand_ins else ""
    return f"it was asked for: CLI {found.version}{instead}"
