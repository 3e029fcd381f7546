"""Converts the events of Pulumi's engine to plain data: resource changes, warnings and errors."""

from __future__ import annotations

import re
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localstack.deployers.deployment import Progress, Resource

if TYPE_CHECKING:
    from pulumi.automation import DiagnosticEvent, EngineEvent, StepEventMetadata

PROVIDERS = "pulumi:providers:"
STACK = "pulumi:pulumi:Stack"

_EMPTY_PHRASES = ("update failed", "preview failed", "an unhandled error occurred: program exited with non-zero")
"""First words of Pulumi's error messages that state no cause. Pulumi reports the cause in a separate message."""
_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)
_COLOUR = re.compile(r"<\{%[^%]*%\}>")


@dataclass(frozen=True, kw_only=True, order=True)
class Change:
    """The change of one resource, completed or (in a preview) planned.

    Attributes:
        op: Pulumi's name of the operation, such as "create", "update" or "same" (unchanged).
    """

    op: str
    type: str
    name: str

    def __str__(self) -> str:
        return f"{self.op} {self.type} {self.name!r}"


@dataclass(kw_only=True)
class EventRecorder:
    """Callback that records the events of Pulumi's engine. Thread-safe.

    Attributes:
        on_resource: called after the creation of each resource.
        clock: monotonic clock, in seconds.
        changes: one change per resource, including unchanged resources ("same"), without providers and the stack.
        created: created AWS resources, in the order of creation.
        warnings: warnings of the engine, and all output of the Pulumi program.
    """

    on_resource: Callable[[Progress], None] = lambda _progress: None
    clock: Callable[[], float] = time.monotonic
    changes: list[Change] = field(default_factory=list)
    created: list[Resource] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _errors: list[str] = field(default_factory=list)
    _started_at: dict[str, float] = field(default_factory=dict)
    _listener_errors: list[Exception] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: EngineEvent) -> None:
        """Record one event of Pulumi's engine."""
        with self._lock:
            if event.resource_pre_event:
                self._started_at[event.resource_pre_event.metadata.urn] = self.clock()
            if event.res_outputs_event:
                self._record_step(event.res_outputs_event.metadata, planning=event.res_outputs_event.planning)
            if event.diagnostic_event:
                self._record_diagnostic(event.diagnostic_event)

    @property
    def errors(self) -> tuple[str, ...]:
        """Error messages of Pulumi's engine without tracebacks, each with the type and name of its resource, if any."""
        specific = [text for text in self._errors if not text.startswith(_EMPTY_PHRASES)]
        return tuple(specific or self._errors)

    def check(self) -> None:
        """Raise the first exception of `on_resource`, which Pulumi's SDK would otherwise suppress."""
        if self._listener_errors:
            raise self._listener_errors[0]

    def _record_step(self, step: StepEventMetadata, *, planning: bool | None) -> None:
        change = Change(op=step.op.value, type=step.type, name=name_in(step.urn))
        if step.type.startswith(PROVIDERS) or step.type == STACK or change in self.changes:
            return  # Pulumi reports each component twice: before and after its child resources.
        self.changes.append(change)
        if planning or step.new is None or not step.new.custom or not step.op.value.startswith("create"):
            return
        self.created.append(Resource(type=change.type, name=change.name, id=step.new.id))
        try:
            seconds = self.clock() - self._started_at.get(step.urn, self.clock())
            self.on_resource(Progress(type=change.type, name=change.name, seconds=seconds))
        except Exception as error:  # noqa: BLE001  raised by `check`; Pulumi's SDK would convert it to a warning
            self._listener_errors.append(error)

    def _record_diagnostic(self, event: DiagnosticEvent) -> None:
        text = _COLOUR.sub("", event.message).strip()
        if not text or event.severity == "debug":
            return
        if event.severity == "error":
            self._errors.append(_with_resource(event.urn, without_traceback(text)))
        else:
            self.warnings.append(_with_resource(event.urn, text))


def name_in(urn: str) -> str:
    """Return the resource name in a Pulumi URN, such as ``name`` in ``urn:pulumi:stack::project::type::name``."""
    return urn.split("::", 3)[3]


def without_traceback(text: str) -> str:
    """Shorten a Python traceback to its line in the Pulumi program and its error message.

    A text without a traceback is returned unchanged.
    """
    introduction, found, traceback = text.partition("Traceback (most recent call last):\n")
    if not found:
        return text
    lines = traceback.splitlines()
    last_frame = max((number for number, line in enumerate(lines) if line.startswith("  ")), default=-1)
    message = "\n".join(lines[last_frame + 1 :]).strip()
    # Pulumi's traceback contains the file of the Pulumi program without its folder, and other files with their folder.
    own = [match for match in _FRAME.finditer(traceback) if "/" not in match["file"]]
    where = f" at {own[-1]['file']}, line {own[-1]['line']}" if own else ""
    heading = f"{introduction.strip().removesuffix(':')}{where}".lstrip()
    return f"{heading}: {message}" if heading else message


def indented(texts: Sequence[str]) -> str:
    """Join texts with newlines, and indent every line by two spaces."""
    return textwrap.indent("\n".join(texts), "  ", lambda _line: True)


def _with_resource(urn: str | None, text: str) -> str:
    if not urn or f":{STACK}::" in urn:
        return text
    kind = urn.split("::")[2].rpartition("$")[2]
    return f"{kind} {name_in(urn)!r}: {text}"
