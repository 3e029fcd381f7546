"""Every policy of the stack, and who is let in by it and who is not, case by case.

Where `kmsKeyArn` is set, two of them say something else, and the key has a policy too: the one in docs/security.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.synth import synth
from tests.unit.stack.expected import (
    ACCOUNT,
    ENCRYPTED,
    FULL,
    FUNCTION_ARN,
    KEY_ARN,
    LOG_GROUP_ARN,
    LOGS_ARN,
    QUEUE_ARN,
    ROLE_ARN,
    TABLE,
    TABLE_ARN,
    TOPIC_ARN,
    UPLOADS_ARN,
)
from tests.unit.stack.iam import Decision, Request
from tests.unit.stack.test_security import as_list, documents

ALLOW, DENY, SILENT = Decision.ALLOW, Decision.DENY, Decision.SILENT

SECURITY = Path(__file__).parents[3] / "docs" / "security.md"

S3, S3_LOGS, CLOUDWATCH, LAMBDA, LOGS_SERVICE = (
    f"{name}.amazonaws.com" for name in ("s3", "logging.s3", "cloudwatch", "lambda", "logs.us-east-1")
)
WITH_KEY = " with a key"
KEY_POLICY = "the key's policy"
ALARM = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:tapstack-dev-errors"


@cache
def recorded() -> dict[str, dict[str, Any]]:
    """Every policy of the stack by its resource's name, and the function's own, which AddPermission writes."""
    stack = synth(**FULL)
    permission = stack.one("Permission").inputs
    conditions = {"ArnLike": {"AWS:SourceArn": "sourceArn"}, "StringEquals": {"AWS:SourceAccount": "sourceAccount"}}
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": permission["principal"]},
        "Action": permission["action"],
        "Resource": FUNCTION_ARN,
        "Condition": {
            operator: {key: permission[name]}
            for operator, keys in conditions.items()
            for key, name in keys.items()
            if name in permission
        },
    }
    plain = dict(documents(stack))
    encrypted = {name: policy for name, policy in documents(synth(**ENCRYPTED)) if policy != plain[name]}
    return {
        **plain,
        "tap-s3-permission": {"Statement": [statement]},
        **{f"{name}{WITH_KEY}": policy for name, policy in encrypted.items()},
        KEY_POLICY: key_policy(),
    }


def key_policy() -> dict[str, Any]:
    """The policy in docs/security.md, for the stack of these tests. The `*` in a key's policy means that key."""
    (text,) = re.findall(r"```json\n(\{\n.*?)```", SECURITY.read_text(encoding="utf-8"), re.DOTALL)
    policy: dict[str, Any] = json.loads(text)
    assert {each["Resource"] for each in policy["Statement"]} == {"*"}
    return {**policy, "Statement": [{**each, "Resource": KEY_ARN} for each in policy["Statement"]]}


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


ENCRYPTION = "s3:x-amz-server-side-encryption"
CUSTOMER = "s3:x-amz-server-side-encryption-customer-algorithm"
OBJECT, LOG, OTHER = f"{UPLOADS_ARN}/a/b.txt", f"{LOGS_ARN}/log", "arn:aws:s3:::another/a/b.txt"
INDEX_ARN, STREAM = f"{TABLE_ARN}/index/uploads_by_day", f"{LOG_GROUP_ARN}:log-stream:2026/11/25/[$LATEST]0"
MINE, THEIRS = ACCOUNT, "999999999999"
SOMEBODY, STRANGER = (f"arn:aws:iam::{account}:role/somebody" for account in (MINE, THEIRS))
KMS_KEY = f"{ENCRYPTION}-aws-kms-key-id"
OTHER_KEY = KEY_ARN.replace("1234abcd", "ffffffff")


def via(service: str, **context: str) -> dict[str, str]:
    """The condition keys of a call that a service makes to KMS for somebody; `context` is the encryption's."""
    names = {"s3": "aws:s3:arn", "table": "aws:dynamodb:tableName", "logs": "aws:logs:arn"}
    return {
        "kms:ViaService": f"{service}.us-east-1.amazonaws.com",
        **{f"kms:EncryptionContext:{names[name]}": value for name, value in context.items()},
    }


S3_CONTEXT, TABLE_CONTEXT = via("s3", s3=UPLOADS_ARN), via("dynamodb", table=TABLE)
LOGS_KEY = "kms:EncryptionContext:aws:logs:arn"
LOGS_CONTEXT = {LOGS_KEY: LOG_GROUP_ARN}
ADMINISTRATION = (
    *("CancelKeyDeletion", "DescribeKey", "DisableKey", "DisableKeyRotation", "EnableKey", "EnableKeyRotation"),
    *("GetKeyPolicy", "GetKeyRotationStatus", "ListGrants", "ListKeyPolicies", "ListResourceTags", "PutKeyPolicy"),
    *("RevokeGrant", "ScheduleKeyDeletion", "TagResource", "UntagResource", "UpdateKeyDescription"),
)

CASES = {
    "tap-uploads-policy": [
        asks(DENY, "s3:GetObject", OBJECT, tls=False),
        asks(DENY, "s3:PutObject", OBJECT, tls=False),
        asks(DENY, "s3:DeleteObjectVersion", OBJECT, tls=False),
        asks(DENY, "s3:ListBucket", UPLOADS_ARN, tls=False),
        asks(DENY, "s3:PutBucketPolicy", UPLOADS_ARN, tls=False),
        asks(SILENT, "s3:GetObject", OBJECT),
        asks(SILENT, "s3:ListBucket", UPLOADS_ARN),
        asks(SILENT, "s3:PutObject", OBJECT),
        asks(SILENT, "s3:PutObject", OBJECT, keys={ENCRYPTION: "AES256"}),
        asks(DENY, "s3:PutObject", OBJECT, keys={ENCRYPTION: "aws:kms"}),
        asks(DENY, "s3:PutObject", OBJECT, keys={ENCRYPTION: "aws:kms:dsse"}),
        asks(DENY, "s3:PutObject", OBJECT, keys={CUSTOMER: "AES256"}),
    ],
    "tap-logs-policy": [
        asks(ALLOW, "s3:PutObject", LOG, by=S3_LOGS, source=UPLOADS_ARN, account=MINE),
        asks(DENY, "s3:PutObject", LOG, by=S3_LOGS, source=UPLOADS_ARN, tls=False, account=MINE),
        asks(SILENT, "s3:PutObject", LOG, by=S3_LOGS, source=UPLOADS_ARN, account=THEIRS),
        asks(SILENT, "s3:PutObject", LOG, by=S3_LOGS, source="arn:aws:s3:::another", account=MINE),
        asks(SILENT, "s3:PutObject", LOG, by=S3_LOGS),
        asks(SILENT, "s3:PutObject", LOG, by=S3, source=UPLOADS_ARN, account=MINE),
        asks(SILENT, "s3:GetObject", LOG, by=S3_LOGS, source=UPLOADS_ARN, account=MINE),
        asks(SILENT, "s3:GetObject", LOG),
        asks(DENY, "s3:GetObject", LOG, tls=False),
        asks(DENY, "s3:ListBucket", LOGS_ARN, tls=False),
    ],
    "tap-failures-policy": [
        asks(DENY, "sqs:SendMessage", QUEUE_ARN, tls=False),
        asks(DENY, "sqs:ReceiveMessage", QUEUE_ARN, tls=False),
        asks(DENY, "sqs:SetQueueAttributes", QUEUE_ARN, tls=False),
        asks(SILENT, "sqs:SendMessage", QUEUE_ARN),
        asks(SILENT, "sqs:SendMessage", QUEUE_ARN, by=LAMBDA, account=THEIRS),
    ],
    "tap-alarms-policy": [
        asks(ALLOW, "sns:Publish", TOPIC_ARN, by=CLOUDWATCH, source=ALARM, account=MINE),
        asks(DENY, "sns:Publish", TOPIC_ARN, by=CLOUDWATCH, source=ALARM, tls=False, account=MINE),
        asks(DENY, "sns:Publish", TOPIC_ARN, tls=False),
        asks(SILENT, "sns:Publish", TOPIC_ARN, by=CLOUDWATCH, source=ALARM, account=THEIRS),
        asks(SILENT, "sns:Publish", TOPIC_ARN, by=CLOUDWATCH, source=ALARM.replace(ACCOUNT, THEIRS), account=MINE),
        asks(
            SILENT,
            "sns:Publish",
            TOPIC_ARN,
            by=CLOUDWATCH,
            source=ALARM.replace("us-east-1", "eu-west-1"),
            account=MINE,
        ),
        asks(SILENT, "sns:Publish", TOPIC_ARN, by=CLOUDWATCH),
        asks(SILENT, "sns:Publish", TOPIC_ARN, by=S3, source=ALARM, account=MINE),
        asks(SILENT, "sns:Publish", TOPIC_ARN),
        asks(SILENT, "sns:Subscribe", TOPIC_ARN, by=CLOUDWATCH, source=ALARM, account=MINE),
    ],
    "tap-s3-permission": [
        asks(ALLOW, "lambda:InvokeFunction", FUNCTION_ARN, by=S3, source=UPLOADS_ARN, account=MINE),
        # whoever makes a bucket of this name once ours is gone
        asks(SILENT, "lambda:InvokeFunction", FUNCTION_ARN, by=S3, source=UPLOADS_ARN, account=THEIRS),
        asks(SILENT, "lambda:InvokeFunction", FUNCTION_ARN, by=S3, source=LOGS_ARN, account=MINE),
        asks(SILENT, "lambda:InvokeFunction", FUNCTION_ARN, by=S3),
        asks(SILENT, "lambda:InvokeFunction", FUNCTION_ARN, by=CLOUDWATCH, source=UPLOADS_ARN, account=MINE),
        asks(SILENT, "lambda:InvokeFunction", FUNCTION_ARN),
        asks(SILENT, "lambda:UpdateFunctionCode", FUNCTION_ARN, by=S3, source=UPLOADS_ARN, account=MINE),
    ],
    "tap-indexer-role": [
        asks(ALLOW, "sts:AssumeRole", ROLE_ARN, by=LAMBDA, account=MINE),
        asks(SILENT, "sts:AssumeRole", ROLE_ARN, by=LAMBDA, account=THEIRS),
        asks(SILENT, "sts:AssumeRole", ROLE_ARN, by=LAMBDA),
        asks(SILENT, "sts:AssumeRole", ROLE_ARN, by=S3, account=MINE),
        asks(SILENT, "sts:AssumeRole", ROLE_ARN),
    ],
    "tap-indexer-policy": [
        asks(ALLOW, "s3:GetObject", OBJECT),
        asks(ALLOW, "s3:GetObjectVersion", OBJECT),
        asks(ALLOW, "s3:ListBucket", UPLOADS_ARN),
        asks(ALLOW, "dynamodb:UpdateItem", TABLE_ARN),
        asks(ALLOW, "dynamodb:GetItem", TABLE_ARN),
        asks(ALLOW, "dynamodb:Query", TABLE_ARN),
        asks(ALLOW, "dynamodb:Query", INDEX_ARN),
        asks(ALLOW, "logs:CreateLogStream", STREAM),
        asks(ALLOW, "logs:PutLogEvents", STREAM),
        asks(ALLOW, "sqs:SendMessage", QUEUE_ARN),
        asks(ALLOW, "xray:PutTraceSegments", "*"),
        asks(ALLOW, "xray:PutTelemetryRecords", "*"),
        asks(SILENT, "s3:GetObject", OTHER),
        asks(SILENT, "s3:GetObject", LOG),
        asks(SILENT, "s3:GetObject", f"{UPLOADS_ARN}-of-somebody/a"),
        asks(SILENT, "s3:ListBucket", LOGS_ARN),
        asks(SILENT, "s3:PutObject", OBJECT),
        asks(SILENT, "s3:DeleteObject", OBJECT),
        asks(SILENT, "dynamodb:UpdateItem", f"{TABLE_ARN}-2"),
        asks(SILENT, "dynamodb:DeleteItem", TABLE_ARN),
        asks(SILENT, "dynamodb:Scan", TABLE_ARN),
        asks(SILENT, "dynamodb:DeleteTable", TABLE_ARN),
        asks(SILENT, "logs:PutLogEvents", f"{LOG_GROUP_ARN}-2:log-stream:a"),
        asks(SILENT, "logs:CreateLogGroup", LOG_GROUP_ARN),
        asks(SILENT, "sqs:SendMessage", f"{QUEUE_ARN}-2"),
        asks(SILENT, "sqs:ReceiveMessage", QUEUE_ARN),
        asks(SILENT, "sns:Publish", TOPIC_ARN),
        asks(SILENT, "iam:PutRolePolicy", ROLE_ARN),
    ],
}

# what is the same with a key and without
CASES[f"tap-uploads-policy{WITH_KEY}"] = [
    *(case for case in CASES["tap-uploads-policy"] if ENCRYPTION not in case[1].context),
    asks(SILENT, "s3:PutObject", OBJECT, keys={ENCRYPTION: "aws:kms", KMS_KEY: KEY_ARN}),
    asks(DENY, "s3:PutObject", OBJECT, keys={ENCRYPTION: "AES256"}),
    asks(DENY, "s3:PutObject", OBJECT, keys={ENCRYPTION: "aws:kms", KMS_KEY: OTHER_KEY}),
    asks(DENY, "s3:PutObject", OBJECT, keys={ENCRYPTION: "aws:kms"}),  # that is AWS's own key aws/s3
    asks(DENY, "s3:PutObject", OBJECT, keys={ENCRYPTION: "aws:kms:dsse", KMS_KEY: KEY_ARN}),
]
CASES[f"tap-indexer-policy{WITH_KEY}"] = [
    *CASES["tap-indexer-policy"],
    asks(ALLOW, "kms:Decrypt", KEY_ARN, keys=S3_CONTEXT),
    asks(ALLOW, "kms:Decrypt", KEY_ARN, keys=via("s3", s3=OBJECT)),
    asks(ALLOW, "kms:Decrypt", KEY_ARN, keys=TABLE_CONTEXT),
    asks(ALLOW, "kms:Decrypt", KEY_ARN, keys=via("sqs")),
    asks(ALLOW, "kms:GenerateDataKey", KEY_ARN, keys=via("sqs")),
    asks(SILENT, "kms:Decrypt", KEY_ARN),
    asks(SILENT, "kms:Decrypt", KEY_ARN, keys={"kms:EncryptionContext:aws:s3:arn": UPLOADS_ARN}),
    asks(SILENT, "kms:Decrypt", KEY_ARN, keys=via("s3")),
    asks(SILENT, "kms:Decrypt", KEY_ARN, keys=via("s3", s3=OTHER)),
    asks(SILENT, "kms:Decrypt", KEY_ARN, keys=via("s3", s3=f"{UPLOADS_ARN}-of-somebody")),
    asks(SILENT, "kms:Decrypt", KEY_ARN, keys=via("dynamodb", table=f"{TABLE}-2")),
    asks(SILENT, "kms:Decrypt", KEY_ARN, keys=via("secretsmanager")),
    asks(SILENT, "kms:Decrypt", OTHER_KEY, keys=S3_CONTEXT),
    asks(SILENT, "kms:GenerateDataKey", KEY_ARN, keys=S3_CONTEXT),  # it uploads nothing
    asks(SILENT, "kms:GenerateDataKey", KEY_ARN, keys=TABLE_CONTEXT),
    asks(SILENT, "kms:Encrypt", KEY_ARN, keys=via("sqs")),
    asks(SILENT, "kms:CreateGrant", KEY_ARN, keys=TABLE_CONTEXT),
    asks(SILENT, "kms:PutKeyPolicy", KEY_ARN),
    asks(SILENT, "kms:ScheduleKeyDeletion", KEY_ARN),
]
CASES[KEY_POLICY] = [
    # uploaders, readers, and the function, as far as their own policies let them
    asks(ALLOW, "kms:GenerateDataKey", KEY_ARN, by=SOMEBODY, keys=S3_CONTEXT),
    asks(ALLOW, "kms:Decrypt", KEY_ARN, by=SOMEBODY, keys=S3_CONTEXT),
    asks(ALLOW, "kms:Decrypt", KEY_ARN, by=ROLE_ARN, keys=TABLE_CONTEXT),
    asks(ALLOW, "kms:GenerateDataKey", KEY_ARN, by=ROLE_ARN, keys=via("sqs")),
    asks(ALLOW, "kms:Decrypt", KEY_ARN, by=ROLE_ARN, keys=via("sqs")),
    *(
        asks(SILENT, f"kms:{action}", KEY_ARN, by=by, keys=keys)
        for action in ("GenerateDataKey", "Decrypt")
        for by, keys in ((SOMEBODY, {}), (SOMEBODY, via("ec2")), (STRANGER, S3_CONTEXT), (LAMBDA, S3_CONTEXT))
    ),
    # whoever deploys the table
    *(
        asks(ALLOW, f"kms:{action}", KEY_ARN, by=SOMEBODY, keys=TABLE_CONTEXT)
        for action in ("Encrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKeyWithoutPlaintext", "CreateGrant")
    ),
    asks(SILENT, "kms:CreateGrant", KEY_ARN, by=SOMEBODY),
    asks(SILENT, "kms:CreateGrant", KEY_ARN, by=SOMEBODY, keys=S3_CONTEXT),
    asks(SILENT, "kms:CreateGrant", KEY_ARN, by=STRANGER, keys=TABLE_CONTEXT),
    asks(SILENT, "kms:Encrypt", KEY_ARN, by=SOMEBODY),
    # the log group
    *(
        asks(ALLOW, f"kms:{action}", KEY_ARN, by=LOGS_SERVICE, keys=LOGS_CONTEXT)
        for action in (
            *("Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"),
            *("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
        )
    ),
    asks(SILENT, "kms:Decrypt", KEY_ARN, by=LOGS_SERVICE),
    asks(SILENT, "kms:Decrypt", KEY_ARN, by=LOGS_SERVICE, keys={LOGS_KEY: f"{LOG_GROUP_ARN}-2"}),
    asks(SILENT, "kms:Decrypt", KEY_ARN, by="logs.eu-west-1.amazonaws.com", keys=LOGS_CONTEXT),
    # the alarms
    *(
        asks(ALLOW, f"kms:{action}", KEY_ARN, by=CLOUDWATCH, source=ALARM, account=MINE)
        for action in ("Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext")
    ),
    asks(SILENT, "kms:Decrypt", KEY_ARN, by=CLOUDWATCH, source=ALARM, account=THEIRS),
    asks(SILENT, "kms:Decrypt", KEY_ARN, by=CLOUDWATCH, source=ALARM.replace(ACCOUNT, THEIRS), account=MINE),
    asks(SILENT, "kms:Decrypt", KEY_ARN, by=CLOUDWATCH, source=ALARM.replace("tapstack-dev", "other"), account=MINE),
    asks(SILENT, "kms:Decrypt", KEY_ARN, by=CLOUDWATCH),
    asks(SILENT, "kms:Encrypt", KEY_ARN, by=CLOUDWATCH, source=ALARM, account=MINE),
    # its administrators, who cannot use it
    *(asks(ALLOW, f"kms:{action}", KEY_ARN, by=SOMEBODY) for action in ADMINISTRATION),
    *(asks(SILENT, f"kms:{action}", KEY_ARN, by=STRANGER) for action in ADMINISTRATION),
    asks(SILENT, "kms:PutKeyPolicy", KEY_ARN, by=CLOUDWATCH, source=ALARM, account=MINE),
]


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One action of one statement of one policy."""

    policy: str
    action: str
    resources: tuple[str, ...]
    keys: tuple[str, ...]
    effect: str


def grants() -> Iterator[Grant]:
    for name, document in recorded().items():
        for statement in document["Statement"]:
            for action in as_list(statement["Action"]):
                yield Grant(
                    policy=name,
                    action=action,
                    resources=tuple(as_list(statement.get("Resource", []))),
                    keys=tuple(key for keys in statement.get("Condition", {}).values() for key in keys),
                    effect=statement["Effect"],
                )
