"""A stack that is already deployed, perhaps for real: where it is, how it is reached, and leaving no trace in it."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus, urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.support import waiting

if TYPE_CHECKING:
    from tests.support.index import Client, Index

NEEDED = ("bucket_name", "table_name", "lambda_function_name", "lambda_function_arn", "log_group_name")
HOW = "pulumi stack output --json > outputs.json"

PATIENCE = 120.0
"""Seconds. Logs take ten to reach CloudWatch, and the function's first start takes two."""
INTERVAL = 0.5
"""Seconds between two looks: CloudWatch Logs answers five questions a second, for the whole account."""


class LiveStack:
    """Where the stack is, as far as its outputs tell; clients use the credentials of the shell.

    Attributes:
        name: "AWS", or the emulator that AWS_ENDPOINT_URL leads to.
    """

    def __init__(self, outputs: Mapping[str, str]) -> None:
        self.region, self.account = outputs["lambda_function_arn"].split(":")[3:5]
        self.endpoint = os.environ.get("AWS_ENDPOINT_URL")
        self.name = _emulator_at(self.endpoint) if self.endpoint else "AWS"
        self._session: Any = boto3.Session(region_name=self.region)  # boto3 makes its classes while it runs

    def client(self, service: str) -> Client:
        # buckets that are younger than 2020 take no older signature in a presigned link
        config = Config(signature_version="s3v4") if service == "s3" else None
        return self._session.client(service, config=config)

    def table(self, name: str) -> Any:  # noqa: ANN401  boto3 makes its classes while it runs
        return self._session.resource("dynamodb").Table(name)

    def __str__(self) -> str:
        return f"{self.name}, account {self.account}, {self.region}"


def read_outputs(file: str | None) -> dict[str, str]:
    """Read what `pulumi stack output --json` wrote.

    Raises:
        pytest.UsageError: there is no such file, or it is not that.
    """
    if file is None:
        raise pytest.UsageError(f"--engine existing needs --outputs FILE, from: {HOW}")
    try:
        outputs = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise pytest.UsageError(f"--outputs {file}: {error.strerror}. It is made by: {HOW}") from error
    except ValueError as error:
        raise pytest.UsageError(f"--outputs {file} is not JSON: {error}. It is made by: {HOW}") from error
    if not isinstance(outputs, dict) or (missing := [name for name in NEEDED if not outputs.get(name)]):
        what = ", ".join(missing) if isinstance(outputs, dict) else "everything"
        raise pytest.UsageError(f"--outputs {file} lacks {what}. It is made by: {HOW}")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in outputs.items()}


def indexed_folder(s3: Client, bucket: str, token: str) -> str:
    """A folder of this run's own, among the keys that the stack indexes.

    Stops the whole run where there can be none, or where these credentials do not lead to the bucket.
    """
    try:
        answer = s3.get_bucket_notification_configuration(Bucket=bucket)
    except (BotoCoreError, ClientError) as error:
        pytest.exit(
            f"cannot read the bucket {bucket}: {error}. Do the shell's AWS credentials belong to its account?", 4
        )
    rules = {
        rule["Name"].lower(): unquote_plus(rule["Value"])  # S3 compares encoded keys
        for each in answer.get("LambdaFunctionConfigurations", ())
        for rule in each.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    }
    if suffix := rules.get("suffix"):
        pytest.exit(
            f"the stack indexes only keys that end in {suffix!r} (notificationSuffix), "
            "and these tests upload files of all kinds: try a stack without it",
            4,
        )
    return f"{rules.get('prefix', '')}tapstack-smoke-{token}/"


def clean_up(index: Index) -> None:
    """Delete every version, unfinished upload and row below the folder of this run.

    Before, it waits for the rows of what is there, and after, until they say that it is gone: an event that is still
    under way would write a row when nobody is left to take it away.
    """
    if not index.folder:  # or it would empty the whole bucket
        raise ValueError("only what lies in a folder of its own can be cleaned up")
    s3, target = index.clients.s3, {"Bucket": index.bucket, "Prefix": index.folder}
    pages = list(s3.get_paginator("list_object_versions").paginate(**target))
    versions, markers = (
        [(each["Key"], each["VersionId"]) for page in pages for each in page.get(kind, ())]
        for kind in ("Versions", "DeleteMarkers")
    )
    listed = versions + markers
    _wait_for_all(listed, lambda key, version_id: index.row(key, version_id) is not None, index)
    for key, version_id in listed:
        index.delete_version(key, version_id)
    _wait_for_all(listed, lambda key, version_id: "deleted_at" in (index.row(key, version_id) or {}), index)
    for upload in s3.list_multipart_uploads(**target).get("Uploads", ()):
        s3.abort_multipart_upload(Bucket=index.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for key in {key for key, _ in listed} | index.keys:
        for row in index.rows(key):
            index.forget(key, row["version_id"])


def _wait_for_all(versions: list[tuple[str, str]], told: Callable[[str, str], bool], index: Index) -> None:
    missing = list(versions)

    def all_told() -> bool:
        missing[:] = [each for each in missing if not told(*each)]
        return not missing

    with suppress(waiting.NothingCameError):  # a test has said so already; what is there is cleaned up all the same
        index.until(all_told, lambda: f"the rows of {missing}")


def opener(url: str) -> urllib.request.OpenerDirector:
    """What opens this address: without the environment's proxies where it is on this machine."""
    here = urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if here else []))


def _emulator_at(endpoint: str) -> str:
    """The name that `capabilities` knows an emulator by."""
    try:
        with opener(endpoint).open(f"{endpoint}/_ministack/health", timeout=10):
            return "MiniStack"
    except urllib.error.HTTPError:
        return "LocalStack"
    except OSError as error:
        raise pytest.UsageError(f"AWS_ENDPOINT_URL is {endpoint}, and nothing answers there: {error}") from error
