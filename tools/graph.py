"""Draws what the program deploys, from what it asks for: ``nox -s graph`` puts the picture into docs/architecture.md.

A box for each of some fifty resources would show nothing, so the recorded resources themselves say what goes together:

- a *part*, such as a bucket's encryption, is a line in the box of its owner: its type's name starts with that of the
  owner's, and it needs nothing but the owner and the owner's other parts;
- *siblings*, such as the alarms, share a box: they have the same type and need the same.

What joins two boxes, such as a bucket's notification, stays a box of its own.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from tests.support.default_stack import FULL
from tests.support.synth import synth

if TYPE_CHECKING:
    from localstack.deployers.monitor import Recorded

DOCUMENT = Path(__file__).parents[1] / "docs" / "architecture.md"
START = "<!-- drawn by `nox -s graph` -->\n"
END = "<!-- the end of what `nox -s graph` draws -->\n"

# What a type starts with -> the section of the picture; the longest start wins.
SECTIONS = MappingProxyType(
    {
        "aws:s3/": "storage",
        "aws:dynamodb/": "table",
        "aws:appautoscaling/": "table",
        "aws:lambda/": "function",
        "aws:iam/": "function",
        "aws:cloudwatch/logGroup:": "function",
        "aws:cloudwatch/queryDefinition:": "function",
        "aws:sqs/": "failures",
        "aws:sns/": "alarms",
        "aws:cloudwatch/": "alarms",
    }
)


LABEL_WIDTH = 320
"""Pixels after which Mermaid breaks a line."""


class GraphError(Exception):
    """The picture cannot be drawn or put where it belongs; the message says what to change."""


@dataclass(kw_only=True)
class Box:
    """One box: `members` have one type, `parts` are their details, `needs` are the ids of other boxes."""

    id: str
    type: str
    needs: frozenset[str]
    members: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)


def picture() -> str:
    """Draw the stack with all its optional parts, as a block of Markdown."""
    always = {resource.name for resource in synth().resources}
    full = synth(**FULL)
    optional = {resource.name for resource in full.resources} - always
    drawing = mermaid(boxes(full.resources), optional=optional, prefix=f"{full.component.name}-")
    return f"```mermaid\n{drawing}```\n"


def boxes(resources: Collection[Recorded]) -> list[Box]:
    """Put resources into boxes, each box after those that it needs."""
    drawn: dict[str, Box] = {}
    box_of: dict[str, Box] = {}  # by the resource's URN
    alike: dict[tuple[str, frozenset[str]], Box] = {}
    for resource in _in_order(resources):
        needs = frozenset(box_of[urn].id for urn in resource.dependencies if urn in box_of)
        owner = drawn[min(needs)] if len(needs) == 1 else None
        if owner is not None and _is_part(resource.type, owner.type):
            owner.parts.append(resource.name)
            box_of[resource.urn] = owner
            continue
        box = Box(id=resource.name.replace("-", "_"), type=resource.type, needs=needs)
        if needs:  # two buckets that need nothing have nothing in common
            box = alike.setdefault((resource.type, needs), box)
        box.members.append(resource.name)
        box_of[resource.urn] = drawn[box.id] = box
    return list(drawn.values())


def mermaid(drawn: Iterable[Box], *, optional: Collection[str], prefix: str) -> str:
    """Write the boxes as a Mermaid flowchart with a frame for each section.

    Names lose `prefix`, which all of them have. A box is dashed if all its members are `optional`; an optional part of
    another box says so.
    """
    frames = defaultdict[str, list[str]](list)
    arrows = []
    for box in drawn:
        dashed = ":::optional" if optional and set(box.members) <= set(optional) else ""
        frames[section(box.type)].append(f'    {box.id}["{"<br/>".join(_label(box, optional, prefix))}"]{dashed}')
        arrows += [f"  {box.id} --> {other}" for other in sorted(box.needs)]
    lines = [f"%%{{init: {json.dumps({'flowchart': {'wrappingWidth': LABEL_WIDTH}})}}}%%", "flowchart LR"]
    for title in dict.fromkeys(SECTIONS.values()):
        if title in frames:
            lines += [f"  subgraph {title}_section [{title}]", *frames[title], "  end"]
    lines += [*arrows, "  classDef optional stroke-dasharray: 5 5"]
    return "".join(f"{line}\n" for line in lines)


def section(type_: str) -> str:
    """The section of the picture that a type belongs to.

    Raises:
        GraphError: no section is named for it.
    """
    starts = [start for start in SECTIONS if type_.startswith(start)]
    if not starts:
        raise GraphError(f"{type_} is in no section of the picture: name one for it in SECTIONS of tools/graph.py")
    return SECTIONS[max(starts, key=len)]


def embed(text: str, drawing: str) -> str:
    """Return the document with what is between its two markers replaced.

    Raises:
        GraphError: the markers are not there, in order and once each.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end) or START in after or END in after:
        raise GraphError(f"the document needs the lines {START.strip()} and {END.strip()}, in this order and once")
    return f"{before}{START}{drawing}{END}{after}"


def _in_order(resources: Collection[Recorded]) -> Iterator[Recorded]:
    """Each after those that it needs; otherwise by type and name, so that the same program draws the same picture."""
    by_urn = {resource.urn: resource for resource in resources}
    order = TopologicalSorter({urn: resource.dependencies & by_urn.keys() for urn, resource in by_urn.items()})
    order.prepare()
    while order.is_active():
        ready = sorted(order.get_ready(), key=lambda urn: (by_urn[urn].type, by_urn[urn].name))
        yield from (by_urn[urn] for urn in ready)
        order.done(*ready)


def _is_part(type_: str, owner: str) -> bool:
    """Whether a type such as ``aws:s3/bucketPolicy:BucketPolicy`` says that it is a part of another."""
    module, _, name = type_.partition("/")
    owner_module, _, owner_name = owner.partition("/")
    return module == owner_module and name.startswith(owner_name.partition(":")[0])


def _label(box: Box, optional: Collection[str], prefix: str) -> Iterator[str]:
    kind = _words(box.type)
    names = [name.removeprefix(prefix) for name in box.members]
    if len(names) == 1:
        yield kind
        yield names[0]
    else:
        yield f"{len(names)} x {kind}"
        yield from _by_first_word(names)
    for part in box.parts:
        yield f"+ {part.removeprefix(f'{prefix}{names[0]}-')}{' (if configured)' if part in optional else ''}"


def _words(type_: str) -> str:
    """``s3 bucket policy`` for ``aws:s3/bucketPolicy:BucketPolicy``."""
    _, module, name = type_.split(":")
    return f"{module.partition('/')[0]} {re.sub(r'(?<=[a-z])(?=[A-Z])', ' ', name).lower()}"


def _by_first_word(names: Collection[str]) -> Iterator[str]:
    """``table: errors, throttles`` for ``table-errors`` and ``table-throttles``."""
    ends = defaultdict[str, list[str]](list)
    for name in sorted(names):
        word, _, end = name.partition("-")
        ends[word].append(end)
    return (f"{word}: {', '.join(end)}" for word, end in ends.items())


def main() -> None:
    """Bring the picture in docs/architecture.md up to date."""
    DOCUMENT.write_text(embed(DOCUMENT.read_text(encoding="utf-8"), picture()), encoding="utf-8")


if __name__ == "__main__":
    main()
