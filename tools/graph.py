"""Draws the stack's resources and their dependencies: ``nox -s graph`` puts the diagram into docs/architecture.md.

A box for each of some fifty resources would be unreadable, so resources are grouped:

- a *part*, such as a bucket's encryption, is a line in the box of its owner: the name of its type starts with that of
  the owner's type, and it depends only on the owner and on other parts of the owner;
- *siblings*, such as the alarms, share a box: they have the same type and the same dependencies.

A resource that connects two boxes, such as a bucket's notification, has a box of its own.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pulumi

import tap_stack
from localstack.deployers.monitor import run_program

if TYPE_CHECKING:
    from localstack.deployers.monitor import Recorded

COMPONENT = "tap"
OPTIONAL_PARTS = MappingProxyType({"maxCapacity": "400", "alarmEmail": "oncall@example.com"})
"""Configuration that adds every optional resource."""

DOCUMENT = Path(__file__).parents[1] / "docs" / "architecture.md"
START = "<!-- drawn by `nox -s graph` -->\n"
END = "<!-- the end of what `nox -s graph` draws -->\n"

# Prefix of a type -> section of the diagram; the longest prefix wins.
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
"""Width, in pixels, at which Mermaid breaks a line."""


class GraphError(Exception):
    """The diagram cannot be drawn or written; the message names the remedy."""


@dataclass(kw_only=True)
class Box:
    """A box of the diagram. `members` have one type; `parts` are their parts; `needs` has the ids of other boxes."""

    id: str
    type: str
    needs: frozenset[str]
    members: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)


def resources(config: Mapping[str, str]) -> list[Recorded]:
    """Run the program without AWS and return the resources that it registers, without the component.

    Args:
        config: keys of the stack's configuration, without namespace, and their values.
    """

    def program() -> None:
        args = tap_stack.TapStackArgs.from_config(pulumi.Config(), {})
        tap_stack.TapStack(COMPONENT, replace(args, lambda_package=pulumi.FileArchive("not-built")))

    run = run_program(
        program,
        project="tapstack",
        stack="dev",
        config={f"tapstack:{key}": value for key, value in config.items()},
        new_resource=lambda resource: (resource.name, _outputs(resource)),
        call=lambda token, args: dict.fromkeys(("accountId", "region", "partition", "id"), "any"),  # noqa: ARG005  names of the protocol
    )
    return [resource for resource in run.resources if resource.custom]


def diagram() -> str:
    """Draw the stack with all optional resources, as a block of Markdown."""
    always = {resource.name for resource in resources({})}
    every = resources(OPTIONAL_PARTS)
    optional = {resource.name for resource in every} - always
    drawing = mermaid(boxes(every), optional=optional, prefix=f"{COMPONENT}-")
    return f"```mermaid\n{drawing}```\n"


def _outputs(resource: Recorded) -> dict[str, Any]:
    """Return outputs for which the program needs a value; only dependencies are drawn."""
    return {"arn": resource.name, "url": resource.name, **resource.inputs}


def boxes(recorded: Collection[Recorded]) -> list[Box]:
    """Group resources into boxes, in the order of their dependencies."""
    boxes_by_id: dict[str, Box] = {}
    box_of: dict[str, Box] = {}  # by the resource's URN
    siblings: dict[tuple[str, frozenset[str]], Box] = {}
    for resource in _in_order(recorded):
        needs = frozenset(box_of[urn].id for urn in resource.dependencies if urn in box_of)
        owner = boxes_by_id[min(needs)] if len(needs) == 1 else None
        if owner is not None and _is_part(resource.type, owner.type):
            owner.parts.append(resource.name)
            box_of[resource.urn] = owner
            continue
        box = Box(id=resource.name.replace("-", "_"), type=resource.type, needs=needs)
        if needs:  # resources without dependencies are not siblings
            box = siblings.setdefault((resource.type, needs), box)
        box.members.append(resource.name)
        box_of[resource.urn] = boxes_by_id[box.id] = box
    return list(boxes_by_id.values())


def mermaid(boxes: Iterable[Box], *, optional: Collection[str], prefix: str) -> str:
    """Write the boxes as a Mermaid flowchart with a frame for each section.

    Names are shown without `prefix`. A box is dashed if all its members are `optional`; an optional part is marked.
    """
    frames = defaultdict[str, list[str]](list)
    arrows = []
    for box in boxes:
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
    """Return the section of the diagram for a type.

    Raises:
        GraphError: `SECTIONS` has none for it.
    """
    prefixes = [prefix for prefix in SECTIONS if type_.startswith(prefix)]
    if not prefixes:
        raise GraphError(f"{type_} is in no section of the picture: name one for it in SECTIONS of tools/graph.py")
    return SECTIONS[max(prefixes, key=len)]


def embed(text: str, drawing: str) -> str:
    """Return the document with the text between its two markers replaced.

    Raises:
        GraphError: the document has not exactly one marker of each kind, in order.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end) or START in after or END in after:
        raise GraphError(f"the document needs the lines {START.strip()} and {END.strip()}, in this order and once")
    return f"{before}{START}{drawing}{END}{after}"


def _in_order(recorded: Collection[Recorded]) -> Iterator[Recorded]:
    """Yield resources after their dependencies, then by type and name, so that the diagram is reproducible."""
    by_urn = {resource.urn: resource for resource in recorded}
    order = TopologicalSorter({urn: resource.dependencies & by_urn.keys() for urn, resource in by_urn.items()})
    order.prepare()
    while order.is_active():
        ready = sorted(order.get_ready(), key=lambda urn: (by_urn[urn].type, by_urn[urn].name))
        yield from (by_urn[urn] for urn in ready)
        order.done(*ready)


def _is_part(type_: str, owner: str) -> bool:
    """Whether a type, such as ``aws:s3/bucketPolicy:BucketPolicy``, is that of a part of another type."""
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
    """Update the diagram in docs/architecture.md."""
    DOCUMENT.write_text(embed(DOCUMENT.read_text(encoding="utf-8"), diagram()), encoding="utf-8")


if __name__ == "__main__":
    main()
