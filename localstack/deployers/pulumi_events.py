"""What Pulumi's engine tells while it works, as plain data: what it did to each resource, and its complaints."""

from __future__ import annotations

import re
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
"""Messages that only say that there is another one."""
_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)
_COLOUR = re.compile(r"<\{%[^%]*%\}>")


@dataclass(frozen=True, kw_only=True, order=True)
class Change:
    """What happened, or in a preview would happen, to one resource: `op` is Pulumi's word, such as "update"."""

    op: str
    type: str
    name: str

    def __str__(self) -> str:
        return f"{self.op} {self.type} {self.name!r}"


@dataclass(kw_only=True)
class Events:
    """Hears the engine's events, from several threads.

    Attributes:
        changes: every resource but providers and the stack itself, unchanged ones ("same") included.
        created: the resources that are at AWS because of this update, in order.
        complaints: all that should not be there when all is well: warnings, and what the program wrote.
        errors: what the engine says about its failure, each with its resource, without tracebacks.
    """

    on_resource: Callable[[Progress], None] = lambda _progress: None
    clock: Callable[[], float] = time.monotonic
    changes: list[Change] = field(default_factory=list)
    created: list[Resource] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _diagnosed: list[str] = field(default_factory=list)
    _began: dict[str, float] = field(default_factory=dict)
    _stumbled: list[Exception] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: EngineEvent) -> None:
        """Take in one event."""
        with self._lock:
            if event.resource_pre_event:
                self._began[event.resource_pre_event.metadata.urn] = self.clock()
            if event.res_outputs_event:
                self._done(event.res_outputs_event.metadata, planning=event.res_outputs_event.planning)
            if event.diagnostic_event:
                self._diagnose(event.diagnostic_event)

    @property
    def errors(self) -> tuple[str, ...]:
        """What the engine says about its failure."""
        telling = [text for text in self._diagnosed if not text.startswith(_EMPTY_PHRASES)]
        return tuple(telling or self._diagnosed)

    def check(self) -> None:
        """Raise what `on_resource` raised: the SDK would have dropped it."""
        if self._stumbled:
            raise self._stumbled[0]

    def _done(self, step: StepEventMetadata, *, planning: bool | None) -> None:
        change = Change(op=step.op.value, type=step.type, name=name_in(step.urn))
        if step.type.startswith(PROVIDERS) or step.type == STACK or change in self.changes:
            return  # a component is reported twice: when it begins and when its children are there
        self.changes.append(change)
        if planning or step.new is None or not step.new.custom or not step.op.value.startswith("create"):
            return
        self.created.append(Resource(type=change.type, name=change.name, id=step.new.id))
        try:
            took = self.clock() - self._began.get(step.urn, self.clock())
            self.on_resource(Progress(type=change.type, name=change.name, seconds=took))
        except Exception as error:  # noqa: BLE001  kept for `check`; the SDK would make a warning of it
            self._stumbled.append(error)

    def _diagnose(self, event: DiagnosticEvent) -> None:
        text = _COLOUR.sub("", event.message).strip()
        if not text or event.severity == "debug":
            return
        if event.severity == "error":
            self._diagnosed.append(_of_its_resource(event.urn, without_traceback(text)))
        else:
            self.complaints.append(_of_its_resource(event.urn, text))


def name_in(urn: str) -> str:
    """Return a resource's name in the program: ``urn:pulumi:stack::project::type::name``."""
    return urn.split("::", 3)[3]


def without_traceback(text: str) -> str:
    """Return what a Python traceback says: where, in the program, and what; any other text as it is.

    A traceback begins with "Traceback", and what it says follows its last indented line.
    """
    introduction, found, traceback = text.partition("Traceback (most recent call last):\n")
    if not found:
        return text
    lines = traceback.splitlines()
    last_frame = max((number for number, line in enumerate(lines) if line.startswith("  ")), default=-1)
    said = "\n".join(lines[last_frame + 1 :]).strip()
    # the program's own file is named without a folder, everybody else's with one
    own = [match for match in _FRAME.finditer(traceback) if "/" not in match["file"]]
    where = f" at {own[-1]['file']}, line {own[-1]['line']}" if own else ""
    heading = f"{introduction.strip().removesuffix(':')}{where}".lstrip()
    return f"{heading}: {said}" if heading else said


def in_lines(texts: Sequence[str]) -> str:
    """Return each text on lines of its own, indented."""
    return "\n".join(f"  {line}" for text in texts for line in text.splitlines())


def _of_its_resource(urn: str | None, text: str) -> str:
    if not urn or f":{STACK}::" in urn:
        return text
    kind = urn.split("::")[2].rpartition("$")[2]
    return f"{kind} {name_in(urn)!r}: {text}"
