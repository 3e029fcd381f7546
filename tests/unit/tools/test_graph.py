"""The picture of the resources shows the program as it is, and what goes together in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import pytest

from localstack.deployers.monitor import Recorded
from tests.support.default_stack import FULL
from tests.support.synth import synth
from tools.graph import DOCUMENT, END, START, Box, GraphError, boxes, embed, mermaid, picture, section

BUCKET = "aws:s3/bucket:Bucket"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
BUCKET_VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TOPIC = "aws:sns/topic:Topic"


def recorded(type_: str, name: str, *needs: Recorded) -> Recorded:
    return Recorded(
        type=type_,
        name=name,
        urn=f"urn:pulumi:dev::tapstack::{type_}::{name}",
        inputs={},
        parent="",
        dependencies=frozenset(each.urn for each in needs),
        custom=True,
        protect=False,
        retain_on_delete=False,
        delete_before_replace=False,
        ignore_changes=(),
    )


def drawn(*resources: Recorded) -> dict[str, Box]:
    return {box.id: box for box in boxes(resources)}


def lines(*resources: Recorded, optional: Collection[str] = ()) -> list[str]:
    return [line.strip() for line in mermaid(boxes(resources), optional=optional, prefix="tap-").splitlines()]


def test_the_picture_in_the_docs_shows_the_program_as_it_is() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == embed(text, picture()), "docs/architecture.md is out of date: run `nox -s graph`"


def test_every_resource_is_drawn_once() -> None:
    resources = synth(**FULL).resources
    shown = Counter(name for box in boxes(resources) for name in (*box.members, *box.parts))
    assert shown == Counter(resource.name for resource in resources)


def test_every_dependency_between_boxes_is_an_arrow_and_nothing_else_is() -> None:
    resources = synth(**FULL).resources
    box_of = {name: box.id for box in boxes(resources) for name in (*box.members, *box.parts)}
    name_of = {resource.urn: resource.name for resource in resources}
    needed = {(box_of[resource.name], box_of[name_of[urn]]) for resource in resources for urn in resource.dependencies}
    arrows = {(box.id, other) for box in boxes(resources) for other in box.needs}
    assert arrows == {(later, earlier) for later, earlier in needed if later != earlier}


def test_a_part_is_drawn_inside_its_owner() -> None:
    bucket = recorded(BUCKET, "tap-uploads")
    versioning = recorded(BUCKET_VERSIONING, "tap-uploads-versioning", bucket)
    policy = recorded(BUCKET_POLICY, "tap-uploads-policy", bucket, versioning)
    (box,) = boxes([policy, versioning, bucket])
    assert box.parts == ["tap-uploads-versioning", "tap-uploads-policy"]
    assert 'tap_uploads["s3 bucket<br/>uploads<br/>+ versioning<br/>+ policy"]' in lines(policy, versioning, bucket)


def test_what_joins_two_boxes_is_a_box_of_its_own() -> None:
    uploads, logs = recorded(BUCKET, "tap-uploads"), recorded(BUCKET, "tap-logs")
    policy = recorded(BUCKET_POLICY, "tap-logs-policy", uploads, logs)
    assert drawn(uploads, logs, policy)["tap_logs_policy"].needs == {"tap_uploads", "tap_logs"}


def test_a_resource_of_another_kind_is_no_part() -> None:
    topic = recorded(TOPIC, "tap-alarms")
    assert drawn(topic, recorded(ALARM, "tap-errors", topic)).keys() == {"tap_alarms", "tap_errors"}


def test_siblings_share_a_box_and_what_needs_one_of_them_needs_the_box() -> None:
    topic = recorded(TOPIC, "tap-alarms")
    alarms = [recorded(ALARM, f"tap-{end}", topic) for end in ("table-reads", "table-errors", "function-errors")]
    later = recorded(BUCKET, "tap-later", alarms[0])
    box = drawn(topic, *alarms, later)["tap_function_errors"]
    assert box.members == ["tap-function-errors", "tap-table-errors", "tap-table-reads"]
    assert drawn(topic, *alarms, later)["tap_later"].needs == {box.id}
    label = "3 x cloudwatch metric alarm<br/>function: errors<br/>table: errors, reads"
    assert f'{box.id}["{label}"]' in lines(topic, *alarms)


def test_resources_that_need_nothing_are_no_siblings() -> None:
    assert drawn(recorded(BUCKET, "tap-uploads"), recorded(BUCKET, "tap-logs")).keys() == {"tap_uploads", "tap_logs"}


def test_only_a_box_that_is_optional_as_a_whole_is_dashed() -> None:
    topic = recorded(TOPIC, "tap-alarms")
    alarms = [recorded(ALARM, f"tap-{end}", topic) for end in ("one", "two")]
    some = lines(topic, *alarms, optional={"tap-one"})
    whole = lines(topic, *alarms, optional={"tap-one", "tap-two"})
    assert [line for line in some if line.endswith(":::optional")] == []
    assert len([line for line in whole if line.endswith(":::optional")]) == 1


def test_a_part_that_is_optional_says_so() -> None:
    topic = recorded(TOPIC, "tap-alarms")
    email = recorded("aws:sns/topicSubscription:TopicSubscription", "tap-alarms-email", topic)
    label = "sns topic<br/>alarms<br/>+ email (if configured)"
    assert f'tap_alarms["{label}"]' in lines(topic, email, optional={"tap-alarms-email"})


def test_the_order_in_which_resources_were_created_changes_nothing() -> None:
    resources = synth(**FULL).resources
    assert boxes(resources) == boxes(tuple(reversed(resources)))


def test_a_type_without_a_section_is_an_error_that_names_it() -> None:
    with pytest.raises(GraphError, match="aws:kinesis/stream:Stream is in no section"):
        section("aws:kinesis/stream:Stream")


def test_the_longest_start_of_a_type_decides_its_section() -> None:
    assert section("aws:cloudwatch/logGroup:LogGroup") == "function"
    assert section(ALARM) == "alarms"


def test_only_what_is_between_the_markers_is_replaced() -> None:
    assert embed(f"before\n{START}old\n{END}after\n", "new\n") == f"before\n{START}new\n{END}after\n"


@pytest.mark.parametrize("text", ["", START, END, f"{END}{START}", f"{START}{END}{START}{END}"])
def test_a_document_without_its_two_markers_is_an_error(text: str) -> None:
    with pytest.raises(GraphError, match="needs the lines"):
        embed(text, "new\n")
