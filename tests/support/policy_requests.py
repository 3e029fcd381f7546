"""How a case asks about a policy: the request, its circumstances, and the names of those who ask and of what."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tests.support.expected import ACCOUNT, KEY_ARN, LOG_GROUP_ARN, LOGS_ARN, TABLE_ARN, UPLOADS_ARN
from tests.support.iam import Decision, Request

ALLOW, DENY, SILENT = Decision.ALLOW, Decision.DENY, Decision.SILENT

S3, S3_LOGS, CLOUDWATCH, LAMBDA, LOGS_SERVICE = (
    f"{name}.amazonaws.com" for name in ("s3", "logging.s3", "cloudwatch", "lambda", "logs.us-east-1")
)
ALARM = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:tapstack-dev-errors"
ENCRYPTION = "s3:x-amz-server-side-encryption"
CUSTOMER = "s3:x-amz-server-side-encryption-customer-algorithm"
OBJECT, LOG, OTHER = f"{UPLOADS_ARN}/a/b.txt", f"{LOGS_ARN}/log", "arn:aws:s3:::another/a/b.txt"
INDEX_ARN, STREAM = f"{TABLE_ARN}/index/uploads_by_day", f"{LOG_GROUP_ARN}:log-stream:2026/11/25/[$LATEST]0"
MINE, THEIRS = ACCOUNT, "999999999999"
SOMEBODY, STRANGER = (f"arn:aws:iam::{account}:role/somebody" for account in (MINE, THEIRS))
KMS_KEY = f"{ENCRYPTION}-aws-kms-key-id"
OTHER_KEY = KEY_ARN.replace("1234abcd", "ffffffff")


def asks(
    decision: Decision,
    what: str,
    on: str,
    *,
    by: str = "anybody",
    account: str | None = None,
    source: str | None = None,
    tls: bool = True,
    keys: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Decision, Request]:
    """A decision and the request that it is about; `keys` are more condition keys of it."""
    context = {"aws:SecureTransport": str(tls).lower(), **keys}
    context |= {"aws:SourceAccount": account} if account else {}
    context |= {"aws:SourceArn": source} if source else {}
    return decision, Request(action=what, resource=on, principal=by, context=context)
