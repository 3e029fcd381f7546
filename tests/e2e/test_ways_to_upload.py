"""Every way into the bucket leads into the table: multipart, copy, and what a browser does with a presigned link."""

from __future__ import annotations

import urllib.request
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.capabilities import Capability, gap, needs
from tests.support.deployed_stack import opener
from tests.support.edge_cases import MEGABYTE
from tests.support.rows import FROM_THE_EVENT, told_by_s3

if TYPE_CHECKING:
    from tests.support.index import Index, Place, Row

VERSION_HEADER = "x-amz-version-id"


def test_a_multipart_upload_becomes_one_row(index: Index) -> None:
    key = index.key("ways/in-parts.mp4")
    version_id = _upload_in_parts(index, key, [b"\0" * 5 * MEGABYTE, b"the rest"])
    row = _row_as_s3_says(index, key, version_id)
    assert row["event_name"] == "ObjectCreated:CompleteMultipartUpload"
    assert row["size_bytes"] == 5 * MEGABYTE + len("the rest")
    assert row["etag"].endswith("-2")  # not an MD5
    assert row["user_metadata"] == {"camera": "two"}
    assert len(index.rows(key)) == 1


def test_a_multipart_upload_that_is_given_up_leaves_no_row(index: Index) -> None:
    key = index.key("ways/given-up.mp4")
    s3 = index.clients.s3
    upload = s3.create_multipart_upload(Bucket=index.bucket, Key=key)["UploadId"]
    s3.upload_part(Bucket=index.bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"\0")
    s3.abort_multipart_upload(Bucket=index.bucket, Key=key, UploadId=upload)
    after_it = index.key("ways/after-it.txt")
    index.wait_for_row(after_it, index.put(after_it))
    assert index.rows(key) == []


def test_a_copy_becomes_a_row_of_its_own(index: Index) -> None:
    source, target = index.key("ways/orig+inal é.txt"), index.key("ways/copy/of it é+.txt")
    version_id = index.put(source, b"copy me", ContentType="text/x-original", Metadata={"from": "here"})
    original = index.wait_for_row(source, version_id)
    answer = index.clients.s3.copy_object(
        Bucket=index.bucket, Key=target, CopySource={"Bucket": index.bucket, "Key": source}
    )
    row = _row_as_s3_says(index, target, answer["VersionId"])
    assert row["event_name"] == "ObjectCreated:Copy"
    assert (row["content_type"], row["user_metadata"]) == ("text/x-original", {"from": "here"})
    assert index.rows(source) == [original]


def test_a_copy_onto_itself_with_new_metadata_is_a_new_version(index: Index) -> None:
    key = index.key("ways/retyped.txt")
    first = index.put(key, ContentType="text/plain")
    index.wait_for_row(key, first)
    second = index.clients.s3.copy_object(
        Bucket=index.bucket,
        Key=key,
        CopySource={"Bucket": index.bucket, "Key": key},
        MetadataDirective="REPLACE",
        ContentType="text/markdown",
    )["VersionId"]
    assert _row_as_s3_says(index, key, second)["content_type"] == "text/markdown"
    assert {row["version_id"]: row["content_type"] for row in index.rows(key)} == {
        first: "text/plain",
        second: "text/markdown",
    }


def test_a_presigned_put_becomes_a_row(index: Index) -> None:
    key = index.key("ways/pre signed+ü %2B.txt")
    url = index.clients.s3.generate_presigned_url(
        "put_object", Params={"Bucket": index.bucket, "Key": key, "ContentType": "text/x-signed"}, ExpiresIn=60
    )
    version_id = _send(url, b"from a browser", method="PUT", headers={"Content-Type": "text/x-signed"})
    row = _row_as_s3_says(index, key, version_id)
    assert row["event_name"] == "ObjectCreated:Put"
    assert (row["size_bytes"], row["content_type"]) == (14, "text/x-signed")


def test_user_metadata_sent_as_plain_utf8_is_readable_in_the_row(place: Place, index: Index) -> None:
    """boto3 refuses to send it, browsers and other SDKs do; S3 then answers HEAD with RFC 2047 words."""
    needs(place, Capability.RFC_2047_METADATA)
    key = index.key("ways/metadata.txt")
    url = index.clients.s3.generate_presigned_url(
        "put_object", Params={"Bucket": index.bucket, "Key": key}, ExpiresIn=60
    )
    raw = "Zürich 東京".encode().decode("latin-1")  # http.client encodes it back into the same bytes
    version_id = _send(url, b"", method="PUT", headers={"x-amz-meta-place": raw})
    assert index.wait_for_row(key, version_id)["user_metadata"] == {"place": "Zürich 東京"}


def test_a_form_posted_by_a_browser_becomes_a_row(place: Place, index: Index) -> None:
    filename = "my report +%2B.csv" if gap(place, Capability.UTF8_FORM) else "my report +%2B é.csv"
    form = index.clients.s3.generate_presigned_post(
        index.bucket,
        index.key("ways/posted/${filename}"),
        Fields={"Content-Type": "text/csv", "x-amz-meta-sent-by": "a form", "success_action_status": "201"},
        Conditions=[
            {"Content-Type": "text/csv"},
            {"x-amz-meta-sent-by": "a form"},
            {"success_action_status": "201"},
            ["content-length-range", 1, 1000],
        ],
        ExpiresIn=60,
    )
    boundary = uuid.uuid4().hex
    body = _form(boundary, form["fields"], filename=filename, content=b"a,b\n1,2\n")
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    version_id = _send(form["url"], body, method="POST", headers=headers)
    row = _row_as_s3_says(index, index.key(f"ways/posted/{filename}"), version_id)
    assert row["event_name"] == "ObjectCreated:Post"
    assert (row["size_bytes"], row["content_type"]) == (8, "text/csv")
    assert row["user_metadata"] == {"sent-by": "a form"}


@pytest.mark.parametrize("folder", ["ways/", ""])
def test_the_same_name_in_another_folder_is_another_object(index: Index, folder: str) -> None:
    key = index.key(f"{folder}twin.txt")
    version_id = index.put(key)
    index.wait_for_row(key, version_id)
    assert [row["version_id"] for row in index.rows(key)] == [version_id]


def _row_as_s3_says(index: Index, key: str, version_id: str) -> Row:
    """The row of this version, after a look at whether it says what HEAD says."""
    row = index.wait_for_row(key, version_id)
    told = told_by_s3(index.bucket, key, index.head(key, version_id))
    assert {name: value for name, value in row.items() if name not in FROM_THE_EVENT} == told
    return row


def _upload_in_parts(index: Index, key: str, parts: list[bytes]) -> str:
    s3, target = index.clients.s3, {"Bucket": index.bucket, "Key": key}
    upload = s3.create_multipart_upload(**target, ContentType="video/mp4", Metadata={"camera": "two"})["UploadId"]
    done: list[dict[str, Any]] = []
    for number, part in enumerate(parts, start=1):
        answer = s3.upload_part(**target, UploadId=upload, PartNumber=number, Body=part)
        done.append({"PartNumber": number, "ETag": answer["ETag"]})
    answer = s3.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": done})
    version_id: str = answer["VersionId"]
    return version_id


def _send(url: str, body: bytes, *, method: str, headers: Mapping[str, str]) -> str:
    """One HTTP request without any AWS library; the version id that S3 answers."""
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))  # noqa: S310 - a link that boto3 made
    with opener(url).open(request, timeout=30) as answer:
        version_id: str = answer.headers[VERSION_HEADER]
        return version_id


def _form(boundary: str, fields: Mapping[str, str], *, filename: str, content: bytes) -> bytes:
    """What a browser sends for a form with these fields and, last, a file."""
    lines: list[bytes] = []
    for name, value in fields.items():
        disposition = f'Content-Disposition: form-data; name="{name}"'
        lines += [f"--{boundary}".encode(), disposition.encode(), b"", value.encode()]
    disposition = f'Content-Disposition: form-data; name="file"; filename="{filename}"'
    lines += [f"--{boundary}".encode(), disposition.encode(), b"Content-Type: text/csv", b"", content]
    return b"\r\n".join([*lines, f"--{boundary}--".encode(), b""])
