"""Fake of S3 and KMS that serves one bucket of another owner to real boto3 clients, without a network."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import boto3
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.config import Config

from operations.aws.buckets import BucketCalls
from operations.bucket_notifications import EMPTY
from tests.support.operations_fakes import FakeAws

FORBIDDEN = 403
ACCOUNT = "123456789012"
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
KEY_ARN = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
VERSIONING = f'<VersioningConfiguration xmlns="{NAMESPACE}"><Status>%s</Status></VersioningConfiguration>'
ENCRYPTION = (
    f'<ServerSideEncryptionConfiguration xmlns="{NAMESPACE}"><Rule><ApplyServerSideEncryptionByDefault>%s'
    "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
)
OWNERSHIP = (
    f'<OwnershipControls xmlns="{NAMESPACE}"><Rule><ObjectOwnership>%s</ObjectOwnership></Rule></OwnershipControls>'
)
LOCATION = f'<LocationConstraint xmlns="{NAMESPACE}">%s</LocationConstraint>'
MISSING = {
    "encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "ownershipControls": "OwnershipControlsNotFoundError",
    "policy": "NoSuchBucketPolicy",
}
"""Maps the subresource of a setting to the error code of S3 for a bucket that does not have this setting."""


class Body(io.BytesIO):
    """Body of a response as botocore reads it."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


@dataclass
class ExistingBucket:
    """The bucket and its key.

    Attributes:
        document: the notification configuration in S3's XML format.
        settings: the other settings by subresource: an XML document, or the JSON text of the policy. A missing
            setting is unset.
        owner: ID of the account of the bucket.
        key: KMS's description of the key.
        before: called before each request with its number from 0 and its name, such as `PUT notification`. If it
            raises an exception or returns an HTTP status, the request has no effect.
        after: called after the effect of each request, with the same arguments. It can also raise an exception or
            return an HTTP status.
        requests: names of the requests, in order.
        headers: headers of the last PUT request, with names in lower case.
        owners: expected owner in each request for the notification configuration, in order.
        inventories: inventory configurations in S3's XML format, by their IDs.
        stale: number of reads of the notification configuration after a PUT that return the previous one.
    """

    document: bytes = EMPTY
    settings: dict[str, str] = field(
        default_factory=lambda: {"location": LOCATION % "eu-west-1", "versioning": VERSIONING % "Enabled"}
    )
    owner: str = ACCOUNT
    key: Mapping[str, Any] = field(
        default_factory=lambda: {"Arn": KEY_ARN, "KeyId": KEY_ARN, "KeyManager": "CUSTOMER", "KeyState": "Enabled"}
    )
    before: Callable[[int, str], int | None] = lambda _number, _name: None
    after: Callable[[int, str], int | None] = lambda _number, _name: None
    requests: list[str] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    owners: list[str] = field(default_factory=list)
    inventories: dict[str, bytes] = field(default_factory=dict)
    stale: int = 0
    _previous: bytes = b""
    _stale_reads: int = 0

    def handle(self, request: Any, **_: object) -> AWSResponse:  # noqa: ANN401  botocore's request has no static type
        """Respond to a request of a boto3 client, as a handler of botocore's event `before-send`."""
        name = "GET key" if "kms" in request.url else f"{request.method} {subresource(request.url)}"
        number = len(self.requests)
        self.requests.append(name)
        headers = {key.lower(): _text(value) for key, value in request.headers.items()}
        if name.endswith("notification"):
            self.owners.append(headers.get("x-amz-expected-bucket-owner", ""))
        status = self.before(number, name)
        body = b"" if status else self._respond(name, headers, request)
        if not body.startswith(b"<Error"):
            status = status or self.after(number, name)
        if status:
            body = _error(status, "AccessDenied" if status == FORBIDDEN else "InternalError")
        code = re.match(rb'<Error status="(\d+)"', body)
        content: Any = HeadersDict({"content-type": "application/xml"})
        return AWSResponse(request.url, int(code[1]) if code else 200, content, Body(body))

    def _respond(self, name: str, headers: Mapping[str, str], request: Any) -> bytes:  # noqa: ANN401  as above
        """Return the body of the response."""
        setting = name.removeprefix("GET ")
        if headers.get("x-amz-expected-bucket-owner", self.owner) != self.owner:
            return _error(FORBIDDEN, "AccessDenied")
        if name == "GET key" or name.endswith("inventory"):
            key = json.dumps({"KeyMetadata": self.key}).encode()
            return key if name == "GET key" else self._respond_inventory(request)
        if name == "PUT notification":
            self._previous, self._stale_reads = self.document, self.stale
            self.document, self.headers = stored(request.body), headers
            return b""
        if name == "GET notification":
            self._stale_reads -= 1
            return self._previous if self._stale_reads >= 0 else self.document
        return self.settings[setting].encode() if setting in self.settings else _error(404, MISSING[setting])

    def _respond_inventory(self, request: Any) -> bytes:  # noqa: ANN401  as above
        """Return the body of the response to a request for an inventory configuration."""
        [identifier] = parse_qs(urlsplit(request.url).query)["id"]
        if request.method == "GET":
            return self.inventories.get(identifier) or _error(404, "NoSuchConfiguration")
        self.inventories[identifier] = request.body
        return b""


def subresource(url: str) -> str:
    """Return the subresource in the URL of a request, such as `notification`: the first name in the query."""
    return next(iter(parse_qs(urlsplit(url).query, keep_blank_values=True)))


def stored(document: bytes) -> bytes:
    """Return a notification configuration as S3 returns it after a PUT.

    S3 writes the entries in another order, generates missing IDs and capitalizes the names of filters.
    """
    ET.register_namespace("", NAMESPACE)
    root = ET.fromstring(document)  # noqa: S314  The test wrote the document.
    numbers = count()
    for entry in root:
        if entry.find(f"{{{NAMESPACE}}}Event") is not None and entry.find(f"{{{NAMESPACE}}}Id") is None:
            ET.SubElement(entry, f"{{{NAMESPACE}}}Id").text = f"generated-{next(numbers)}"
        for rule in entry.iter(f"{{{NAMESPACE}}}Name"):
            rule.text = (rule.text or "").capitalize()
        for empty in [each for each in entry.findall(f"{{{NAMESPACE}}}Filter") if not len(each)]:
            entry.remove(empty)
    root[:] = sorted(root, key=lambda entry: ET.tostring(entry)[::-1])
    return ET.tostring(root)


class Connection:
    """boto3 clients of S3 and KMS, connected to one fake bucket at a time.

    Tests share an instance, because the creation of clients is slow.
    """

    def __init__(self, *, attempts: int = 3) -> None:
        self.bucket = ExistingBucket()
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="eu-west-1")
        config = Config(retries={"mode": "standard", "total_max_attempts": attempts})
        self.s3, self.kms = (session.client(service, config=config) for service in ("s3", "kms"))
        for client in (self.s3, self.kms):
            client.meta.events.register("before-send", lambda request, **_: self.bucket.handle(request))


class AdoptingAws(FakeAws):
    """Fake AWS calls of the stack, and the real AWS calls of the existing bucket."""

    inventory_configuration = BucketCalls.inventory_configuration

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._s3, self._kms = connection.s3, connection.kms


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _error(status: int, code: str) -> bytes:
    return f'<Error status="{status}"><Code>{code}</Code><Message>{code}</Message></Error>'.encode()
