"""Tests of the settings that `cost` and `capacity` read from a Pulumi stack file and from their options."""

from __future__ import annotations

import codecs
import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tap_stack
from operations.planning.configuration import HOURS, JSON_KEYS, KEYS, LOG_RETENTION_DAYS, PRESENCE, WITHOUT_EFFECT
from operations.planning.scenario import ASYNC_RETRIES, StackSettings
from tests.support.nonempty import nonempty

if TYPE_CHECKING:
    from tests.unit.planning.conftest import Command

pytestmark = [pytest.mark.usefixtures("short_simulations"), pytest.mark.slow]

ROOT = Path(__file__).parents[3]
PROD = """\
secretsprovider: passphrase
encryptionsalt: v1:VDqRxdzYmSk=:v1:AAAA
config:
  aws:region: us-east-1
  tapstack:env: prod
  tapstack:corsAllowedOrigins:
    - https://app.example.com
  tapstack:alarmEmail:
    secure: AAABAKgGu0ZDnpvMPQcSJbkv
  tapstack:writeCapacity: 50
  tapstack:readCapacity: "20"
  tapstack:tableClass: infrequent-access
  tapstack:logLevel: WARNING
  other:writeCapacity: many
"""


def config(*lines: str) -> str:
    return "config:\n" + "".join(f"  {line}\n" for line in lines)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(PROD, encoding="utf-8")
    return path


def test_existing_buckets_of_a_stack_file_add_their_alarms_and_metrics_to_the_bill(run: Command, stack: Path) -> None:
    before = {item["part"]: item["dollars"] for item in cost(run, stack)["items"]}
    buckets = ("tapstack:existingBuckets:", "  - name: a", "    versioned: true", "  - name: b", "    versioned: false")
    stack.write_text(PROD + config(*buckets).removeprefix("config:\n"), encoding="utf-8")
    after = {item["part"]: item["dollars"] for item in cost(run, stack)["items"]}
    added = {part: round(after[part] - before[part], 2) for part in after if after[part] != before[part]}
    assert added == {"alarms": 0.2, "metrics": 0.6}


def cost(run: Command, stack: Path, *options: str) -> dict[str, Any]:
    assert run("cost", "--per-day=1000", "--json", f"--stack={stack}", *options) == 0, run.errors
    document: dict[str, Any] = json.loads(run.output)
    return document


def rejected(run: Command, stack: Path, *options: str, tool: str = "cost") -> str:
    assert run(tool, "--per-day=1000", f"--stack={stack}", *options) == 2
    [error] = run.errors.splitlines()
    return error


def test_cost_tool_reads_the_settings_of_a_stack_file(run: Command, stack: Path) -> None:
    settings = cost(run, stack)["settings"]
    changed = {key: value for key, value in settings.items() if value != cost_defaults()[key]}
    assert changed == {
        "writeCapacity": 50,
        "readCapacity": 20,
        "tableClass": "infrequent-access",
        "logLevel": "WARNING",
    }


def cost_defaults() -> dict[str, object]:
    defaults = StackSettings()
    return {
        **{key.name: getattr(defaults, attribute) for attribute, key in KEYS.items()},
        **{key: getattr(defaults, attribute) for key, attribute in (PRESENCE | JSON_KEYS).items()},
    }


@pytest.mark.parametrize(
    "encoded",
    [
        PROD.encode(),
        codecs.BOM_UTF8 + PROD.encode(),
        codecs.BOM_UTF16_LE + PROD.replace("\n", "\r\n").encode("utf-16-le"),
        codecs.BOM_UTF16_BE + PROD.encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-8 with byte order mark", "utf-16 of Windows", "utf-16 big endian"],
)
def test_cost_tool_reads_a_stack_file_in_each_encoding(run: Command, stack: Path, encoded: bytes) -> None:
    stack.write_bytes(encoded)
    assert cost(run, stack)["settings"]["writeCapacity"] == 50


@pytest.mark.parametrize("content", ["", "config:\n", "config: {}\n", "encryptionsalt: v1:x\n"])
def test_cost_tool_uses_the_defaults_and_prints_a_note_for_a_stack_file_without_configuration(
    run: Command, stack: Path, content: str
) -> None:
    stack.write_text(content, encoding="utf-8")
    document = cost(run, stack)
    assert document["settings"] == cost_defaults()
    assert "Pulumi.prod.yaml sets no key of the project tapstack, so the defaults were used" in document["notes"]


def test_example_stack_files_of_the_repository_are_valid(run: Command) -> None:
    for path in nonempty(ROOT.glob("Pulumi.*.yaml")):
        assert cost(run, path)["settings"]["billing"] == "provisioned"


def test_keys_of_a_stack_file_belong_to_the_project_in_its_folder(run: Command, stack: Path) -> None:
    """The namespace of the keys is the project name. A key without a namespace belongs to the project too."""
    (stack.parent / "Pulumi.yaml").write_text(
        "name: uploads\nruntime: python\n"
        + config("aws:region: eu-central-1", "memoryMb: 1024", "logLevel:", "  default: ERROR"),
        encoding="utf-8",
    )
    stack.write_text(config("uploads:billing: on-demand", "logRetentionDays: 7", "tapstack:tableClass: none"))
    document = cost(run, stack)
    changed = {key: value for key, value in document["settings"].items() if value != cost_defaults()[key]}
    assert changed == {"billing": "on-demand", "logRetentionDays": 7, "memoryMb": 1024, "logLevel": "ERROR"}
    assert "the stack is in eu-central-1, but the prices are those of us-east-1" in document["notes"]


def test_presence_of_a_key_adds_its_cost_even_if_its_value_is_encrypted(run: Command, stack: Path) -> None:
    before = {item["part"]: item["dollars"] for item in cost(run, stack)["items"]}
    stack.write_text(PROD + "  tapstack:kmsKeyArn:\n    secure: AAAB\n  tapstack:expectUploadEveryHours: 24\n")
    after = {item["part"]: item["dollars"] for item in cost(run, stack)["items"]}
    assert after.keys() - before.keys() == {"key", "key_requests"}
    assert after["alarms"] - before["alarms"] == pytest.approx(0.10)


@pytest.mark.parametrize("written", ["[{name: logs, versioned: true}, {name: data}]", "'[{}, {}]'"])
def test_existing_buckets_and_event_bridge_of_a_stack_file_add_their_cost(
    run: Command, stack: Path, written: str
) -> None:
    before = {item["part"]: item["dollars"] for item in cost(run, stack)["items"]}
    stack.write_text(f"{PROD}  tapstack:existingBuckets: {written}\n  tapstack:eventBridge: true\n", encoding="utf-8")
    document = cost(run, stack)
    after = {item["part"]: item["dollars"] for item in document["items"]}
    assert after.keys() - before.keys() == {"event_bridge"}
    assert after["alarms"] - before["alarms"] == pytest.approx(2 * 0.10)
    assert after["metrics"] - before["metrics"] == pytest.approx(2 * 0.30)
    assert (document["settings"]["existingBuckets"], document["settings"]["eventBridge"]) == (2, True)
    assert [note for note in document["notes"] if "EventBridge for existing buckets are not included" in note]


@pytest.mark.parametrize("line", ["existingBuckets: logs", "existingBuckets: {secure: AAAB}", "eventBridge: maybe"])
def test_invalid_key_about_event_bridge_in_a_stack_file_is_an_error(run: Command, stack: Path, line: str) -> None:
    stack.write_text(f"{PROD}  tapstack:{line}\n", encoding="utf-8")
    error = rejected(run, stack)
    assert f"Pulumi.prod.yaml: {line.partition(':')[0]}: " in error
    assert "is not valid: give " in error


def test_option_replaces_an_encrypted_value(run: Command, stack: Path) -> None:
    stack.write_text(config("tapstack:memoryMb: {secure: AAAB}"), encoding="utf-8")
    assert cost(run, stack, "--memory-mb=1024")["settings"]["memoryMb"] == 1024


@pytest.mark.parametrize(
    ("tool", "key"), [("cost", "timeoutSeconds"), ("cost", "maxOnDemandReads"), ("capacity", "logLevel")]
)
def test_encrypted_value_without_an_option_is_ignored_with_a_note(
    run: Command, stack: Path, tool: str, key: str
) -> None:
    stack.write_text(config(f"tapstack:{key}: {{secure: AAAB}}"), encoding="utf-8")
    assert run(tool, "--per-day=1000", f"--stack={stack}") == 0
    assert f"note: Pulumi.prod.yaml: {key} is encrypted, so its default was used" in run.lines


def test_cost_tool_prints_a_note_about_a_pulumi_esc_environment_that_was_not_read(run: Command, stack: Path) -> None:
    stack.write_text(PROD + "environment:\n  - aws/prod\n", encoding="utf-8")
    expected = "Pulumi.prod.yaml imports an environment of Pulumi ESC, whose values were not read"
    assert expected in cost(run, stack)["notes"]
    run("capacity", "--per-day=1000", f"--stack={stack}")
    assert f"note: {expected}" in run.lines


def test_options_override_the_stack_file(run: Command, stack: Path) -> None:
    settings = cost(run, stack, "--write-capacity=10", "--table-class=standard")["settings"]
    assert (settings["writeCapacity"], settings["readCapacity"], settings["tableClass"]) == (10, 20, "standard")


@pytest.mark.parametrize(
    ("content", "option", "removed"),
    [
        (PROD, "--billing=on-demand", "writeCapacity"),
        (
            config("tapstack:billing: on-demand", "tapstack:maxOnDemandWrites: 5"),
            "--billing=provisioned",
            "maxOnDemandWrites",
        ),
    ],
)
def test_option_with_the_other_billing_mode_removes_the_capacity_keys_of_the_stack_file(
    run: Command, stack: Path, content: str, option: str, removed: str
) -> None:
    stack.write_text(content, encoding="utf-8")
    settings = cost(run, stack, option)["settings"]
    assert settings["billing"] == option.partition("=")[2]
    assert settings[removed] == cost_defaults()[removed]


def test_capacity_tool_reads_the_settings_of_a_stack_file(run: Command, stack: Path) -> None:
    stack.write_text(
        config(
            "tapstack:billing: on-demand",
            "tapstack:maxOnDemandWrites: 5",
            "tapstack:timeoutSeconds: 60",
            "tapstack:reservedConcurrency: 7",
        )
    )
    assert run("capacity", "--per-day=1000", f"--stack={stack}", "--no-inspect-content") == 0
    expected = (
        "billing on-demand, maxOnDemandWrites 5, inspectContent false; at most 7 concurrent executions (reserved)"
    )
    assert f"stack     {expected}, timeout 60 s, 512 MB" in run.lines
    assert "5.0 rows per second" in run.output


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("writeCapacity: 0", "writeCapacity: '0' is not valid: give a whole number of 1 to 40,000 capacity units"),
        ("writeCapacity: 1_000", "writeCapacity: '1_000' is not valid: give a whole number"),
        ("writeCapacity: many", "writeCapacity: 'many' is not valid"),
        ("writeCapacity: [5]", "writeCapacity: a list is not valid"),
        (
            "billing: ondemand",
            "billing: 'ondemand' is not valid: give one of provisioned, on-demand, with `pulumi config set",
        ),
        ("logRetentionDays: 2", "logRetentionDays: '2' is not valid: give one of 1, 3, 5, 7,"),
        ("writeCapacty: 5", "tapstack:writeCapacty is not a configuration key of the stack: the keys are alarmEmail, "),
        ("writeCapacty: 5", "Try: pulumi config rm writeCapacty"),
        ("maxCapacity: 50", "maxCapacity 50 is less than the default of readCapacity, 100: give at least 100"),
        (
            "maxOnDemandWrites: 50",
            "maxOnDemandWrites 50 contradicts billing provisioned: remove it, or change billing to on-demand",
        ),
        (
            "memoryMb: {secure: AAAB}",
            "memoryMb is encrypted, and has an effect on the result: give its value with --memory-mb",
        ),
        (
            "expectUploadEveryHours: 0",
            "expectUploadEveryHours: '0' is not valid: give a whole number of 1 to",
        ),
        ("expectAuditEveryHours: 1000", "expectAuditEveryHours: '1000' is not valid: give a whole number of 1 to 168"),
        ("expectAuditEveryHours: never", "expectAuditEveryHours: 'never' is not valid"),
        ('kmsKeyArn: ""', "kmsKeyArn: '' is not valid: give a value, or remove the key with `pulumi config rm"),
    ],
)  # fmt: skip  One case per line is easier to compare.
def test_invalid_key_or_value_of_a_stack_file_is_an_error_with_a_remedy(
    run: Command, stack: Path, line: str, error: str
) -> None:
    stack.write_text(config(f"tapstack:{line}"), encoding="utf-8")
    message = rejected(run, stack)
    assert message.startswith("cost: Pulumi.prod.yaml: ")
    assert error in message


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (config("tapstack:readCapacity: 100", "tapstack:readCapacity: 4000"), "tapstack:readCapacity"),
        (config("tapstack:readCapacity: 100") + config("tapstack:writeCapacity: 400"), "config"),
    ],
)
def test_duplicate_key_of_a_stack_file_is_an_error(run: Command, stack: Path, text: str, key: str) -> None:
    """Pulumi rejects such a file."""
    stack.write_text(text)
    assert f"the key '{key}' occurs twice: remove one of them" in rejected(run, stack)


@pytest.mark.parametrize("value", ["0200", '"00"', "-01"])
def test_number_with_a_leading_zero_is_an_error(run: Command, stack: Path, value: str) -> None:
    """Pulumi reads 0200 as an octal number."""
    stack.write_text(config(f"tapstack:readCapacity: {value}"))
    assert f"readCapacity: {value.strip(chr(34))!r} is not valid: give a whole number" in rejected(run, stack)


def test_error_about_a_value_quotes_only_its_beginning(run: Command, stack: Path) -> None:
    """Aliases of YAML can describe a value of many gigabytes in a few lines."""
    lists = [f"k{number}: &k{number} [{', '.join([f'*k{number - 1}'] * 9)}]" for number in range(1, 12)]
    stack.write_text("\n".join(["k0: &k0 x", *lists, config("tapstack:readCapacity: *k11")]))
    assert "readCapacity: a list is not valid: give" in rejected(run, stack)
    stack.write_text(config("tapstack:readCapacity: {a: b}"))
    assert "readCapacity: a mapping is not valid: give" in rejected(run, stack)
    stack.write_text(config(f"tapstack:readCapacity: {'9' * 6000}"))
    assert f"readCapacity: '{'9' * 100}…' is not valid: give" in rejected(run, stack)


def test_note_about_an_encrypted_region_does_not_contain_the_ciphertext(run: Command, stack: Path) -> None:
    stack.write_text(config("aws:region: {secure: AAAB}"))
    assert run("cost", "--per-day=1000", f"--stack={stack}") == 0
    assert "the region of the stack is encrypted, so the prices are those of us-east-1" in run.output
    assert "AAAB" not in run.output + run.errors


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("--billing=on-demand --write-capacity=5", "--write-capacity 5 contradicts billing on-demand: remove it"),
        ("--max-capacity=10", "--max-capacity 10 is less than Pulumi.prod.yaml: readCapacity 20: give at least 20"),
        ("--max-capacity=30", "--max-capacity 30 is less than Pulumi.prod.yaml: writeCapacity 50: give at least 50"),
    ],
)
def test_option_that_contradicts_another_setting_is_an_error_with_a_remedy(
    run: Command, stack: Path, options: str, error: str
) -> None:
    assert error in rejected(run, stack, *options.split())


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"config: [", "is not YAML: while parsing"),
        (b"config: {\x00}", "is not YAML: "),
        (codecs.BOM_UTF16_LE + b"\x00", "is not YAML: "),
        (b"\xff\xfe\x00\xd8", "is not YAML: "),
        (b"- config", "contains no `config:` section"),
        (b"config: [1]", "`config:` is not a mapping of keys to values"),
        (b"name: tapstack\nruntime: python\n", "is a project file: give the file of a stack, such as "),
        (b"[" * 1_000, "is not YAML: "),
    ],
    ids=[
        "truncated",
        "zero byte",
        "truncated UTF-16",
        "invalid UTF-16",
        "list",
        "list of keys",
        "project file",
        "nesting",
    ],
)
def test_file_that_is_no_stack_file_is_an_error_with_a_remedy(
    run: Command, stack: Path, content: bytes, error: str
) -> None:
    stack.write_bytes(content)
    assert error in rejected(run, stack)


def test_missing_stack_file_is_an_error_with_a_remedy(run: Command, tmp_path: Path) -> None:
    for path, reason in nonempty([(tmp_path / "prod", "No such file or directory"), (tmp_path, "Is a directory")]):
        assert f"--stack {path}: {reason}: give the stack file of a Pulumi project" in rejected(run, path)


def test_keys_with_and_without_effect_are_all_keys_of_the_pulumi_program() -> None:
    known = [key.name for key in KEYS.values()] + [*PRESENCE, *JSON_KEYS, *WITHOUT_EFFECT]
    assert sorted(known) == sorted(each.key for each in tap_stack.CONFIG_FIELDS.values())


def test_defaults_and_allowed_values_are_those_of_the_pulumi_program() -> None:
    defaults, args = StackSettings(), tap_stack.TapStackArgs()
    for attribute, key in nonempty(KEYS.items()):
        default = getattr(args, attribute)
        assert getattr(defaults, attribute) == tap_stack.ANALYTICS_DEFAULTS.get(attribute, default)
        limit = tap_stack.CONFIG_FIELDS[attribute].limit
        if isinstance(limit, frozenset):
            assert set(key.limit) == limit
        elif attribute not in {"max_capacity", "reserved_concurrency"}:
            assert key.limit == limit
    assert KEYS["max_capacity"].limit == tap_stack.TABLE_CAPACITY_UNITS
    assert [key.limit for key in HOURS.values()] == 2 * [tap_stack.EXPECTED_EVERY_HOURS]
    assert list(LOG_RETENTION_DAYS) == sorted(tap_stack.LOG_RETENTION_DAYS)
    assert ASYNC_RETRIES == tap_stack.ASYNC_RETRIES
    assert set(KEYS) | set(PRESENCE.values()) | set(JSON_KEYS.values()) <= {each.name for each in fields(StackSettings)}
