"""Tests that the commands in documents, alarm descriptions and error messages have existing operations and options."""

from __future__ import annotations

from pathlib import Path

import pytest

from tap_stack import CONFIG_FIELDS
from tests.support.shell_commands import problems, shell_lines, simple_commands
from tests.support.synth import synth

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/*/README.md"))
    if path.name != "CHANGELOG.md"
)


def lines(document: str) -> list[str]:
    return list(shell_lines((ROOT / document).read_text(encoding="utf-8")))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_of_a_document_have_existing_operations_and_options(document: str) -> None:
    assert [error for line in lines(document) for error in problems(line)] == []


def test_commands_are_found_in_the_documents_that_contain_them() -> None:
    found = [words[0] for document in DOCUMENTS for line in lines(document) for words in simple_commands(line)]
    assert {name: found.count(name) > 30 for name in ("aws", "tapstack", "pulumi")} == {
        "aws": True,
        "tapstack": True,
        "pulumi": True,
    }


def test_commands_of_the_stack_have_existing_operations_and_options() -> None:
    texts = [synth().outputs["test_command"], *(field.remedy.partition(": ")[2] for field in CONFIG_FIELDS.values())]
    checked = [text for text in texts if "aws " in text]
    assert len(checked) == 3
    assert [error for text in checked for error in problems(text)] == []


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("aws dynamo describe-table --table-name T", "AWS has no service 'dynamo'"),
        ("aws dynamodb", "the operation is missing"),
        ("aws dynamodb show-table --table-name T", "has no operation 'show-table'"),
        ("aws dynamodb wait table-ready --table-name T", "has no operation 'wait table-ready'"),
        ("aws dynamodb wait table-exists", "requires the option --table-name"),
        ("x=$(aws dynamodb describe-table --name T) && true", "has no option --name"),
        ('echo "$(aws dynamodb describe-table)"', "requires the option --table-name"),
        ("aws dynamodb list-backups --backup-type ANY", "'ANY' of --backup-type is not one of USER, SYSTEM"),
        ("aws dynamodb list-backups --limit many", "'many' of --limit is not a number"),
        ("aws dynamodb list-backups --table-name", "--table-name has no value"),
        ("aws dynamodb list-backups --output yml", "no output format 'yml'"),
        ("aws dynamodb list-backups --no-limit", "has no option --no-limit"),
        ("until aws sqs get-queue-url --queue Q; do sleep 1; done", "requires the option --queue-name"),
        ("tapstack audit --functions F", "--functions"),
        ("uvx --from . tapstack audit --functions F", "--functions"),
        ("cd x && .venv/bin/python -m operations redrive --function F --reason r", "invalid choice: 'r'"),
        ("pulumi up --refreshed", "up has no option --refreshed"),
        ("pulumi upp", "'upp' is not in PULUMI_OPTIONS"),
        ("pulumi config set writeCapacities 2", "there is no configuration key 'writeCapacities'"),
    ],
)
def test_invalid_command_is_reported(line: str, error: str) -> None:
    assert any(error in each for each in problems(line)), problems(line)


@pytest.mark.parametrize(
    "line",
    [
        'aws logs filter-log-events --log-group-name "$LOGS" --start-time $(( ($(date +%s) - 3600) * 1000 ))',
        "aws dynamodb update-table --table-name T --no-deletion-protection-enabled  # a comment",
        "aws s3 cp - s3://bucket/key && pulumi config set aws:region us-east-1",
        "tapstack capacity --per-day N --burst N/s --burst-seconds S | tail -1",
    ],
)
def test_valid_command_is_accepted(line: str) -> None:
    assert problems(line) == []
