"""Properties of `adopt`: it changes nothing but EventBridge in a bucket's notifications, and adds one inventory.

The configurations belong to other owners. The real boto3 client sends its requests to a fake bucket, so the property
includes the XML documents of requests and responses.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import jmespath  # type: ignore[import-untyped]  # jmespath has no type stubs
import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.adopt import Adoption, inverse_command
from operations.bucket_notifications import differences, has_event_bridge
from operations.errors import OperatorError
from operations.inventory_adoption import InventoryAdoption
from tests.support.existing_bucket import ACCOUNT, NAMESPACE, AdoptingAws, Connection, ExistingBucket, stored
from tests.support.operations_fakes import TARGET

if TYPE_CHECKING:
    from operations.adopt import BucketReport

EVENTS = ["s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:TestEvent"]
DESTINATIONS = {
    "TopicConfiguration": ("Topic", "arn:aws:sns:eu-west-1:123456789012:topic"),
    "QueueConfiguration": ("Queue", "arn:aws:sqs:eu-west-1:123456789012:queue.fifo"),
    "CloudFunctionConfiguration": ("CloudFunction", "arn:aws:lambda:eu-west-1:123456789012:function:f:alias"),
}
EVENT_BRIDGE = f"{{{NAMESPACE}}}EventBridgeConfiguration"

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=8
)
spaces = st.sampled_from(["", "", "\n  "])


def element(name: str, text: str) -> str:
    return f"<{name}>{text}</{name}>"


@st.composite
def filters(draw: st.DrawFn) -> str:
    """Return the filter of an entry: missing, empty, or with a prefix and a suffix in any order and spelling."""
    rules = [
        element("FilterRule", element("Name", draw(st.sampled_from(names))) + element("Value", escape(draw(texts))))
        for names in draw(st.permutations([("prefix", "Prefix"), ("suffix", "Suffix")]))
        if draw(st.booleans())
    ]
    if not rules and draw(st.booleans()):
        return ""
    return element("Filter", element("S3Key", "".join(rules)) if bool(rules) or draw(st.booleans()) else "")


@st.composite
def entries(draw: st.DrawFn, number: int) -> str:
    """Return an entry for a topic, a queue or a function, with its elements in any order."""
    kind = draw(st.sampled_from(sorted(DESTINATIONS)))
    name, arn = DESTINATIONS[kind]
    identifier = draw(st.one_of(st.none(), st.just(""), texts))
    parts = [element(name, f"{arn}-{number}"), draw(filters())]
    parts += [element("Event", event) for event in draw(st.lists(st.sampled_from(EVENTS), min_size=1, unique=True))]
    parts += [] if identifier is None else [element("Id", escape(identifier and f"{identifier}-{number}"))]
    return element(kind, draw(spaces).join(draw(st.permutations(parts))))


future = st.sampled_from(
    [
        "<StreamConfiguration><Id>s</Id><Stream>arn:aws:kinesis</Stream><Batch size='2'/></StreamConfiguration>",
        "<EverythingConfiguration/>",
        "<QueueConfiguration><Queue>arn:q</Queue><Event>s3:New</Event><Ordering>strict</Ordering></QueueConfiguration>",
    ]
)
"""Entries that the installed version of boto3 does not support."""


@st.composite
def documents(draw: st.DrawFn, *, supported: bool = False) -> bytes:
    """Return a notification configuration of other owners, without EventBridge."""
    found = [draw(entries(number)) for number in range(draw(st.integers(0, 5)))]
    found += [] if supported else draw(st.lists(future, max_size=2, unique=True))
    layout, header = draw(spaces), draw(st.sampled_from(["", '<?xml version="1.0" encoding="UTF-8"?>\n']))
    root = f'NotificationConfiguration xmlns="{NAMESPACE}"'
    if not found and draw(st.booleans()):
        return f"{header}<{root}/>{layout}".encode()
    content = "".join(layout + each for each in draw(st.permutations(found)))
    return f"{header}<{root}>{content}{layout}</NotificationConfiguration>{layout}".encode()


def others(document: bytes) -> Counter[bytes]:
    """Return the entries of a stored document except EventBridge, independently of the product's comparison."""
    root = ET.fromstring(document)  # noqa: S314  The test wrote the document.
    return Counter(ET.tostring(each).strip() for each in root if each.tag != EVENT_BRIDGE)


def is_adopted(document: bytes, original: bytes) -> bool:
    """Return whether a document has EventBridge and exactly the entries of the original."""
    return has_event_bridge(document) and others(document) == others(stored(original))


def adopt(connection: Connection, bucket: ExistingBucket) -> BucketReport:
    """Adopt a bucket. Errors and interruptions end the adoption."""
    connection.bucket = bucket
    adoption = Adoption(AdoptingAws(connection), TARGET, "reports", sleep=lambda _: None)
    try:
        adoption.examine()
        adoption.apply()
    except (OperatorError, KeyboardInterrupt):
        pass
    return adoption.report


def failing(fault: str, at: int) -> Callable[[int, str], int | None]:
    """Return a function that causes a fault in one request.

    Args:
        fault: name of the fault.
        at: number of the request.
    """

    def fail(number: int, _name: str) -> int | None:
        if number != at:
            return None
        cause = FAULTS[fault]()
        if isinstance(cause, BaseException):
            raise cause
        return cause

    return fail


# Each fault is a new exception, because the traceback of an exception grows each time that it is raised.
FAULTS: dict[str, Callable[[], BaseException | int]] = {
    "interruption": KeyboardInterrupt,
    "denial": lambda: 403,
    "server error": lambda: 500,
    "timeout": lambda: ReadTimeoutError(endpoint_url="https://s3"),
}
REQUESTS = 9
"""Number of requests of an adoption without faults."""
faults = st.tuples(st.sampled_from(sorted(FAULTS)), st.booleans())
"""A fault, and whether it occurs after the effect of the request."""


@pytest.fixture(scope="module")
def connection() -> Connection:
    # With one attempt, a fault always ends the adoption. The retries of reads would only repeat it.
    return Connection(attempts=1)


def test_adopt_changes_only_event_bridge_also_if_any_request_fails(
    connection: Connection, request: pytest.FixtureRequest
) -> None:
    tally: Counter[str] = Counter()
    # Each example runs ten adoptions with a total of 60 requests of boto3. The profile `ci` runs more examples.
    examples = max(1, settings().max_examples * 2 // 5)

    @settings(max_examples=examples)
    @given(document=documents(), faults=st.lists(faults, min_size=REQUESTS, max_size=REQUESTS))
    def check(document: bytes, faults: list[tuple[str, bool]]) -> None:
        bucket = ExistingBucket(document=document)
        report = adopt(connection, bucket)
        assert is_adopted(bucket.document, document)
        assert (report.changed, report.conflicts, report.obstacles) == (True, [], [])
        names = bucket.requests
        assert (names.count("PUT notification"), len(names)) == (1, REQUESTS)
        for number, (fault, after) in enumerate(faults):
            bucket = ExistingBucket(document=document)
            setattr(bucket, "after" if after else "before", failing(fault, number))
            report = adopt(connection, bucket)
            assert bucket.document == document or is_adopted(bucket.document, document)
            assert report.sent == ("PUT notification" in bucket.requests)
            if number < names.index("PUT notification") and bucket.document != document:
                assert names[number] in ("GET ownershipControls", "GET policy", "GET encryption")
            tally[f"fault: {fault}"] += 1
            tally["adopted in spite of a fault"] += bucket.document != document
        tally["configurations"] += 1
        tally["entries"] += sum(others(document).values())

    check()
    request.node.user_properties.append(("adoptions", dict(tally)))
    assert tally["configurations"] > 0


identifiers = st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True)
"""IDs of inventory configurations; the stack's ID `indexer` can be among them."""


@given(
    theirs=st.dictionaries(identifiers.filter(lambda each: each != "indexer"), st.binary(max_size=8)),
    fault=st.none() | faults,
    at=st.integers(0, 3),
)
def test_adopt_changes_only_the_inventory_configuration_of_the_stack_also_if_any_request_fails(
    connection: Connection, theirs: dict[str, bytes], fault: tuple[str, bool] | None, at: int
) -> None:
    connection.bucket = bucket = ExistingBucket(inventories=dict(theirs))
    if fault is not None:
        setattr(bucket, "after" if fault[1] else "before", failing(fault[0], at))
    aws, location = AdoptingAws(connection), "s3://logs/inventory"
    adoption = InventoryAdoption(aws, TARGET, "reports", location, sleep=lambda _: None)
    try:
        adoption.examine()
        adoption.apply()
    except (OperatorError, KeyboardInterrupt):
        assert fault is not None
    assert {name: text for name, text in bucket.inventories.items() if name != "indexer"} == theirs
    assert adoption.sent == ("PUT inventory" in bucket.requests)
    added = "indexer" in bucket.inventories
    bucket.before = bucket.after = lambda _number, _name: None
    again = InventoryAdoption(aws, TARGET, "reports", location, sleep=lambda _: None)
    again.apply()
    assert (again.configured, again.sent) == (True, not added)


@given(document=documents(), data=st.data())
def test_adopt_keeps_and_reports_the_change_of_another_writer(
    connection: Connection, document: bytes, data: st.DataObject
) -> None:
    """Only a change between the last read and the write of `adopt` is lost, because S3 has no conditional write."""
    other = data.draw(documents(), "other document")
    write = REQUESTS - 2
    at = data.draw(st.sampled_from([0, 1, write - 3, write - 1, write + 1]), "request")
    bucket = ExistingBucket(document=document)

    def change(number: int, _name: str) -> None:
        if number == at:
            bucket.document = stored(other)

    bucket.before = change
    report = adopt(connection, bucket)
    assert others(bucket.document) == others(stored(other))
    assert has_event_bridge(bucket.document) == (at < write)
    if at > write and not differences(document, stored(other)):
        assert (report.accepted, report.changed, report.event_bridge) == (True, False, False)
    elif at > 1:
        assert bool(report.conflicts) == bool(differences(document, stored(other)))
    else:
        assert report.conflicts == []


@given(document=documents(supported=True))
def test_inverse_command_of_adopt_restores_the_configuration(connection: Connection, document: bytes) -> None:
    bucket = ExistingBucket(document=document)
    adopt(connection, bucket)
    arguments = shlex.split(inverse_command("reports", ACCOUNT))
    assert arguments[:3] == ["aws", "s3api", "put-bucket-notification-configuration"]
    read = shlex.split(arguments[-1].removeprefix("$(").removesuffix(")"))
    assert read[:3] == ["aws", "s3api", "get-bucket-notification-configuration"]
    response = connection.s3.get_bucket_notification_configuration(Bucket="reports", ExpectedBucketOwner=ACCOUNT)
    configuration = json.loads(json.dumps(jmespath.search(read[read.index("--query") + 1], response)))
    connection.s3.put_bucket_notification_configuration(Bucket="reports", NotificationConfiguration=configuration)
    assert not has_event_bridge(bucket.document)
    assert not differences(stored(document), bucket.document)


@given(document=documents(), data=st.data())
def test_comparison_of_notifications_finds_each_change_of_an_entry_and_no_other_difference(
    document: bytes, data: st.DataObject
) -> None:
    original = stored(document)
    assert not differences(document, original)
    assert not differences(original, stored(original))
    root = ET.fromstring(original)  # noqa: S314  The test wrote the document.
    # S3 ignores a filter rule with an empty value, so a change of its name is no difference.
    ignored = [each for rule in root.iter(f"{{{NAMESPACE}}}FilterRule") if not rule[1].text for each in rule]
    # A configuration without entries has no leaf, and the text of its root is only white space.
    leaves = [each for each in root.iter() if each is not root and each.text and not len(each) and each not in ignored]
    if bool(leaves) and data.draw(st.booleans(), "change one text"):
        leaf = data.draw(st.sampled_from(leaves), "leaf")
        leaf.text = f"{leaf.text}x"
        assert differences(original, ET.tostring(root))
    elif len(root):
        entry = data.draw(st.sampled_from(list(root)), "entry")
        root.remove(entry)
        found = differences(original, ET.tostring(root))
        assert (len(found.removed), found.added) == (1, ())
