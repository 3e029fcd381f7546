"""The bucket that people upload to."""

from __future__ import annotations

import pytest

from tests.support.expected import CUSTOM, PROD, TAGS, UPLOADS, UPLOADS_ARN, tls_only
from tests.support.synth import policy, synth

COVERS = {
    "tap-uploads",
    "tap-uploads-cors",
    "tap-uploads-encryption",
    "tap-uploads-lifecycle",
    "tap-uploads-ownership",
    "tap-uploads-policy",
    "tap-uploads-public-access",
    "tap-uploads-versioning",
}

# S3 API Reference, CORSRule
S3_CORS_METHODS = {"GET", "PUT", "POST", "DELETE", "HEAD"}


def test_a_developers_bucket_may_be_deleted_with_what_is_in_it() -> None:
    bucket = synth().one("Bucket", bucket=UPLOADS)
    assert bucket.inputs == {"bucket": UPLOADS, "forceDestroy": True, "tags": TAGS}
    assert not bucket.protect


def test_outside_dev_the_bucket_is_protected_and_never_deleted_with_its_objects() -> None:
    bucket = synth(**PROD).one("Bucket", bucket=UPLOADS.replace("-dev-", "-prod-"))
    assert bucket.protect
    assert bucket.inputs["forceDestroy"] is False


def test_the_bucket_can_have_a_name_of_its_own() -> None:
    stack = synth(**CUSTOM)
    assert "acme-inbox" in {each.inputs["bucket"] for each in stack.all("Bucket")}
    assert stack.outputs["bucket_name"] == "acme-inbox"
    assert stack.one("Function").inputs["environment"]["variables"]["TAP_BUCKET_NAME"] == "acme-inbox"


@pytest.mark.control("S3.14")
def test_every_version_is_kept() -> None:
    assert synth().one("BucketVersioning").inputs == {
        "bucket": UPLOADS,
        "versioningConfiguration": {"status": "Enabled"},
    }


def test_objects_are_encrypted_with_aes_256() -> None:
    assert synth().one("BucketServerSideEncryptionConfiguration", bucket=UPLOADS).inputs == {
        "bucket": UPLOADS,
        "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}],
    }


@pytest.mark.control("S3.2", "S3.3", "S3.8")
def test_nothing_in_the_bucket_can_be_public() -> None:
    assert synth().one("BucketPublicAccessBlock", bucket=UPLOADS).inputs == {
        "bucket": UPLOADS,
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    }


@pytest.mark.control("S3.12")
def test_the_bucket_owns_every_object_and_access_lists_are_off() -> None:
    assert synth().one("BucketOwnershipControls", bucket=UPLOADS).inputs == {
        "bucket": UPLOADS,
        "rule": {"objectOwnership": "BucketOwnerEnforced"},
    }


def test_the_policy_demands_tls_and_an_encryption_that_the_function_can_read() -> None:
    assert policy(synth().one("BucketPolicy", bucket=UPLOADS)) == {
        "Version": "2012-10-17",
        "Statement": [
            tls_only("s3:*", UPLOADS_ARN, f"{UPLOADS_ARN}/*"),
            {
                "Sid": "DenyOtherEncryption",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": f"{UPLOADS_ARN}/*",
                # both conditions: alone, the second one also refuses uploads that ask for nothing
                "Condition": {
                    "Null": {"s3:x-amz-server-side-encryption": "false"},
                    "StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"},
                },
            },
            {
                "Sid": "DenyCustomerKeys",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": f"{UPLOADS_ARN}/*",
                "Condition": {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
            },
        ],
    }


def test_the_encryption_that_the_policy_allows_is_the_one_of_the_bucket() -> None:
    stack = synth()
    (rule,) = stack.one("BucketServerSideEncryptionConfiguration", bucket=UPLOADS).inputs["rules"]
    statements = {each["Sid"]: each for each in policy(stack.one("BucketPolicy", bucket=UPLOADS))["Statement"]}
    allowed = statements["DenyOtherEncryption"]["Condition"]["StringNotEquals"]
    assert allowed == {"s3:x-amz-server-side-encryption": rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"]}


@pytest.mark.control("S3.10", "S3.13")
def test_old_versions_and_unfinished_uploads_expire() -> None:
    assert synth().one("BucketLifecycleConfiguration", bucket=UPLOADS).inputs == {
        "bucket": UPLOADS,
        "rules": [
            {
                "id": "abort-incomplete-uploads",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
            },
            {
                "id": "expire-noncurrent-versions",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "noncurrentVersionExpiration": {"noncurrentDays": 90},
            },
        ],
    }


def test_how_long_old_versions_are_kept_can_be_configured() -> None:
    (_, rule) = synth(**CUSTOM).one("BucketLifecycleConfiguration", bucket="acme-inbox").inputs["rules"]
    assert rule["noncurrentVersionExpiration"] == {"noncurrentDays": 7}


def test_pages_of_a_developers_machine_may_upload_and_read_the_etag() -> None:
    cors = synth().one("BucketCorsConfiguration")
    assert cors.inputs == {
        "bucket": UPLOADS,
        "corsRules": [
            {
                "allowedHeaders": ["*"],
                "allowedMethods": ["GET", "PUT", "POST", "HEAD"],
                "allowedOrigins": ["http://localhost:3000"],
                "exposeHeaders": ["ETag"],
                "maxAgeSeconds": 3000,
            }
        ],
    }
    assert set(cors.inputs["corsRules"][0]["allowedMethods"]) <= S3_CORS_METHODS


def test_configured_origins_take_the_place_of_the_default() -> None:
    (rule,) = synth(**CUSTOM).one("BucketCorsConfiguration").inputs["corsRules"]
    assert rule["allowedOrigins"] == ["https://app.example.com", "https://*.example.org"]


def test_the_policy_waits_for_the_public_access_block() -> None:
    """S3 answers 409 to two changes of a bucket's access at the same time."""
    stack = synth()
    assert stack.needs(stack.one("BucketPolicy", bucket=UPLOADS), stack.one("BucketPublicAccessBlock", bucket=UPLOADS))
