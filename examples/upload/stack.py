"""The deployed bucket and its table: the only module of the example that calls AWS.

Permissions: `s3:PutObject` on the keys that begin with the prefix (whoever gets a form uploads with the permissions of
who signed it), `dynamodb:Query` on the table and, if it is granted, `s3:GetBucketCORS` on the bucket.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from examples.upload.errors import AwsRequestError, CannotRunError
from examples.upload.upload_requests import Rules, UploadRequest

Client: TypeAlias = Any  # boto3 makes its classes while it runs
Row: TypeAlias = dict[str, Any]

ROW_ATTRIBUTES = (
    "version_id",
    "key",
    "filename",
    "size_bytes",
    "content_type",
    "etag",
    "uploaded_at",
    "processed_at",
    "encryption",
    "storage_class",
)
"""The attributes of a row that the page gets."""

METHOD = "POST"
"""Method that the bucket's CORS rules must allow for the page's origin."""

_plain = TypeDeserializer().deserialize


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a browser has to post, before the file itself in the field `file`, to upload one object."""

    url: str
    fields: Mapping[str, str]
    key: str


class Stack:
    """A bucket and its table. For any number of threads."""

    def __init__(self, s3: Client, dynamodb: Client, *, bucket: str, table: str, rules: Rules) -> None:
        self.rules = rules
        self.bucket = bucket
        self._s3 = s3
        self._dynamodb = dynamodb
        self._table = table

    @classmethod
    def connect(cls, *, region: str, bucket: str, table: str, rules: Rules) -> Self:
        """Make the clients, with the shell's credentials and endpoint (`AWS_ENDPOINT_URL`). No network yet.

        Raises:
            CannotRunError: there is no such profile, or the like.
        """
        try:
            session = boto3.Session(region_name=region)
            return cls(
                session.client("s3", config=s3_config(custom_endpoint=bool(_endpoint(session)))),
                session.client("dynamodb"),
                bucket=bucket,
                table=table,
                rules=rules,
            )
        except BotoCoreError as error:
            raise CannotRunError(f"boto3 cannot be set up: {error}") from error

    def form(self, upload: UploadRequest) -> Form:
        """Return a form that uploads this one object and expires; nothing is sent to AWS.

        Raises:
            AwsRequestError: the server has no credentials to sign it with.
        """
        key, fields = self.rules.new_key(upload), {"Content-Type": upload.type}
        try:
            post = self._s3.generate_presigned_post(
                self.bucket,
                key,
                Fields=dict(fields),
                # bucket and key are conditions already
                Conditions=[fields, ["content-length-range", 0, self.rules.max_bytes]],
                ExpiresIn=self.rules.seconds,
            )
        except (BotoCoreError, ClientError) as error:
            raise AwsRequestError(f"cannot sign a form: {error}") from error
        return Form(url=post["url"], fields=post["fields"], key=key)

    def row(self, key: str, etag: str) -> Row | None:
        """The row of what was uploaded under a key, or None if there is none (yet).

        A page cannot read the version id: the bucket exposes only the ETag to it. But no two uploads share a key, so
        the key's rows are those of this upload. A form can be posted more than once while it lasts: then the ETag
        says which of them is meant.

        Raises:
            AwsRequestError: the request to DynamoDB failed.
        """
        try:
            response = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="object_id = :object",
                FilterExpression="etag = :etag",
                ExpressionAttributeValues={":object": {"S": f"{self.bucket}/{key}"}, ":etag": {"S": etag}},
                ConsistentRead=True,
            )
        except (BotoCoreError, ClientError) as error:
            raise AwsRequestError(f"cannot read the table {self._table!r}: {error}") from error
        rows = ({name: _json(_plain(value)) for name, value in item.items()} for item in response["Items"])
        return next(({name: row[name] for name in ROW_ATTRIBUTES if name in row} for row in rows), None)

    def origin(self) -> str:
        """Where the page sends files, as a browser's content security policy names it."""
        url = urlsplit(self.form(UploadRequest(name="a", size=0, type="text/plain")).url)
        return f"{url.scheme}://{url.netloc}"

    def cors_problem(self, origin: str) -> str | None:
        """Return why pages of this origin cannot upload, with the remedy; None if they can or if it is unknown.

        Raises:
            CannotRunError: there are no credentials, no such bucket, or no connection.
        """
        try:
            rules = self._s3.get_bucket_cors(Bucket=self.bucket)["CORSRules"]
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if code == "AccessDenied":
                return None  # the page itself will say so
            if code != "NoSuchCORSConfiguration":
                raise CannotRunError(f"cannot read the bucket {self.bucket!r}: {error}") from error
            rules = []
        except BotoCoreError as error:
            raise CannotRunError(f"cannot reach the bucket {self.bucket!r}: {error}") from error
        allowed = [each for rule in rules if METHOD in rule["AllowedMethods"] for each in rule["AllowedOrigins"]]
        if any(_matches(pattern, origin) for pattern in allowed):
            return None
        return (
            f"the bucket {self.bucket} does not let pages of {origin} upload, only those of "
            f"{', '.join(allowed) or 'no origin'}: choose the port of one of these with --port, or add this one: "
            f"pulumi config set corsAllowedOrigins {','.join([*allowed, origin])}"
        )


def s3_config(*, custom_endpoint: bool) -> Config:
    """How S3 is addressed and signed for.

    Against AWS the bucket's own name in its own region: the global name, which boto3 would sign for, redirects, and a
    browser does not follow a redirect after a preflight request. Emulators have no DNS for it.
    """
    return Config(signature_version="s3v4", s3={"addressing_style": "path" if custom_endpoint else "virtual"})


def _endpoint(session: Any) -> object:  # noqa: ANN401  boto3 has no types
    """The endpoint that the shell or the profile sets instead of AWS's, if any, as botocore finds it."""
    url = session.client("s3").meta.endpoint_url
    return None if urlsplit(url).netloc.endswith((".amazonaws.com", ".amazonaws.com.cn")) else url


def _matches(pattern: str, origin: str) -> bool:
    """Whether a CORS rule's origin, in which one * stands for anything, is this one."""
    start, star, end = pattern.partition("*")
    if not star:
        return pattern == origin
    return len(origin) >= len(start) + len(end) and origin.startswith(start) and origin.endswith(end)


def _json(value: object) -> object:
    return int(value) if isinstance(value, Decimal) else value
