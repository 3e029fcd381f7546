"""What only Pulumi's own engine can show: previews, updates that change nothing or just enough, and destroying.

With a stand-in for the AWS plugin (PULUMI_DEBUG_PROVIDERS) these show what the engine does with the program; that AWS
takes it only the plugin itself can show.
"""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from localstack.errors import DeploymentError
from tests.e2e.alarms import PURPOSES
from tests.e2e.inventory import everything

if TYPE_CHECKING:
    from localstack.deployers.pulumi_stack import Outcome, PulumiStack
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Clients
    from tests.support.selection import Deploys

pytestmark = pytest.mark.only_engine("pulumi")

Opens: TypeAlias = "Callable[[Path, dict[str, str]], PulumiStack]"

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tap_stack.py"
SECRET = "somebody-in-particular@example.com"

HOLD_DATA = {"tap-uploads", "tap-logs", "tap-objects"}

ALARMS = set(PURPOSES)
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

VERSION_OF_A_STAND_IN = re.compile(r"resource plugin aws is expected to have version >=[\d.]+, but has [\d.]+;")
"""The one thing that may be complained of, and only where something takes the place of the plugin."""


FAILS_HALFWAY = """\
    import pulumi
    import pulumi_aws as aws


    def dislike(name: str) -> str:
        raise ValueError("I dislike " + name)


    protected = pulumi.ResourceOptions(protect=True)
    aws.sqs.Queue("queue", name="toy-half-made", opts=protected).name.apply(dislike)
"""


@dataclass(frozen=True, kw_only=True)
class Life:
    """A stack from its first preview to its end, and what there was when."""

    preview: Outcome
    up: Outcome
    outputs: dict[str, str]
    state: dict[str, str]
    before: set[tuple[str, str]]
    remaining: list[str]
    after: set[tuple[str, str]]


@pytest.fixture(scope="module")
def opens(emulator: Emulator, request: pytest.FixtureRequest) -> Iterator[Opens]:
    """Makes stacks that are closed at the end; destroying them, protected or not, if a test did not."""
    from localstack.deployers.pulumi_stack import PulumiStack  # noqa: PLC0415  importing Pulumi takes most of a second

    opened: list[PulumiStack] = []

    def open_one(program: Path, config: dict[str, str]) -> PulumiStack:
        install = bool(request.config.getoption("--install-pulumi"))
        opened.append(PulumiStack(emulator, program=program, install_pulumi=install))
        opened[-1].configure(config)
        return opened[-1]

    yield open_one
    for stack in opened:
        if stack.resources():
            stack.unlock()
            stack.destroy()
        stack.close()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program in a copy of this project, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("a copy of ours", numbered=False)
    for name in ("tap_stack.py", "Pulumi.yaml", "Pulumi.localstack.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "lambda_code", folder / "lambda_code", ignore=shutil.ignore_patterns("__pycache__"))
    if (built := ROOT / ".cache" / "lambda").is_dir():  # otherwise it is built from the package index
        shutil.copytree(built, folder / ".cache" / "lambda")
    return folder / "tap_stack.py"


@pytest.fixture(scope="module")
def deployed(opens: Opens, elsewhere: Path) -> PulumiStack:
    """A stack that is up to date, whose program is in the copy."""
    stack = opens(elsewhere, {"env": "engine"})
    stack.up()
    return stack


@pytest.fixture(scope="module")
def life(opens: Opens, clients: Clients) -> Life:
    before = everything(clients)
    stack = opens(PROGRAM, {"env": "short"})
    stack.configure({"alarmEmail": SECRET}, secret=True)
    preview, up, outputs = stack.preview(), stack.up(), stack.outputs()
    state = {str(path): path.read_text() for path in stack.folder.rglob("*") if path.is_file()}
    stack.destroy()
    return Life(
        preview=preview,
        up=up,
        outputs=outputs,
        state=state,
        before=before,
        remaining=[resource["urn"] for resource in stack.resources()],
        after=everything(clients),
    )


def test_the_first_preview_is_clean_although_nothing_is_known_yet(life: Life) -> None:
    assert _complaints(life.preview) == []
    assert {change.op for change in life.preview.changes} == {"create"}
    assert {change.name for change in life.preview.changes} >= HOLD_DATA


def test_an_update_does_what_its_preview_said_without_a_warning(life: Life) -> None:
    assert life.up.changed == life.preview.changed
    assert _complaints(life.up) == []


def test_an_address_that_was_given_as_a_secret_is_nowhere_in_plain_text(life: Life) -> None:
    assert any("urn:pulumi:localstack::tapstack::" in text for text in life.state.values())
    assert any("TopicSubscription" in text for text in life.state.values())
    assert [path for path, text in life.state.items() if SECRET in text] == []
    assert [name for name, value in life.outputs.items() if SECRET in value] == []


def test_destroying_leaves_nothing(life: Life) -> None:
    assert life.remaining == []
    assert life.after == life.before


def test_a_second_update_leaves_every_resource_unchanged(deployed: PulumiStack) -> None:
    outcome = deployed.up()
    assert outcome.changed == set()
    assert {change.name for change in outcome.changes} >= HOLD_DATA
    assert _complaints(outcome) == []


def test_an_update_from_another_folder_leaves_every_resource_unchanged(deployed: PulumiStack, elsewhere: Path) -> None:
    """The function's archive included: it depends neither on where the project lies nor on when it was built."""
    deployed.run_from(PROGRAM)
    try:
        outcome = deployed.up()
    finally:
        deployed.run_from(elsewhere)
    assert outcome.changed == set()
    assert _complaints(outcome) == []


@pytest.mark.parametrize("key", CHANGES)
def test_one_key_changes_exactly_what_it_should_and_replaces_nothing(deployed: PulumiStack, key: str) -> None:
    value, updated, created = CHANGES[key]
    account = deployed.outputs()["lambda_function_arn"].split(":")[4]  # the emulator's, or that of a stand-in
    deployed.configure({key: value.format(account=account)})
    try:
        outcome = deployed.preview()
    finally:
        deployed.unconfigure(key)
        if key in ("corsAllowedOrigins", "protectData", "savedQueries"):  # Pulumi.localstack.yaml has these
            deployed.configure(
                {"corsAllowedOrigins": "http://localhost:3000", "protectData": "false", "savedQueries": "false"}
            )
    expected = {("update", f"tap-{name}") for name in updated} | {("create", f"tap-{name}") for name in created}
    assert {(change.op, change.name) for change in outcome.changed} == expected
    assert _complaints(outcome) == []


def test_a_change_is_made_as_it_was_previewed_and_can_be_taken_back(deployed: PulumiStack) -> None:
    deployed.configure({"memoryMb": "1024"})
    there = deployed.up()
    deployed.unconfigure("memoryMb")
    back = deployed.up()
    for outcome in (there, back):
        assert [str(change) for change in outcome.changed] == ["update aws:lambda/function:Function 'tap-indexer'"]


def test_protected_data_refuses_to_go(opens: Opens) -> None:
    """As `pulumi destroy` would do it, which looks at each resource by itself."""
    stack = opens(PROGRAM, {"env": "guarded", "protectData": "true"})
    stack.up()
    with pytest.raises(DeploymentError, match="protected"):
        stack.destroy()
    left = {resource["urn"].rpartition("::")[2]: resource for resource in stack.resources()}
    assert set(left) >= HOLD_DATA
    assert [name for name in HOLD_DATA if not left[name].get("protect")] == []
    assert left["tap-objects"]["inputs"]["deletionProtectionEnabled"] is True
    assert {left[name]["inputs"]["forceDestroy"] for name in ("tap-uploads", "tap-logs")} == {False}


def test_a_failed_update_says_where_and_why_and_leaves_nothing(
    emulator: Emulator, clients: Clients, deploys: Deploys, tmp_path: Path
) -> None:
    before = everything(clients)
    (tmp_path / "Pulumi.yaml").write_text("name: toy\nruntime: python\n", encoding="utf-8")
    (tmp_path / "Pulumi.localstack.yaml").write_text("config:\n  aws:region: us-east-1\n", encoding="utf-8")
    program = tmp_path / "toy.py"
    program.write_text(textwrap.dedent(FAILS_HALFWAY), encoding="utf-8")
    with pytest.raises(DeploymentError) as failure:
        deploys(emulator, program=program)
    assert str(failure.value) == (
        "the update of the stack 'localstack' failed:\n"
        "  Program failed with an unhandled exception at toy.py, line 6: ValueError: I dislike toy-half-made\n"
        "what had been created was destroyed again (1 resource)"
    )
    assert everything(clients) == before


def _complaints(outcome: Outcome) -> list[str]:
    """What the engine, or the program, complained of."""
    stood_in = "PULUMI_DEBUG_PROVIDERS" in os.environ
    return [text for text in outcome.warnings if not (stood_in and VERSION_OF_A_STAND_IN.match(text))]
