"""Previews, updates without unnecessary changes, and destruction by Pulumi's own engine.

With a stand-in for the AWS plugin (PULUMI_DEBUG_PROVIDERS) these test what the engine does with the program; only the
plugin itself can test that AWS accepts it.
"""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from localstack.errors import DeploymentError
from tests.e2e.account_snapshot import snapshot
from tests.e2e.alarms import ALARMS_OF_A_STACK

if TYPE_CHECKING:
    from localstack.deployers.pulumi_stack import Outcome, PulumiStack
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Clients
    from tests.support.selection import DeployStack

pytestmark = pytest.mark.only_engine("pulumi")

OpenStack: TypeAlias = "Callable[[Path, dict[str, str]], PulumiStack]"

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tap_stack.py"
SECRET = "somebody-in-particular@example.com"

DATA_RESOURCES = {"tap-uploads", "tap-logs", "tap-objects"}

ALARMS = set(ALARMS_OF_A_STACK)
QUERIES = {
    f"query-{purpose}"
    for purpose in ("what-failed", "one-object", "slowest-records", "failures-by-reason", "retries-and-throttling")
}
SCALING = {
    f"{part}-{units}-scaling{end}"
    for part in ("table", "index")
    for units in ("read", "write")
    for end in ("", "-policy")
}

CHANGES: Mapping[str, tuple[str, set[str], set[str]]] = {
    "memoryMb": ("1024", {"indexer"}, set()),
    "timeoutSeconds": ("30", {"indexer", "function-duration", "dashboard"}, set()),
    "logLevel": ("WARNING", {"indexer"}, set()),
    "logRetentionDays": ("7", {"indexer-logs"}, set()),
    "writeCapacity": ("50", {"objects", "table-write-capacity", "index-write-capacity", "dashboard"}, set()),
    # the table's own units are autoscaling's from then on
    "maxCapacity": ("500", {"table-write-capacity", "index-write-capacity"}, SCALING),
    "corsAllowedOrigins": ("https://a.example.com,https://b.example.com", {"uploads-cors"}, set()),
    "noncurrentDays": ("30", {"uploads-lifecycle"}, set()),
    "deletedRetentionDays": ("30", {"indexer"}, set()),
    "notificationPrefix": ("in/", {"uploads-notification"}, set()),
    "alarmEmail": ("oncall@example.com", set(), {"alarms-email"}),
    "kmsKeyArn": (
        "arn:aws:kms:us-east-1:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        {"uploads-encryption", "uploads-policy", "objects", "failures", "indexer-logs", "indexer-policy", "alarms"},
        set(),
    ),
    "savedQueries": ("true", set(), QUERIES),
    "protectData": ("true", {"uploads", "logs", "objects"}, set()),
    "owner": (
        "lake",
        {"uploads", "logs", "objects", "indexer", "indexer-role", "indexer-logs", "failures", "alarms"} | ALARMS,
        set(),
    ),
}
"""By key: another value, and what it updates and what it creates, by its name in the program."""

STAND_IN_VERSION_WARNING = re.compile(r"resource plugin aws is expected to have version >=[\d.]+, but has [\d.]+;")
"""The one thing that may be complained of, and only where something takes the place of the plugin."""


FAILING_PROGRAM = """\
    import pulumi
    import pulumi_aws as aws


    def fail(name: str) -> str:
        raise ValueError("I dislike " + name)


    protected = pulumi.ResourceOptions(protect=True)
    aws.sqs.Queue("queue", name="toy-half-made", opts=protected).name.apply(fail)
"""


@pytest.fixture(scope="module")
def open_stack(emulator: Emulator, request: pytest.FixtureRequest) -> Iterator[OpenStack]:
    """Opens stacks, and closes them at the end; destroys them, protected or not, if a test did not."""
    from localstack.deployers.pulumi_stack import PulumiStack  # noqa: PLC0415  importing Pulumi takes most of a second

    opened: list[PulumiStack] = []

    def open_stack(program: Path, config: dict[str, str]) -> PulumiStack:
        install = bool(request.config.getoption("--install-pulumi"))
        opened.append(PulumiStack(emulator, program=program, install_pulumi=install))
        opened[-1].configure(config)
        return opened[-1]

    yield open_stack
    for stack in opened:
        if stack.resources():
            stack.unlock()
            stack.destroy()
        stack.close()


@pytest.fixture(scope="module")
def copied_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program in a copy of this project, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("a copy of ours", numbered=False)
    for name in ("tap_stack.py", "Pulumi.yaml", "Pulumi.localstack.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "lambda_code", folder / "lambda_code", ignore=shutil.ignore_patterns("__pycache__"))
    if (built := ROOT / ".cache" / "lambda").is_dir():  # otherwise it is built from the package index
        shutil.copytree(built, folder / ".cache" / "lambda")
    return folder / "tap_stack.py"


@pytest.fixture(scope="module")
def copied_stack(open_stack: OpenStack, copied_program: Path) -> PulumiStack:
    """A stack that is up to date, whose program is in the copy."""
    stack = open_stack(copied_program, {"env": "engine"})
    stack.up()
    return stack


def test_a_stack_is_previewed_created_and_destroyed_without_a_trace(open_stack: OpenStack, clients: Clients) -> None:
    before = snapshot(clients)
    stack = open_stack(PROGRAM, {"env": "short"})
    stack.configure({"alarmEmail": SECRET}, secret=True)

    preview = stack.preview()
    assert _unexpected_complaints(preview) == []  # although no output is known yet
    assert {change.op for change in preview.changes} == {"create"}
    assert {change.name for change in preview.changes} >= DATA_RESOURCES

    update = stack.up()
    assert update.changed == preview.changed
    assert _unexpected_complaints(update) == []

    state = {str(path): path.read_text() for path in stack.folder.rglob("*") if path.is_file()}
    assert any("urn:pulumi:localstack::tapstack::" in text for text in state.values())
    assert any("TopicSubscription" in text for text in state.values())
    assert [path for path, text in state.items() if SECRET in text] == []
    assert [name for name, value in stack.outputs().items() if SECRET in value] == []

    stack.destroy()
    assert stack.resources() == []
    assert snapshot(clients) == before


@pytest.mark.parametrize("folder", ["the copy", "this project"])
def test_a_second_update_leaves_every_resource_unchanged(
    copied_stack: PulumiStack, copied_program: Path, folder: str
) -> None:
    """Including the function's archive: it depends neither on the project's path nor on the time of its build."""
    copied_stack.run_from(PROGRAM if folder == "this project" else copied_program)
    try:
        outcome = copied_stack.up()
    finally:
        copied_stack.run_from(copied_program)
    assert outcome.changed == set()
    assert {change.name for change in outcome.changes} >= DATA_RESOURCES
    assert _unexpected_complaints(outcome) == []


@pytest.mark.parametrize("key", CHANGES)
def test_one_key_changes_exactly_what_it_should_and_replaces_nothing(copied_stack: PulumiStack, key: str) -> None:
    value, updated, created = CHANGES[key]
    account = copied_stack.outputs()["lambda_function_arn"].split(":")[4]  # the emulator's, or that of a stand-in
    copied_stack.configure({key: value.format(account=account)})
    try:
        outcome = copied_stack.preview()
    finally:
        copied_stack.unconfigure(key)
        if key in ("corsAllowedOrigins", "protectData", "savedQueries"):  # Pulumi.localstack.yaml has these
            copied_stack.configure(
                {"corsAllowedOrigins": "http://localhost:3000", "protectData": "false", "savedQueries": "false"}
            )
    expected = {("update", f"tap-{name}") for name in updated} | {("create", f"tap-{name}") for name in created}
    assert {(change.op, change.name) for change in outcome.changed} == expected
    assert _unexpected_complaints(outcome) == []


def test_a_change_is_made_as_it_was_previewed_and_can_be_taken_back(copied_stack: PulumiStack) -> None:
    copied_stack.configure({"memoryMb": "1024"})
    there = copied_stack.up()
    copied_stack.unconfigure("memoryMb")
    back = copied_stack.up()
    for outcome in (there, back):
        assert [str(change) for change in outcome.changed] == ["update aws:lambda/function:Function 'tap-indexer'"]


def test_protected_data_refuses_to_go(open_stack: OpenStack) -> None:
    """As `pulumi destroy` would do it, which looks at each resource by itself."""
    stack = open_stack(PROGRAM, {"env": "guarded", "protectData": "true"})
    stack.up()
    with pytest.raises(DeploymentError, match="protected"):
        stack.destroy()
    left = {resource["urn"].rpartition("::")[2]: resource for resource in stack.resources()}
    assert set(left) >= DATA_RESOURCES
    assert [name for name in DATA_RESOURCES if not left[name].get("protect")] == []
    assert left["tap-objects"]["inputs"]["deletionProtectionEnabled"] is True
    assert {left[name]["inputs"]["forceDestroy"] for name in ("tap-uploads", "tap-logs")} == {False}


def test_a_failed_update_says_where_and_why_and_leaves_nothing(
    emulator: Emulator, clients: Clients, deploy_stack: DeployStack, tmp_path: Path
) -> None:
    before = snapshot(clients)
    (tmp_path / "Pulumi.yaml").write_text("name: toy\nruntime: python\n", encoding="utf-8")
    (tmp_path / "Pulumi.localstack.yaml").write_text("config:\n  aws:region: us-east-1\n", encoding="utf-8")
    program = tmp_path / "toy.py"
    program.write_text(textwrap.dedent(FAILING_PROGRAM), encoding="utf-8")
    with pytest.raises(DeploymentError) as failure:
        deploy_stack(emulator, program=program)
    assert str(failure.value) == (
        "the update of the stack 'localstack' failed:\n"
        "  Program failed with an unhandled exception at toy.py, line 6: ValueError: I dislike toy-half-made\n"
        "the created resources were destroyed (1 resource)"
    )
    assert snapshot(clients) == before


def _unexpected_complaints(outcome: Outcome) -> list[str]:
    """What the engine, or the program, complained of."""
    stood_in = "PULUMI_DEBUG_PROVIDERS" in os.environ
    return [text for text in outcome.warnings if not (stood_in and STAND_IN_VERSION_WARNING.match(text))]
