"""Checks shell commands in documents and messages: AWS CLI against botocore's models, tools, and Pulumi commands.

botocore and the AWS CLI use the same service models, so an option of an AWS CLI command is a member of the operation's
input.
"""

from __future__ import annotations

import functools
import io
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import jmespath  # type: ignore[import-untyped]  # jmespath has no type stubs
from botocore import xform_name
from botocore.exceptions import UnknownServiceError

from operations.options import parser
from tap_stack import CONFIG_FIELDS

if TYPE_CHECKING:
    from botocore.model import OperationModel

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
CLI_ONLY = {"s3 cp", "s3 sync", "sso login", "configure"}
"""Commands of the AWS CLI that are not operations of a service."""
GLOBAL_OPTIONS = {"--debug", "--region", "--query", "--output", "--cli-binary-format", "--endpoint-url", "--profile"}
OUTPUT_FORMATS = {"json", "text", "table"}
# Options of the Pulumi commands, from the help texts of the Pulumi CLI 3.260.
PULUMI_OPTIONS: dict[str, set[str]] = {
    "up": {"--refresh", "--yes", "--stack", "--diff", "--non-interactive", "--color"},
    "preview": {"--refresh", "--diff", "--stack", "--non-interactive", "--color"},
    "import": {"--parent", "--generate-code", "--yes", "--stack"},
    "install": set(),
    "destroy": {"--yes", "--stack"},
    "login": set(),
    "new": set(),
    "config set": {"--path", "--secret"},
    "config rm": {"--path"},
    "stack": {"--show-urns", "--show-name"},
    "stack init": {"--secrets-provider"},
    "stack select": set(),
    "stack output": {"--json", "--stack"},
    "stack history": {"--full-dates", "--page-size"},
}
PLACEHOLDERS = {"N": "1", "S": "1", "N/s": "1/s", "T": "2026-11-22"}
"""Maps placeholders of documents to values that the tools accept."""
KEYWORDS = {"$", "export", "until", "while", "if", "then", "do", "done", "!"}
SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
OPERATORS = "();<>|&"


def cron_line() -> str:
    """Return the crontab line of the scheduled audit in docs/runbook.md."""
    [crontab] = re.findall(r"```text\n(MAILTO=.*?)```", RUNBOOK.read_text(encoding="utf-8"), re.DOTALL)
    return str(crontab.splitlines()[-1])


def shell_lines(document: str) -> Iterator[str]:
    """Yield the shell commands of a Markdown document: lines of console blocks after a prompt, and inline code."""
    for language, code in re.findall(r"^ *```(\w*)\n(.*?)^ *```$", document, re.MULTILINE | re.DOTALL):
        joined = re.sub(r"\\\n\s*", " ", code)
        if language == "console":
            yield from (line.strip().removeprefix("$ ") for line in joined.splitlines() if line.strip()[:2] == "$ ")
    prose = re.sub(r"^ *```.*?^ *```$", "", document, flags=re.MULTILINE | re.DOTALL)
    inline = (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))
    # Inline code such as `tapstack audit` is the name of a command, not a complete command.
    complete = re.compile(r"pulumi [a-z]|(uvx --from \S+ )?tapstack [\w-]+ -|aws [\w-]+ [\w-]+")
    yield from filter(complete.match, inline)


def simple_commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each simple command in a shell line, including those in command substitutions."""
    line = re.sub(r"\s# .*", "", line)
    line = re.sub(r"\$\(\(.*?\s\)\)", "1", line)  # an arithmetic expansion
    while inner := SUBSTITUTION.search(line):
        yield from simple_commands(inner[1])
        line = line.replace(inner[0], "$VALUE")
    lexer = shlex.shlex(line, posix=True, punctuation_chars=OPERATORS)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    for token in [*lexer, ";"]:
        if set(token) <= set(OPERATORS):
            if words:
                yield words
            words = []
        elif words or not (token in KEYWORDS or re.match(r"\w+=", token)):
            words.append(token)


def problems(line: str) -> list[str]:
    """Return the errors in the commands of a shell line; commands of other programs are not checked."""
    found = []
    for words in simple_commands(line):
        match words:
            case ["aws", *arguments]:
                found += [f"{' '.join(words)}: {error}" for error in _aws_errors(arguments)]
            case ["tapstack", *arguments] | [_, "-m", "operations", *arguments]:
                found += [f"{' '.join(words)}: {error}" for error in _tool_errors(arguments)]
            case ["uvx", "--from", _, "tapstack", *arguments]:
                found += [f"{' '.join(words)}: {error}" for error in _tool_errors(arguments)]
            case ["pulumi", *arguments]:
                found += [f"{' '.join(words)}: {error}" for error in _pulumi_errors(arguments)]
    return found


@functools.cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


def _aws_errors(arguments: Sequence[str]) -> Iterator[str]:
    names, options = _split(arguments)
    if " ".join(names[:2]) in CLI_ONLY:
        return
    found = _operation(names)
    if isinstance(found, str):
        yield found
        return
    shape: Any = found.input_shape  # The attributes of shapes have no useful types.
    members = {} if shape is None else {f"--{xform_name(name, '-')}": name for name in shape.members}
    switches = {option.replace("--", "--no-", 1) for option, name in members.items() if _kind(shape, name) == "boolean"}
    for option, values in options:
        if option in members:
            yield from _value_errors(shape.members[members[option]], option, values)
        elif option not in GLOBAL_OPTIONS | switches:
            yield f"the operation {found.name} has no option {option}"
        elif option == "--query":
            jmespath.compile(values[0])
        elif option == "--output" and values[0] not in OUTPUT_FORMATS:
            yield f"the AWS CLI has no output format {values[0]!r}"
    given = {option for option, _ in options}
    for option, name in members.items():
        if name in shape.required_members and option not in given:
            yield f"the operation {found.name} requires the option {option}"


def _operation(names: Sequence[str]) -> OperationModel | str:
    """Return the operation that an AWS CLI command calls, or an error message."""
    if len(names) < 2:
        return "the operation is missing"
    service = {"s3api": "s3"}.get(names[0], names[0])
    try:
        model = _session().get_service_model(service)
    except UnknownServiceError:
        return f"AWS has no service {names[0]!r}"
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if names[1] == "wait":
        waiters = _session().get_waiter_model(service)
        operations = {
            f"wait {xform_name(name, '-')}": waiters.get_waiter(name).operation for name in waiters.waiter_names
        }
    command = " ".join(names[1 : 3 if names[1] == "wait" else 2])
    if command not in operations:
        return f"the service {names[0]} has no operation {command!r}"
    return model.operation_model(operations[command])


def _kind(shape: Any, name: str) -> str:  # noqa: ANN401 - a shape of botocore
    return str(shape.members[name].type_name)


def _value_errors(member: Any, option: str, values: Sequence[str]) -> Iterator[str]:  # noqa: ANN401 - a shape of botocore
    """Yield errors in values of numbers and enumerations; values with variables or placeholders are not checked."""
    if member.type_name == "boolean":
        return
    if not values:
        yield f"the option {option} has no value"
    element = member.member if member.type_name == "list" else member
    for value in values:
        if "$" in value:
            continue
        if element.type_name in {"integer", "long"} and not value.isdigit():
            yield f"the value {value!r} of {option} is not a number"
        if getattr(element, "enum", None) and value not in element.enum:
            yield f"the value {value!r} of {option} is not one of {', '.join(element.enum)}"


def _split(arguments: Sequence[str]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Return the words before the first option, and each option with its values."""
    names: list[str] = []
    options: list[tuple[str, list[str]]] = []
    for word in arguments:
        if word.startswith("--"):
            option, equals, value = word.partition("=")
            options.append((option, [value] if equals else []))
        elif options:
            options[-1][1].append(word)
        else:
            names.append(word)
    return names, options


def _tool_errors(arguments: Sequence[str]) -> Iterator[str]:
    with redirect_stderr(io.StringIO()) as printed:
        try:
            # An argument with a variable, such as $TABLE-restored, is checked with the variable's name as its value.
            parser().parse_args([PLACEHOLDERS.get(each, each.replace("$", "")) for each in arguments])
        except SystemExit:
            yield printed.getvalue().strip().splitlines()[-1]


def _pulumi_errors(arguments: Sequence[str]) -> Iterator[str]:
    names, options = _split(arguments)
    command = " ".join(names[:2]) if " ".join(names[:2]) in PULUMI_OPTIONS else names[0] if names else ""
    if command not in PULUMI_OPTIONS:
        yield f"the command {command!r} is not in PULUMI_OPTIONS"
        return
    yield from (f"{command} has no option {name}" for name, _ in options if name not in PULUMI_OPTIONS[command])
    keys = {field.key for field in CONFIG_FIELDS.values()} | {"KEY"}
    if command == "config set" and names[2:] and names[2].partition(":")[0] not in {*keys, "aws"}:
        yield f"there is no configuration key {names[2]!r}"
