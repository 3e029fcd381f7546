"""How S3 calls the function."""

from __future__ import annotations

import pytest

from tests.support.expected import ACCOUNT, CUSTOM, FUNCTION, FUNCTION_ARN, S3_EVENTS, UPLOADS, UPLOADS_ARN
from tests.support.synth import synth

COVERS = {"tap-s3-permission", "tap-uploads-notification"}


@pytest.mark.control("Lambda.1")
def test_only_s3_for_this_bucket_of_this_account_may_call_the_function() -> None:
    """The ARN is the bucket's (with `/*` S3 would be refused), and the account, since names can change hands."""
    assert synth().one("Permission").inputs == {
        "statementId": "AllowUploadBucket",
        "action": "lambda:InvokeFunction",
        "function": FUNCTION,
        "principal": "s3.amazonaws.com",
        "sourceArn": UPLOADS_ARN,
        "sourceAccount": ACCOUNT,
    }


@pytest.mark.control("S3.11")
def test_everything_that_comes_or_goes_is_announced_to_the_function() -> None:
    assert synth().one("BucketNotification").inputs == {
        "bucket": UPLOADS,
        "lambdaFunctions": [
            {
                "id": "index-uploads",
                "lambdaFunctionArn": FUNCTION_ARN,
                "events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"],
            }
        ],
    }


def test_the_bucket_has_one_notification_configuration() -> None:
    """A second one silently overwrites the first."""
    assert len(synth(**CUSTOM).all("BucketNotification")) == 1


def test_s3_knows_every_event_that_is_subscribed() -> None:
    (rule,) = synth().one("BucketNotification").inputs["lambdaFunctions"]
    assert set(rule["events"]) <= S3_EVENTS


def test_no_two_subscribed_events_overlap() -> None:
    """S3 refuses a configuration in which one event matches twice."""
    (rule,) = synth().one("BucketNotification").inputs["lambdaFunctions"]
    families = [event.rsplit(":", 1) for event in rule["events"]]
    assert len(families) == len({family for family, _ in families})


def test_prefix_and_suffix_narrow_what_is_announced() -> None:
    (rule,) = synth(**CUSTOM).one("BucketNotification").inputs["lambdaFunctions"]
    assert (rule["filterPrefix"], rule["filterSuffix"]) == ("in+box/", ".csv")


@pytest.mark.parametrize(
    ("plain", "encoded"),
    [
        ("images/2026-11_a.b/", "images/2026-11_a.b/"),
        ("year=2026/", "year%3D2026/"),
        ("a b+c/", "a+b%2Bc/"),
        ("深い/", "%E6%B7%B1%E3%81%84/"),
        ("(it's)!", "(it's)!"),
    ],
)
def test_filters_are_encoded_as_s3_compares_them(plain: str, encoded: str) -> None:
    """A filter that is not encoded matches nothing on AWS, without a word; emulators compare it as it is."""
    (rule,) = synth(notificationPrefix=plain).one("BucketNotification").inputs["lambdaFunctions"]
    assert rule["filterPrefix"] == encoded


def test_nothing_is_announced_before_s3_may_call_and_objects_have_versions() -> None:
    stack = synth()
    notification = stack.one("BucketNotification")
    assert stack.needs(notification, stack.one("Permission"))
    assert stack.needs(notification, stack.one("BucketVersioning"))
    assert stack.needs(notification, stack.one("Function"))
    assert stack.needs(notification, stack.one("RolePolicy"))
    assert stack.needs(notification, stack.one("FunctionEventInvokeConfig"))
