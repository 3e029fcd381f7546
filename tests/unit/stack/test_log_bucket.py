"""The bucket that keeps the upload bucket's access logs."""

from __future__ import annotations

import pytest

from tests.support.expected import ACCOUNT, LOGS, LOGS_ARN, PROD, TAGS, UPLOADS, UPLOADS_ARN, tls_only
from tests.support.synth import policy, synth

COVERS = {
    "tap-logs",
    "tap-logs-encryption",
    "tap-logs-lifecycle",
    "tap-logs-ownership",
    "tap-logs-policy",
    "tap-logs-public-access",
    "tap-uploads-logging",
}


@pytest.mark.control("S3.9")
def test_every_request_to_the_upload_bucket_is_logged() -> None:
    assert synth().one("BucketLogging").inputs == {
        "bucket": UPLOADS,
        "targetBucket": LOGS,
        "targetPrefix": "uploads/",
    }


def test_logging_begins_when_the_log_buckets_policy_allows_it() -> None:
    """AWS refuses the setting before."""
    stack = synth()
    assert stack.needs(stack.one("BucketLogging"), stack.one("BucketPolicy", bucket=LOGS))


def test_the_log_bucket_is_not_logged_itself() -> None:
    """Each log that is written would be logged, for ever."""
    stack = synth()
    assert [each.inputs["bucket"] for each in stack.all("BucketLogging")] == [UPLOADS]


def test_only_s3s_logging_of_this_bucket_and_account_may_write() -> None:
    assert policy(synth().one("BucketPolicy", bucket=LOGS)) == {
        "Version": "2012-10-17",
        "Statement": [
            tls_only("s3:*", LOGS_ARN, f"{LOGS_ARN}/*"),
            {
                "Sid": "AllowAccessLogs",
                "Effect": "Allow",
                "Principal": {"Service": "logging.s3.amazonaws.com"},
                "Action": "s3:PutObject",
                "Resource": f"{LOGS_ARN}/*",
                "Condition": {
                    "ArnLike": {"aws:SourceArn": UPLOADS_ARN},
                    "StringEquals": {"aws:SourceAccount": ACCOUNT},
                },
            },
        ],
    }


@pytest.mark.control("S3.2", "S3.3", "S3.8", "S3.12")
def test_the_log_bucket_is_hardened_like_the_upload_bucket() -> None:
    stack = synth()
    for part in ("BucketPublicAccessBlock", "BucketOwnershipControls", "BucketServerSideEncryptionConfiguration"):
        logs, uploads = stack.one(part, bucket=LOGS).inputs, stack.one(part, bucket=UPLOADS).inputs
        assert logs == {**uploads, "bucket": LOGS}


@pytest.mark.control("S3.13")
def test_logs_are_kept_for_90_days() -> None:
    assert synth().one("BucketLifecycleConfiguration", bucket=LOGS).inputs == {
        "bucket": LOGS,
        "rules": [
            {
                "id": "abort-incomplete-uploads",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
            },
            {
                "id": "expire-access-logs",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "expiration": {"days": 90},
            },
        ],
    }


def test_a_developers_log_bucket_may_be_deleted_with_what_is_in_it() -> None:
    bucket = synth().one("Bucket", bucket=LOGS)
    assert bucket.inputs == {"bucket": LOGS, "forceDestroy": True, "tags": TAGS}
    assert not bucket.protect


def test_outside_dev_the_log_bucket_is_protected_and_never_deleted_with_its_objects() -> None:
    bucket = synth(**PROD).one("Bucket", bucket=LOGS.replace("-dev-", "-prod-"))
    assert bucket.protect
    assert bucket.inputs["forceDestroy"] is False
