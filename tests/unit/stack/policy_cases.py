"""Every policy of the stack, and who is let in by it and who is not, case by case.

Where `kmsKeyArn` is set, two of them say something else, and the key has a policy too: the one in docs/security.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.support import key_cases
from tests.support.expected import (
    ACCOUNT,
    ENCRYPTED,
    FULL,
    FUNCTION_ARN,
    LOG_GROUP_ARN,
    LOGS_ARN,
    QUEUE_ARN,
    ROLE_ARN,
    TABLE_ARN,
    TOPIC_ARN,
    UPLOADS_ARN,
)
from tests.support.policy_requests import (
    ALARM,
    ALLOW,
    CLOUDWATCH,
    CUSTOMER,
    DENY,
    ENCRYPTION,
    INDEX_ARN,
    LAMBDA,
    LOG,
    MINE,
    OBJECT,
    OTHER,
    S3,
    S3_LOGS,
    SILENT,
    STREAM,
    THEIRS,
    asks,
)
from tests.support.synth import synth
from tests.unit.stack.test_security import as_list, documents

WITH_KEY = " with a key"
KEY_POLICY = "the key's policy"


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
        KEY_POLICY: key_cases.key_policy(),
    }


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
    *key_cases.UPLOADING,
]
CASES[f"tap-indexer-policy{WITH_KEY}"] = [*CASES["tap-indexer-policy"], *key_cases.INDEXING]
CASES[KEY_POLICY] = key_cases.USING


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
