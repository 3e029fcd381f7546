"""Shared by all tiers: markers by folder, Hypothesis profiles, a harmless environment, options of the e2e tier."""

from __future__ import annotations

import functools
import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.session
import hypothesis
import pytest

from tests.support.selection import MARKERS, add_options, check_options

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent

# A folder of tests is a tier, and its tests carry the marker of the same name.
TIERS = {
    "unit": "one piece, or the whole program under Pulumi's mocks; no network, no process, milliseconds each",
    "property": "Hypothesis: what must hold for any input",
    "e2e": "the stack deployed on an emulator and read back through AWS's API",
    "audit": "what `nox -s audit` reports: an SBOM of what is shipped, and what is known to be vulnerable in it",
    "browser": "the upload page in a real browser, against an emulator that enforces CORS",
}

CONTROL = "the test proves these controls of docs/security.md, which names it there"

REGION = "us-east-1"

# Nobody's credentials: a test that reaches the real AWS by mistake is turned away. Set before anything imports boto3,
# Powertools or the X-Ray SDK, which look at them once.
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

# What a developer's shell may carry and no test may see.
REMOVED = (
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_CA_BUNDLE",
    "PULUMI_CONFIG",
    "TAP_TABLE_NAME",
    "TAP_BUCKET_NAME",
)

# What the shell had; the tests of a stack that is already deployed need the credentials in it.
SHELL_ENVIRONMENT = {name: os.environ.get(name) for name in (*ENVIRONMENT, *REMOVED)}

os.environ.update(ENVIRONMENT)
for _name in REMOVED:
    os.environ.pop(_name, None)

# Otherwise half of the time would go into garbage collection of modules and models of AWS; see _collect_garbage below.
gc.set_threshold(50_000, 20, 1000)

# Every session of botocore looks for and reads the same megabytes of JSON, as if other clients had not done so before.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)

hypothesis.settings.register_profile("dev", max_examples=25, deadline=None)
hypothesis.settings.register_profile(
    "ci", max_examples=300, deadline=None, derandomize=True, print_blob=True, database=None
)
# The model of nothing lost and nothing doubled has four parts: 10,000 histories in all.
hypothesis.settings.register_profile("nightly", max_examples=2_500, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))  # --hypothesis-profile wins


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser.getgroup("TapStack"))


def pytest_configure(config: pytest.Config) -> None:
    check_options(config)
    if config.getoption("--engine") == "existing":
        _restore_shell_credentials()
    for marker, meaning in {**TIERS, **MARKERS, "control(*ids)": CONTROL}.items():
        config.addinivalue_line("markers", f"{marker}: {meaning}")


def pytest_collection_finish() -> None:
    gc.freeze()  # modules and tests stay


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        tier = item.path.relative_to(TESTS).parts[0]
        if tier != "e2e" and config.getoption("--engine") == "existing":
            raise pytest.UsageError(
                "--engine existing works with your own AWS credentials: name tests/e2e, so that only those tests run"
            )
        if tier not in TIERS:
            folders = ", ".join(f"tests/{name}/" for name in TIERS)
            raise pytest.UsageError(f"{item.path} is in no tier: tests live in {folders}")
        item.add_marker(tier)


def _restore_shell_credentials() -> None:
    for name, value in SHELL_ENVIRONMENT.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session", autouse=True)
def _collect_garbage_of_the_session() -> Iterator[None]:
    """What was left open, and is found only when it is thrown away, is an error even of the last test of a process."""
    yield
    gc.collect()
    gc.freeze()  # pytest will look twice more


@pytest.fixture(scope="module", autouse=True)
def _collect_garbage() -> Iterator[None]:
    """What was left open is found in the file that did it, if it is young, and not wherever Python happens to look."""
    yield
    gc.collect(1)


@pytest.fixture(autouse=True)
def _restore_environment() -> Iterator[None]:
    """No test can leave an environment variable behind for the next one."""
    before = _environment()
    yield
    if (after := _environment()) != before:
        for name in after.keys() - before.keys():
            del os.environ[os.fsdecode(name)]
        os.environ.update({os.fsdecode(name): os.fsdecode(value) for name, value in before.items()})


def _environment() -> dict[str | bytes, str | bytes]:
    """All variables as os.environ keeps them: to decode them, twice for each test, would take as long as many tests.

    Without that in which pytest says where it is, since it changes within a test.
    """
    variables: dict[str | bytes, str | bytes] = vars(os.environ)["_data"].copy()
    for name in ("PYTEST_CURRENT_TEST", b"PYTEST_CURRENT_TEST"):
        variables.pop(name, None)
    return variables
