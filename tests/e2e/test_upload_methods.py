"""Every method to create an object creates a row: multipart uploads, copies, and presigned requests of a browser."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from urllib3 import encode_multipart_formdata

from tests.e2e.capabilities import Capability, gap, needs
from tests.support.deployed_stack import url_opener
from tests.support.edge_cases import MEGABYTE

if TYPE_CHECKING:
    from tests.support.index import AwsTarget, Index
    from tests.support.rows import Row


def test_multipart_upload_creates_one_row(index: Index) -> None:
    key = index.key("ways/in-parts.mp4")
    s3, target = index.clients.s3, {"Bucket": index.bucket, "Key": key}
    upload = s3.create_multipart_upload(**target, ContentType="video/mp4", Metadata={"camera": "two"})["UploadId"]
    parts: list[dict[str, Any]] = []
    for number, part in enumerate([b"\0" * 5 * MEGABYTE, b"the rest"], start=1):
        response = s3.upload_part(**target, UploadId=upload, PartNumber=number, Body=part)
        parts.append({"PartNumber": number, "ETag": response["ETag"]})
    response = s3.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": parts})
    row = _correct_row(index, key, response["VersionId"])
    assert row["event_name"] == "ObjectCreated:CompleteMultipartUpload"
    assert row["size_bytes"] == 5 * MEGABYTE + len("the rest")
    assert row["etag"].endswith("-2")  # the ETag of a multipart upload is not an MD5 hash
    assert row["user_metadata"] == {"camera": "two"}
    assert len(index.rows(key)) == 1


def test_aborted_multipart_upload_creates_no_row(index: Index) -> None:
    key = index.key("ways/given-up.mp4")
    s3 = index.clients.s3
    upload = s3.create_multipart_upload(Bucket=index.bucket, Key=key)["UploadId"]
    s3.upload_part(Bucket=index.bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"\0")
    s3.abort_multipart_upload(Bucket=index.bucket, Key=key, UploadId=upload)
    index.put_indexed(index.key("ways/after-it.txt"))
    assert index.rows(key) == []


def test_copy_creates_a_separate_row_for_the_new_object(index: Index) -> None:
    source, target = index.key("ways/orig+inal é.txt"), index.key("ways/copy/of it é+.txt")
    original = index.put_indexed(source, b"copy me", ContentType="text/x-original", Metadata={"from": "here"})
    response = index.clients.s3.copy_object(
        Bucket=index.bucket, Key=target, CopySource={"Bucket": index.bucket, "Key": source}
    )
    row = _correct_row(index, target, response["VersionId"])
    assert row["event_name"] == "ObjectCreated:Copy"
    assert (row["content_type"], row["user_metadata"]) == ("text/x-original", {"from": "here"})
    assert index.rows(source) == [original]


def test_object_copied_onto_itself_has_a_row_for_each_version(index: Index) -> None:
    key = index.key("ways/retyped.txt")
    first = index.put_indexed(key, ContentType="text/plain")["version_id"]
    second = index.clients.s3.copy_object(
        Bucket=index.bucket,
        Key=key,
        CopySource={"Bucket": index.bucket, "Key": key},
        MetadataDirective="REPLACE",
        ContentType="text/markdown",
    )["VersionId"]
    assert _correct_row(index, key, second)["content_type"] == "text/markdown"
    assert {row["version_id"]: row["content_type"] for row in index.rows(key)} == {
        first: "text/plain",
        second: "text/markdown",
    }


def test_presigned_put_creates_a_row(index: Index) -> None:
    key = index.key("ways/pre signed+ü %2B.txt")
    url = _presigned_put(index, key, ContentType="text/x-signed")
    version_id = _send(url, b"from a browser", method="PUT", headers={"Content-Type": "text/x-signed"})
    row = _correct_row(index, key, version_id)
    assert row["event_name"] == "ObjectCreated:Put"
    assert (row["size_bytes"], row["content_type"]) == (14, "text/x-signed")


def test_row_has_decoded_user_metadata_that_was_sent_as_utf8(target: AwsTarget, index: Index) -> None:
    """Browsers and some SDKs send non-ASCII metadata, which S3 returns as RFC 2047 words in the HEAD response."""
    needs(target, Capability.RFC_2047_METADATA)
    key = index.key("ways/metadata.txt")
    # http.client encodes header values as Latin-1, so this text is sent as UTF-8 bytes.
    raw = "Zürich 東京".encode().decode("latin-1")
    version_id = _send(_presigned_put(index, key), b"", method="PUT", headers={"x-amz-meta-place": raw})
    assert index.wait_for_row(key, version_id)["user_metadata"] == {"place": "Zürich 東京"}


def test_form_posted_by_a_browser_creates_a_row(target: AwsTarget, index: Index) -> None:
    filename = "my report +%2B.csv" if gap(target, Capability.UTF8_FORM) else "my report +%2B é.csv"
    fields = {"Content-Type": "text/csv", "x-amz-meta-sent-by": "a form", "success_action_status": "201"}
    form = index.clients.s3.generate_presigned_post(
        index.bucket,
        index.key("ways/posted/${filename}"),
        Fields=fields,
        Conditions=[*({name: value} for name, value in fields.items()), ["content-length-range", 1, 1000]],
        ExpiresIn=60,
    )
    # As in a browser's form, the file is the last field, and the file name is encoded in UTF-8.
    body, content_type = encode_multipart_formdata({**form["fields"], "file": (filename, b"a,b\n1,2\n", "text/csv")})
    version_id = _send(form["url"], body, method="POST", headers={"Content-Type": content_type})
    row = _correct_row(index, index.key(f"ways/posted/{filename}"), version_id)
    assert row["event_name"] == "ObjectCreated:Post"
    assert (row["size_bytes"], row["content_type"]) == (8, "text/csv")
    assert row["user_metadata"] == {"sent-by": "a form"}


def _correct_row(index: Index, key: str, version_id: str) -> Row:
    """Wait for the row of this version, and assert that it matches the HEAD response."""
    row = index.wait_for_row(key, version_id)
    index.assert_row_matches_head(row)
    return row


def _presigned_put(index: Index, key: str, **parameters: str) -> str:
    target = {"Bucket": index.bucket, "Key": key, **parameters}
    url: str = index.clients.s3.generate_presigned_url("put_object", Params=target, ExpiresIn=60)
    return url


def _send(url: str, body: bytes, *, method: str, headers: Mapping[str, str]) -> str:
    """Send one HTTP request without an AWS library; return the version ID in S3's response."""
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))  # noqa: S310 - a URL from boto3
    with url_opener(url).open(request, timeout=30) as response:
        version_id: str = response.headers["x-amz-version-id"]
        return version_id
