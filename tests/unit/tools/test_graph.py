"""Tests of the resource diagram in docs/architecture.md, and of its generator tools/graph.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import pytest

from localstack.deployers.monitor import Recorded
from tests.support.default_stack import FULL
from tests.support.synth import synth
from tools.graph import DOCUMENT, END, START, Box, GraphError, boxes, diagram, embed, mermaid, section

BUCKET = "aws:s3/bucket:Bucket"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TOPIC = "aws:sns/topic:Topic"


def recorded(type_: str, name: str, *dependencies: Recorded) -> Recorded:
    return Recorded(
        type=type_,
        name=name,
        urn=f"urn:pulumi:dev::tapstack::{type_}::{name}",
        inputs={},
        parent="",
        dependencies=frozenset(each.urn for each in dependencies),
        custom=True,
        protect=False,
        retain_on_delete=False,
        delete_before_replace=False,
        ignore_changes=(),
    )


def by_id(*resources: Recorded) -> dict[str, Box]:
    return {box.id: box for box in boxes(resources)}


def lines(*resources: Recorded, optional: Collection[str] = ()) -> list[str]:
    return [line.strip() for line in mermaid(boxes(resources), optional=optional, prefix="tap-").splitlines()]


UPLOADS, LOGS, ALARMS = recorded(BUCKET, "tap-uploads"), recorded(BUCKET, "tap-logs"), recorded(TOPIC, "tap-alarms")


def test_resource_diagram_in_the_docs_is_up_to_date() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == embed(text, diagram()), "docs/architecture.md is out of date: run `nox -s graph`"


def test_resource_diagram_contains_each_resource_and_dependency_once() -> None:
    resources = synth(**FULL).resources
    drawn = boxes(resources)
    box_of = {name: box.id for box in drawn for name in (*box.members, *box.parts)}
    assert Counter(name for box in drawn for name in (*box.members, *box.parts)) == Counter(r.name for r in resources)
    name_of = {resource.urn: resource.name for resource in resources}
    needed = {(box_of[resource.name], box_of[name_of[urn]]) for resource in resources for urn in resource.dependencies}
    arrows = {(box.id, other) for box in drawn for other in box.needs}
    assert arrows == {(later, earlier) for later, earlier in needed if later != earlier}
    assert boxes(tuple(reversed(resources))) == drawn


def test_resource_diagram_shows_a_bucket_policy_in_the_box_of_its_bucket() -> None:
    versioning = recorded("aws:s3/bucketVersioning:BucketVersioning", "tap-uploads-versioning", UPLOADS)
    policy = recorded(BUCKET_POLICY, "tap-uploads-policy", UPLOADS, versioning)
    (box,) = boxes([policy, versioning, UPLOADS])
    assert box.parts == ["tap-uploads-versioning", "tap-uploads-policy"]
    assert 'tap_uploads["s3 bucket<br/>uploads<br/>+ versioning<br/>+ policy"]' in lines(policy, versioning, UPLOADS)


def test_resource_diagram_shows_ungrouped_resources_in_separate_boxes() -> None:
    # This bucket policy has its own box because it depends on two buckets.
    policy = recorded(BUCKET_POLICY, "tap-logs-policy", UPLOADS, LOGS)
    assert by_id(UPLOADS, LOGS, policy)["tap_logs_policy"].needs == {"tap_uploads", "tap_logs"}
    assert by_id(ALARMS, recorded(ALARM, "tap-errors", ALARMS)).keys() == {"tap_alarms", "tap_errors"}
    # Resources without dependencies, such as two buckets, do not share a box.
    assert by_id(UPLOADS, LOGS).keys() == {"tap_uploads", "tap_logs"}


def test_resource_diagram_groups_alarms_with_equal_dependencies_in_one_box() -> None:
    alarms = [recorded(ALARM, f"tap-{end}", ALARMS) for end in ("table-reads", "table-errors", "function-errors")]
    drawn = by_id(ALARMS, *alarms, recorded(BUCKET, "tap-later", alarms[0]))
    box = drawn["tap_function_errors"]
    assert box.members == ["tap-function-errors", "tap-table-errors", "tap-table-reads"]
    assert drawn["tap_later"].needs == {box.id}
    label = "3 x cloudwatch metric alarm<br/>function: errors<br/>table: errors, reads"
    assert f'{box.id}["{label}"]' in lines(ALARMS, *alarms)


@pytest.mark.parametrize(("optional", "dashed"), [({"tap-one"}, 0), ({"tap-one", "tap-two"}, 1)])
def test_resource_diagram_draws_a_dashed_box_only_if_all_members_are_optional(optional: set[str], dashed: int) -> None:
    alarms = [recorded(ALARM, f"tap-{end}", ALARMS) for end in ("one", "two")]
    drawing = lines(ALARMS, *alarms, optional=optional)
    assert len([line for line in drawing if line.endswith(":::optional")]) == dashed


def test_resource_diagram_marks_an_optional_email_subscription() -> None:
    email = recorded("aws:sns/topicSubscription:TopicSubscription", "tap-alarms-email", ALARMS)
    label = "sns topic<br/>alarms<br/>+ email (if configured)"
    assert f'tap_alarms["{label}"]' in lines(ALARMS, email, optional={"tap-alarms-email"})


def test_resource_type_determines_the_diagram_section_by_longest_prefix() -> None:
    assert section("aws:cloudwatch/logGroup:LogGroup") == "function"
    assert section(ALARM) == "alarms"
    with pytest.raises(GraphError, match="aws:kinesis/stream:Stream belongs to no section"):
        section("aws:kinesis/stream:Stream")


def test_diagram_update_replaces_only_the_text_between_the_markers() -> None:
    assert embed(f"before\n{START}old\n{END}after\n", "new\n") == f"before\n{START}new\n{END}after\n"


@pytest.mark.parametrize("text", ["", START, END, f"{END}{START}", f"{START}{END}{START}{END}"])
def test_diagram_update_rejects_a_document_without_both_markers(text: str) -> None:
    with pytest.raises(GraphError, match="needs the lines"):
        embed(text, "new\n")
