"""Configuration of the end-to-end tests: their selection and order, and one emulator and one stack per session."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from localstack.deployers.deploy import deploy
from localstack.emulators.emulator import Emulator, choose, start
from localstack.errors import EmulatorError, HarnessError
from tests.e2e.batch_upload import Upload, sample_cases, upload_all
from tests.e2e.capabilities import Capability, gap
from tests.e2e.failure_queue import FailureQueue, SentEvents, send_invalid_events
from tests.e2e.operations_stack import CONFIG as OPERATIONS_CONFIG
from tests.e2e.operations_stack import SETTLE_SECONDS, OperationsStack, existing_buckets
from tests.e2e.operations_stack import TIMEOUT as OPERATIONS_TIMEOUT
from tests.e2e.query_results import table_of
from tests.support.deployed_stack import (
    ExistingStack,
    clean_up,
    index_of_existing_stack,
    read_outputs,
    smoke_test_prefix,
)
from tests.support.edge_cases import EDGE_CASES
from tests.support.index import AwsTarget, Clients, Index
from tests.support.scheduling import WORKERS, position
from tests.support.selection import (
    EXISTING,
    IN_PROCESS,
    PULUMI,
    WITHOUT_INSPECTOR,
    DeployStack,
    count_reasons,
    deselection_reason,
)
from tests.support.waiting import WaitTimeoutError

if TYPE_CHECKING:
    from localstack.deployers.deployment import Deployment
    from operations.queries import Table

MAX_LINE_LENGTH = 240
"""Maximum length of a line of the emulator's log in the report of a failed test, in characters."""

MAX_CLOCK_SKEW = 60.0
"""Seconds by which this machine's clock may be ahead of the clock of AWS."""

DESELECTED = "tapstack: reasons of deselection"
"""Key under which an xdist worker sends the reasons of deselected tests to the main process."""

EMULATOR_KIND = "tapstack: kind of the emulator"
"""Key under which the main process sends the kind of the emulator to an xdist worker.

The choice of the emulator imports the Docker client, which takes 0.3 s.
"""

_HEADER = pytest.StashKey[list[str]]()
_EMULATOR_KIND = pytest.StashKey[str | None]()
_EMULATOR = pytest.StashKey[Emulator]()
_DESELECTED = pytest.StashKey[list[str]]()


@pytest.hookimpl(optionalhook=True)  # this pytest hook exists only if pytest-xdist is installed
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return the number of worker processes for `-n auto`, each with its own emulator and stack; 0: no workers."""
    if config.getoption("--engine") != IN_PROCESS:
        return 0
    with suppress(HarnessError):  # an unavailable emulator is reported later, in pytest_sessionstart
        if choose(config.getoption("--emulator")).kind == "embedded":
            return WORKERS
    return 0


def pytest_sessionstart(session: pytest.Session) -> None:
    """Select the deployer and the emulator; an invalid selection is an error before any test runs."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP.
            # The signal raises KeyboardInterrupt like Ctrl-C, so that pytest tears down the fixtures.
            signal.signal(number, signal.default_int_handler)
    _select(session.config)


def _select(config: pytest.Config) -> None:
    """Store the selected emulator and the lines of the report header in the configuration."""
    option = config.getoption
    engine = option("--engine")
    kind = None
    received = getattr(config, "workerinput", {})
    if EMULATOR_KIND in received:  # an xdist worker, which prints no header
        kind, header = received[EMULATOR_KIND], []
    elif engine == EXISTING:
        stack = ExistingStack(read_outputs(option("--outputs")))
        header = [f"engine: existing stack of --outputs: {stack}", "emulator: none is started"]
    else:
        reason = "it is the default (`--engine pulumi` uses the Pulumi CLI)"
        try:
            emulator = choose(option("--emulator"))
            if engine == PULUMI:
                reason = _describe_pulumi_cli(install=option("--install-pulumi"))
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from error
        kind = emulator.kind
        header = [f"engine: {engine}, because {reason}", f"emulator: {emulator.kind}, because {emulator.reason}"]
    config.stash[_HEADER] = header
    config.stash[_EMULATOR_KIND] = kind


def pytest_report_header(config: pytest.Config) -> list[str]:
    return config.stash.get(_HEADER, [])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests that the selected deployer or emulator does not support, and run the slowest test files first."""
    if _EMULATOR_KIND not in config.stash:  # `pytest tests` loads this file after the start of the session
        _select(config)
    engine, emulator = config.getoption("--engine"), config.stash[_EMULATOR_KIND]
    reasons = {item: deselection_reason(item.iter_markers(), engine, emulator) for item in items}
    if deselected := [item for item in items if reasons[item]]:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if not reasons[item]]
    config.stash[_DESELECTED] = [reason for reason in reasons.values() if reason]
    items.sort(key=position)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the reasons of deselected tests from an xdist worker to the main process."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[DESELECTED] = session.config.stash.get(_DESELECTED, [])


@pytest.hookimpl(optionalhook=True)  # this pytest hook exists only if pytest-xdist is installed
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401  its types are internal
    """Send the kind of the emulator to an xdist worker."""
    node.workerinput[EMULATOR_KIND] = node.config.stash[_EMULATOR_KIND]


@pytest.hookimpl(optionalhook=True)  # this pytest hook exists only if pytest-xdist is installed
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401  its types are internal
    """Store the reasons of deselected tests from an xdist worker; all workers send the same reasons."""
    node.config.stash[_DESELECTED] = getattr(node, "workeroutput", {}).get(DESELECTED, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if reasons := config.stash.get(_DESELECTED, []):
        emulator = config.stash[_EMULATOR_KIND]
        chosen = f"--engine {config.getoption('--engine')}" + (f" --emulator {emulator}" if emulator else "")
        terminalreporter.section(f"deselected for {chosen}")
        for line in count_reasons(reasons):
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """Emulator of the session; if it cannot start, the test run stops with one error message."""
    config = request.config
    with ExitStack() as cleanup:
        try:
            kind = config.stash[_EMULATOR_KIND] or config.getoption("--emulator")
            starting = start(kind, log=_log_file(config), report=_terminal_writer(config))
            running = cleanup.enter_context(starting)
        except EmulatorError as error:
            if hasattr(config, "workerinput"):
                raise  # pytest-xdist would discard the message of `pytest.exit`
            pytest.exit(str(error), pytest.ExitCode.USAGE_ERROR)
        config.stash[_EMULATOR] = running
        yield running


@pytest.fixture(scope="session")
def deploy_stack(request: pytest.FixtureRequest) -> DeployStack:
    option = request.config.getoption

    def deploy_by_default_without_inspector(
        emulator: Emulator, *, config_overrides: Mapping[str, str] = MappingProxyType({}), **options: Any
    ) -> Deployment:
        return deploy(
            emulator,
            config_overrides={**WITHOUT_INSPECTOR, **config_overrides},
            deployer=option("--engine"),
            install_pulumi=option("--install-pulumi"),
            **options,
        )

    return deploy_by_default_without_inspector


@pytest.fixture(scope="session")
def stack(emulator: Emulator, deploy_stack: DeployStack, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Stack with the configuration of Pulumi.localstack.yaml, but without inspector, deployed once per session."""
    deployment = deploy_stack(emulator)
    yield deployment
    _destroy_at_the_end_of_the_session(deployment, request.config)


@pytest.fixture(scope="session")
def existing(request: pytest.FixtureRequest) -> ExistingStack | None:
    """Existing stack of the option `--outputs`; None if the tests deploy their own stack."""
    option = request.config.getoption
    return ExistingStack(read_outputs(option("--outputs"))) if option("--engine") == EXISTING else None


@pytest.fixture(scope="session")
def outputs(existing: ExistingStack | None, request: pytest.FixtureRequest) -> Mapping[str, str]:
    source: ExistingStack | Deployment = existing or request.getfixturevalue("stack")
    return source.outputs


@pytest.fixture(scope="session")
def target(existing: ExistingStack | None, request: pytest.FixtureRequest) -> AwsTarget:
    """Emulator of the session, or the AWS account of an existing stack."""
    target: AwsTarget = existing or request.getfixturevalue("emulator")
    return target


@pytest.fixture(scope="session")
def clients(target: AwsTarget) -> Clients:
    return Clients.of(target)


@pytest.fixture(scope="session")
def index(existing: ExistingStack | None, clients: Clients, outputs: Mapping[str, str]) -> Iterator[Index]:
    if existing is None:
        yield Index(clients, outputs)
        return
    prefix = smoke_test_prefix(clients.s3, outputs["bucket_name"], uuid.uuid4().hex[:8])
    began = int((time.time() - MAX_CLOCK_SKEW) * 1000)
    index = index_of_existing_stack(clients, outputs, prefix=prefix, since=began)
    yield index
    clean_up(index)


@pytest.fixture(scope="session")
def table(existing: ExistingStack | None, request: pytest.FixtureRequest, outputs: Mapping[str, str]) -> Table:
    """DynamoDB table of the stack as a boto3 resource, as `operations.queries` requires."""
    if existing:
        return existing.table(outputs["table_name"])
    return table_of(request.getfixturevalue("emulator"), outputs["table_name"])


@pytest.fixture(scope="session")
def uploads(target: AwsTarget, index: Index, _send_invalid_events_first: None) -> Mapping[str, Upload]:
    """Results of the upload of every sample and every edge case, by name of the case."""
    uploaded = upload_all(index, [*sample_cases(), *EDGE_CASES])
    if gap(target, Capability.LIST_CONTROL_CHARACTERS):
        for upload in uploaded.values():
            if not upload.case.listable and upload.version_id:
                index.delete_version(upload.case.key, upload.version_id)
    return uploaded


@pytest.fixture(scope="session")
def failures(index: Index) -> FailureQueue:
    return FailureQueue(index)


@pytest.fixture(scope="session")
def invalid_events(index: Index) -> SentEvents:
    """Invalid events, which are sent to the indexer once per test session."""
    return send_invalid_events(index)


@pytest.fixture(scope="session")
def _send_invalid_events_first(request: pytest.FixtureRequest) -> None:
    """Send the events that cannot succeed first, so that Lambda retries them while other tests run."""
    if any("invalid_events" in getattr(item, "fixturenames", ()) for item in request.session.items):
        with suppress(WaitTimeoutError):  # tests that use the invalid events report the timeout themselves
            request.getfixturevalue("invalid_events")


@pytest.fixture(scope="session")
def _operations(
    emulator: Emulator, deploy_stack: DeployStack, request: pytest.FixtureRequest
) -> Iterator[OperationsStack]:
    clients = Clients.of(emulator)
    with existing_buckets(clients.s3):
        deployment = deploy_stack(emulator, config_overrides=OPERATIONS_CONFIG)
        index = Index(clients, deployment.outputs, timeout=OPERATIONS_TIMEOUT)
        settle = SETTLE_SECONDS if gap(emulator, Capability.EVENTS_DURING_AN_UPDATE) else 0.0
        yield OperationsStack(index, settle_seconds=settle)
        _destroy_at_the_end_of_the_session(deployment, request.config)


def _destroy_at_the_end_of_the_session(deployment: Deployment, config: pytest.Config) -> None:
    """Destroy a stack of the session if Pulumi has deployed it, because Pulumi has a state of the stack.

    Otherwise, only the emulator has data of the stack, and the emulator ends with the session. Other fixtures destroy
    stacks during the session, and test_second_stack.py checks that a destroyed stack leaves no resources.
    """
    if config.getoption("--engine") == PULUMI:
        deployment.destroy()


@pytest.fixture
def operations(_operations: OperationsStack, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> OperationsStack:
    """Separate stack for the operations tools, which find the emulator through environment variables."""
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    # An emulator has one server per queue, so a response without messages means an empty queue without long polling.
    monkeypatch.setattr("operations.aws.client.LONG_POLL_SECONDS", 0)
    return _operations


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the end of the emulator's log to the report of a failed test."""
    report = yield
    emulator = item.config.stash.get(_EMULATOR, None)
    if report.failed and emulator:
        lines = (
            line if len(line) < MAX_LINE_LENGTH else f"{line[:MAX_LINE_LENGTH]} ..."
            for line in emulator.logs(20).splitlines()
        )
        report.sections.append((f"the end of the log of {emulator}", "\n".join(lines)))
    return report


def _log_file(config: pytest.Config) -> Path | None:
    """Return the path of the emulator's log; each xdist worker has its own file."""
    log: Path | None = config.getoption("--emulator-log")
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    return log.with_name(f"{log.stem}-{worker}{log.suffix}") if log and worker else log


def _terminal_writer(config: pytest.Config) -> Callable[[str], None]:
    """Return a function that writes a line to the terminal, even while pytest captures output."""

    def write(line: str) -> None:
        if not config.pluginmanager.hasplugin("terminalreporter"):  # an xdist worker has no terminal
            return
        with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            config.pluginmanager.getplugin("terminalreporter").write_line(f"\n{line}")

    return write


def _describe_pulumi_cli(*, install: bool) -> str:
    """Describe the selected Pulumi CLI for pytest's header: its version, and a replaced provider plugin, if any."""
    from localstack.deployers import pulumi_cli  # noqa: PLC0415  importing Pulumi takes most of a second

    cli = pulumi_cli.find(install=install)
    providers = os.environ.get("PULUMI_DEBUG_PROVIDERS")
    replaced = f"; PULUMI_DEBUG_PROVIDERS={providers} replaces a plugin" if providers else ""
    return f"it was requested: CLI {cli.version}{replaced}"
