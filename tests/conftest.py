"""Pytest configuration of all test tiers: markers, options, Hypothesis profiles and environment variables."""

from __future__ import annotations

import functools
import gc
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import hypothesis
import pytest
from botocore.loaders import JSONFileLoader, Loader

from tests.support.selection import MARKERS, add_options, check_options

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent

# Each test folder is a tier. Its tests have a marker with the name of the folder.
TIERS = {
    "unit": "fast tests of single modules, and of the Pulumi program with mocks; no network",
    "property": "property tests with Hypothesis",
    "e2e": "end-to-end tests of a stack that is deployed to an AWS emulator",
    "audit": "tests of the SBOM and of the vulnerability check in `nox -s audit`",
    "content": "tests of the inspector with files of real libraries, and with other programs as judges",
    "browser": "tests of the upload page in a browser, with an emulator that enforces CORS",
}

SLOW = "slow tests, which only `nox -s slow` runs"
CONTROL = "IDs of the security controls in docs/security.md that the test verifies"

REGION = "us-east-1"

MACHINE_PATHS = (str(TESTS.parent), sys.prefix, sys.executable)
"""Paths that an ID of a test must not contain, because they differ between machines."""

# With these invalid credentials, AWS rejects requests that a test sends by mistake. The variables must be set before
# boto3, Powertools and the X-Ray SDK are imported, because these packages read some of them only once.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_XRAY_SDK_ENABLED": "false",
    "POWERTOOLS_TRACE_DISABLED": "1",
}

# Variables of a developer's shell that could change the result of a test: settings of AWS libraries (such as
# AWS_ENDPOINT_URL_S3, which leads requests past moto), of the functions, of the operators' command line and of Pulumi.
REMOVED = re.compile(r"(?:AWS|BOTO|POWERTOOLS|TAPSTACK)_\w+|PULUMI_CONFIG|TAP_(?:TABLE|BUCKET)_NAME|_X_AMZN_TRACE_ID")

# The same for the width and colors of output. The variables are removed after pytest has read them.
TERMINAL = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM", "PYTHON_COLORS", "TTY_COMPATIBLE")

# Original environment variables of the shell. Tests of an existing stack need its AWS credentials.
SHELL_ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name in ENVIRONMENT or REMOVED.fullmatch(name)
}

for _name in SHELL_ENVIRONMENT:
    del os.environ[_name]
os.environ.update(ENVIRONMENT)

# With Python's default thresholds, garbage collection would take half of the test time.
gc.set_threshold(50_000, 20, 1000)

# All botocore sessions share one loader. Otherwise each session would read the same megabytes of JSON again.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
_load_once = functools.cache(JSONFileLoader().load_file)


class _EndpointsOnce(JSONFileLoader):
    """Reads botocore's data about endpoints once for all loaders. The indexer's loader changes the data of services."""

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401  as in the base class
        return super().load_file(file_path) if "service-2" in file_path else _load_once(file_path)


Loader.FILE_LOADER_CLASS = _EndpointsOnce

# Without these settings, Hypothesis fails a correct test on a busy machine, because its examples are slow.
UNTIMED: dict[str, Any] = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}

hypothesis.settings.register_profile("dev", max_examples=25, **UNTIMED)
hypothesis.settings.register_profile(
    "ci", max_examples=300, derandomize=True, print_blob=True, database=None, **UNTIMED
)
# With the profile `nightly`, each of the four parts of the state machine test runs 2,500 random operation sequences.
hypothesis.settings.register_profile("nightly", max_examples=2_500, print_blob=True, **UNTIMED)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "dev")
)  # the option --hypothesis-profile overrides this profile


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser.getgroup("TapStack"))


def pytest_configure(config: pytest.Config) -> None:
    check_options(config)
    if config.getoption("--engine") == "existing":
        _restore_shell_credentials()
    for marker, meaning in {**TIERS, **MARKERS, "control(*ids)": CONTROL, "slow": SLOW}.items():
        config.addinivalue_line("markers", f"{marker}: {meaning}")


def pytest_collection_finish() -> None:
    gc.freeze()  # excludes modules and tests from later garbage collections


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        tier = item.path.relative_to(TESTS).parts[0]
        if tier != "e2e" and config.getoption("--engine") == "existing":
            raise pytest.UsageError(
                "--engine existing uses your own AWS credentials. Run only the tests of the folder tests/e2e."
            )
        if tier not in TIERS:
            folders = ", ".join(f"tests/{name}/" for name in TIERS)
            raise pytest.UsageError(f"{item.path} is in no test tier. Move the file to one of {folders}")
        item.add_marker(tier)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if any(path in item.nodeid for path in MACHINE_PATHS):
        pytest.fail(
            "The ID of this test contains a path of this machine. Set `ids` or `pytest.param(…, id=…)`.", pytrace=False
        )


def _restore_shell_credentials() -> None:
    for name in ENVIRONMENT:
        del os.environ[name]
    os.environ.update(SHELL_ENVIRONMENT)


@pytest.fixture(scope="session", autouse=True)
def _collect_garbage_of_the_session() -> Iterator[None]:
    """Collect garbage at the end of the session, so that unclosed resources of the last tests cause errors."""
    yield
    gc.collect()
    # Frozen objects make two later garbage collections of pytest faster.
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _no_terminal_variables() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in TERMINAL:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module", autouse=True)
def _collect_garbage() -> Iterator[None]:
    """Run a partial garbage collection after each test file, so that unclosed resources cause errors in this file."""
    yield
    gc.collect(1)


@pytest.fixture
def default_signals() -> Iterator[None]:
    """Fixture that restores Python's handling of SIGINT and SIGHUP, for tests that send a signal to a process.

    This process ignores SIGINT if it is a background job of a shell, and SIGHUP if nohup started it. Processes that it
    starts would also ignore them.
    """
    ignored = [each for each in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(autouse=True)
def _restore_environment() -> Iterator[None]:
    """Restore all environment variables after each test."""
    before = _environment()
    yield
    if (after := _environment()) != before:
        for name in after.keys() - before.keys():
            del os.environ[os.fsdecode(name)]
        os.environ.update({os.fsdecode(name): os.fsdecode(value) for name, value in before.items()})


def _environment() -> dict[str | bytes, str | bytes]:
    """Return the environment in the internal encoding of os.environ, because decoding twice per test would be slow.

    The variable PYTEST_CURRENT_TEST is omitted because pytest changes it during a test.
    """
    variables: dict[str | bytes, str | bytes] = vars(os.environ)["_data"].copy()
    for name in ("PYTEST_CURRENT_TEST", b"PYTEST_CURRENT_TEST"):
        variables.pop(name, None)
    return variables
