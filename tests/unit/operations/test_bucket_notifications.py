from __future__ import annotations

import pytest

from operations.bucket_notifications import (
    EMPTY,
    BucketNotification,
    differences,
    has_event_bridge,
    notifications,
    with_event_bridge,
)
from operations.errors import OperatorError

START = b'<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
END = b"</NotificationConfiguration>"
QUEUE = b"<QueueConfiguration>%b<Queue>arn:q</Queue><Event>s3:ObjectCreated:*</Event>%b</QueueConfiguration>"
RULES = b"<Filter><S3Key>%b</S3Key></Filter>"
PREFIX = b"<FilterRule><Name>prefix</Name><Value>%b</Value></FilterRule>"
SUFFIX = b"<FilterRule><Name>Suffix</Name><Value>%b</Value></FilterRule>"
ID = b"<Id>mine</Id>"
ON = b"<EventBridgeConfiguration/>"


def document(*entries: bytes) -> bytes:
    return START + b"".join(entries) + END


def queue(*parts: bytes, id: bytes = ID) -> bytes:  # noqa: A002  The name of the element.
    return QUEUE % (id, b"".join(parts))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (EMPTY, document(ON)),
        (b"<?xml version='1.0'?>\n" + EMPTY + b"\n", b"<?xml version='1.0'?>\n" + document(ON)),
        (b"<NotificationConfiguration />", b"<NotificationConfiguration>" + ON + END),
        (document(), document(ON)),
        (document(queue(), b"\n") + b"\n", document(queue(), b"\n", ON) + b"\n"),
        (document(b"<New a='1'/>"), document(b"<New a='1'/>", ON)),
        (
            b"<s:NotificationConfiguration xmlns:s='n'/>",
            b"<s:NotificationConfiguration xmlns:s='n'><s:EventBridgeConfiguration/></s:NotificationConfiguration>",
        ),
        (document(ON, queue()), document(ON, queue())),
    ],
)
def test_adding_eventbridge_to_notification_xml_changes_nothing_else(before: bytes, after: bytes) -> None:
    assert with_event_bridge(before) == after
    assert has_event_bridge(after)
    assert with_event_bridge(after) == after


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", "not XML"),
        (b"<a>", "not XML"),
        (b"<Error/>", "the XML element 'Error' instead of 'NotificationConfiguration': check AWS_ENDPOINT_URL"),
        (document(queue()) + b"<!-- comment -->", "format that this release does not support, so it was not changed"),
    ],
)
def test_unexpected_notification_xml_is_an_error(text: bytes, error: str) -> None:
    with pytest.raises(OperatorError, match=error):
        with_event_bridge(text)


EQUAL = {
    "order of entries": (document(queue(), ON), document(ON, queue())),
    "order in an entry": (
        document(queue(b"<Event>s3:ObjectRemoved:*</Event>", id=b"")),
        document(queue(b"", id=b"<Event>s3:ObjectRemoved:*</Event>")),
    ),
    "order of filter rules": (
        document(queue(RULES % (PREFIX % b"a" + SUFFIX % b"b"))),
        document(queue(RULES % (SUFFIX % b"b" + PREFIX % b"a"))),
    ),
    "spelling of filter names": (
        document(queue(RULES % PREFIX % b"a")),
        document(queue(RULES % PREFIX.replace(b"prefix", b"Prefix") % b"a")),
    ),
    "missing and empty filter": (document(queue()), document(queue(b"<Filter/>"))),
    "missing filter and filter without rules": (document(queue()), document(queue(RULES % b""))),
    "missing and empty value": (document(queue()), document(queue(RULES % PREFIX % b""))),
    "generated ID": (document(queue(id=b"")), document(queue(id=b"<Id>generated</Id>"))),
    "two generated IDs": (
        document(queue(id=b""), queue(id=b"")),
        document(queue(id=b"<Id>1</Id>"), queue(id=b"<Id>2</Id>")),
    ),
    "layout": (document(queue()), document(b"\n  ", queue(), b"\n")),
    "namespace": (document(queue()), b"<NotificationConfiguration>" + queue() + END),
}


@pytest.mark.parametrize("case", EQUAL)
def test_equivalent_notification_documents_have_no_differences(case: str) -> None:
    before, after = EQUAL[case]
    assert not differences(before, after)


DIFFERENT = {
    "EventBridge off and on": (document(), document(ON)),
    "other ID": (document(queue()), document(queue(id=b"<Id>other</Id>"))),
    "removed ID": (document(queue()), document(queue(id=b""))),
    "other value": (document(queue(RULES % PREFIX % b"a")), document(queue(RULES % PREFIX % b"A"))),
    "space": (document(queue(RULES % PREFIX % b"a")), document(queue(RULES % PREFIX % b"a "))),
    "space as value": (document(queue()), document(queue(RULES % PREFIX % b" "))),
    "further event": (document(queue()), document(queue(b"<Event>s3:ObjectRemoved:*</Event>"))),
    "unsupported element in an entry": (document(queue()), document(queue(b"<New/>"))),
    "unsupported entry": (document(b"<New/>"), document()),
    "one generated ID of two": (document(queue(id=b""), queue(id=b"")), document(queue(id=b"<Id>1</Id>"))),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_notification_documents_with_different_rules_have_differences(case: str) -> None:
    before, after = DIFFERENT[case]
    assert differences(before, after)


def test_differences_of_notification_documents_are_the_removed_and_added_entries() -> None:
    found = differences(document(queue(), b"<New/>"), document(queue(id=b"<Id>other</Id>"), b"<New/>", ON))
    assert found.lines() == [
        "removed: queue arn:q  s3:ObjectCreated:*  ID 'mine'",
        "added: EventBridgeConfiguration",
        "added: queue arn:q  s3:ObjectCreated:*  ID 'other'",
    ]


def test_all_notifications_of_a_bucket_except_eventbridge_are_listed() -> None:
    entry = queue(b"<Event>s3:ObjectRemoved:*</Event>", RULES % (PREFIX % b"in/" + SUFFIX % b".csv"))
    topic = (
        b"<TopicConfiguration><Topic>arn:t</Topic><Event>s3:ReducedRedundancyLostObject</Event></TopicConfiguration>"
    )
    function = b"<CloudFunctionConfiguration><CloudFunction>arn:f</CloudFunction></CloudFunctionConfiguration>"
    found = {each.kind: each for each in notifications(document(entry, ON, topic, function, b"<New><Id>n</Id></New>"))}
    assert found["queue"] == BucketNotification(
        kind="queue",
        destination="arn:q",
        id="mine",
        events=("s3:ObjectCreated:*", "s3:ObjectRemoved:*"),
        prefix="in/",
        suffix=".csv",
    )
    assert {kind: (each.destination, each.is_supported) for kind, each in found.items()} == {
        "queue": ("arn:q", True),
        "topic": ("arn:t", True),
        "function": ("arn:f", True),
        "New": ("", False),
    }
    assert found["queue"].text() == (
        "queue arn:q  s3:ObjectCreated:*, s3:ObjectRemoved:*  prefix 'in/'  suffix '.csv'  ID 'mine'"
    )
    assert found["New"].text() == "New  ID 'n'"
