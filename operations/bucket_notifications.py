"""Reads, extends and compares the notification configuration of an S3 bucket. Does not call AWS.

The functions use S3's XML document instead of boto3's dictionary. boto3 omits all elements that it does not support,
and a PUT without them would delete them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self
from xml.etree import ElementTree as ET

from operations.errors import OperatorError

NAME = "NotificationConfiguration"
EVENT_BRIDGE = "EventBridgeConfiguration"
EMPTY = b'<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'
"""Document of a bucket without notifications."""
KINDS = {"TopicConfiguration": "topic", "QueueConfiguration": "queue", "CloudFunctionConfiguration": "function"}
"""Maps the name of an element to the kind of its destination."""
DESTINATIONS = ("Topic", "Queue", "CloudFunction")
OPTIONAL = ("Id", "Filter", "S3Key")
"""Elements that have the same meaning if they are missing and if they are empty."""

_END = re.compile(rb"</((?:[\w.-]+:)?)NotificationConfiguration\s*>\s*\Z")
_EMPTY_ROOT = re.compile(rb"<((?:[\w.-]+:)?)NotificationConfiguration((?:\s[^<>]*)?)/>\s*\Z")


@dataclass(frozen=True, order=True, slots=True)
class Element:
    """An XML element without its namespace. Two elements with the same meaning are equal.

    Attributes:
        name: name of the element.
        text: text of an element without children.
        children: the children in a fixed order, because S3 returns lists in any order.
    """

    name: str
    text: str
    children: tuple[Self, ...]

    @classmethod
    def of(cls, element: ET.Element) -> Self:
        """Convert a parsed element."""
        name = element.tag.rpartition("}")[2]
        children = sorted(child for child in map(cls.of, element) if not child.has_no_meaning)
        text = "" if children else element.text or ""
        # A space can be the value of a filter. In all other elements, surrounding spaces are only layout.
        text = text if name == "Value" else text.strip()
        return cls(name, text.lower() if name == "Name" else text, tuple(children))

    @property
    def has_no_meaning(self) -> bool:
        """Whether S3 handles the element as if it were missing. A filter with an empty value matches all keys."""
        if self.name == "FilterRule":
            return not self.value("Value")
        return self.name in OPTIONAL and not self.text and not self.children

    def values(self, name: str) -> list[str]:
        """Return the texts of all descendants with a name."""
        return [self.text] * (self.name == name) + [text for child in self.children for text in child.values(name)]

    def value(self, name: str) -> str:
        """Return the text of the first descendant with a name; empty if there is none."""
        return next(iter(self.values(name)), "")

    def without_id(self) -> Self:
        """Return the element without its ID."""
        return type(self)(self.name, self.text, tuple(child for child in self.children if child.name != "Id"))


@dataclass(frozen=True, kw_only=True)
class BucketNotification:
    """One entry of a notification configuration.

    Attributes:
        kind: `topic`, `queue` or `function`; the name of the XML element for an entry of another kind.
        destination: ARN of the destination; empty for an entry of another kind.
        id: ID of the entry.
        events: names of the event types.
        prefix: prefix of the object keys as S3 returns it.
        suffix: suffix of the object keys as S3 returns it.
    """

    kind: str
    destination: str
    id: str
    events: tuple[str, ...]
    prefix: str
    suffix: str

    @classmethod
    def of(cls, entry: Element) -> Self:
        """Convert an element of the document."""
        rules = {rule.value("Name"): rule.value("Value") for rule in _descendants(entry, "FilterRule")}
        return cls(
            kind=KINDS.get(entry.name, entry.name),
            destination=next((text for name in DESTINATIONS for text in entry.values(name)), ""),
            id=entry.value("Id"),
            events=tuple(entry.values("Event")),
            prefix=rules.get("prefix", ""),
            suffix=rules.get("suffix", ""),
        )

    @property
    def is_supported(self) -> bool:
        """Whether boto3 and the AWS CLI of this release return the entry."""
        return self.kind in KINDS.values()

    def text(self) -> str:
        """Return the entry as one line of text."""
        filters = [f"{name} {value!r}" for name, value in (("prefix", self.prefix), ("suffix", self.suffix)) if value]
        parts = [f"{self.kind} {self.destination}".rstrip(), ", ".join(self.events), *filters]
        return "  ".join([part for part in parts if part] + [f"ID {self.id!r}"] * bool(self.id))


@dataclass(frozen=True, kw_only=True)
class Differences:
    """The entries of a notification configuration that differ from those of another one."""

    removed: tuple[Element, ...]
    added: tuple[Element, ...]

    def __bool__(self) -> bool:
        return bool(self.removed or self.added)

    def lines(self) -> list[str]:
        """Return a line of text for each entry that was removed or added."""
        return [f"removed: {BucketNotification.of(each).text()}" for each in self.removed] + [
            f"added: {BucketNotification.of(each).text()}" for each in self.added
        ]


def parse(document: bytes) -> tuple[Element, ...]:
    """Return the entries of a notification configuration.

    Raises:
        OperatorError: the document is not a notification configuration.
    """
    try:
        root = ET.fromstring(document)  # noqa: S314  boto3 parses the same response of S3 with the same parser.
    except ET.ParseError as error:
        raise OperatorError(f"S3 returned a notification configuration that is not XML: {error}") from error
    if root.tag.rpartition("}")[2] != NAME:
        raise OperatorError(f"S3 returned the XML element {root.tag!r} instead of {NAME!r}: check AWS_ENDPOINT_URL")
    return Element.of(root).children


def has_event_bridge(document: bytes) -> bool:
    """Return whether the bucket sends its events to EventBridge."""
    return any(entry.name == EVENT_BRIDGE for entry in parse(document))


def notifications(document: bytes) -> list[BucketNotification]:
    """Return the entries of a notification configuration, except that of EventBridge."""
    return [BucketNotification.of(entry) for entry in parse(document) if entry.name != EVENT_BRIDGE]


def with_event_bridge(document: bytes) -> bytes:
    """Return the document with EventBridge switched on. All other bytes of the document are unchanged.

    Raises:
        OperatorError: the document has an unexpected format.
    """
    if has_event_bridge(document):
        return document
    if match := _END.search(document):
        changed = b"%b<%b%b/>%b" % (document[: match.start()], match[1], EVENT_BRIDGE.encode(), match[0])
    elif match := _EMPTY_ROOT.search(document):
        prefix, attributes = match.groups()
        root, entry = prefix + NAME.encode(), prefix + EVENT_BRIDGE.encode()
        changed = b"%b<%b%b><%b/></%b>" % (document[: match.start()], root, attributes.rstrip(), entry, root)
    else:
        changed = document
    found = differences(document, changed)
    if found.removed or [entry.name for entry in found.added] != [EVENT_BRIDGE]:
        raise OperatorError(
            "the notification configuration has a format that this release does not support, so it was not changed: "
            f"switch EventBridge on in the S3 console. The configuration ends with {document[-80:]!r}"
        )
    return changed


def differences(expected: bytes, actual: bytes) -> Differences:
    """Compare the meaning of two notification configurations.

    The order of lists, the spelling of filter names, and empty elements make no difference. S3 generates missing IDs,
    so an entry without an ID is equal to the same entry with any ID.

    Args:
        expected: the first document.
        actual: the second document.
    """
    before, after = Counter(parse(expected)), Counter(parse(actual))
    removed, added = before - after, after - before
    for entry in list(removed.elements()):
        generated = next((each for each in added if each.without_id() == entry), None)
        if generated is not None:
            removed -= Counter([entry])
            added -= Counter([generated])
    return Differences(removed=_listed(removed.elements()), added=_listed(added.elements()))


def _listed(entries: Iterable[Element]) -> tuple[Element, ...]:
    return tuple(sorted(entries))


def _descendants(element: Element, name: str) -> Iterator[Element]:
    for child in element.children:
        if child.name == name:
            yield child
        yield from _descendants(child, name)
