"""Test requests to resources of the stack, each with the expected decision of one IAM or resource policy.

If `kmsKeyArn` is configured, the policies of the upload bucket and of the indexer differ. These policies have separate
requests. The tested policy of the KMS key is an example in docs/security.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any

from tests.support import default_stack as stack
from tests.support.default_stack import (
    ACCOUNT,
    EXPORTS_ARN,
    FUNCTION_ARN,
    KEY_ARN,
    LOGS_ARN,
    QUEUE_ARN,
    TABLE_ARN,
    UPLOADS_ARN,
)
from tests.support.iam import Decision, Request
from tests.support.key_policy import key_policy
from tests.support.synth import synth
from tests.unit.stack.test_security import as_list, documents

ALLOW, DENY, NO_MATCH = Decision.ALLOW, Decision.DENY, Decision.NO_MATCH
WITH_KEY = " with a key"
KEY_POLICY = "the key's policy"

S3, S3_LOGS, CLOUDWATCH, LAMBDA, LOGS_SERVICE, EVENTS = (
    f"{name}.amazonaws.com" for name in ("s3", "logging.s3", "cloudwatch", "lambda", "logs.us-east-1", "events")
)
OTHER_ACCOUNT = "999999999999"
USER, OTHER_USER = (f"arn:aws:iam::{account}:role/user" for account in (ACCOUNT, OTHER_ACCOUNT))
OBJECT, LOG, OTHER_OBJECT = f"{UPLOADS_ARN}/a/b.txt", f"{LOGS_ARN}/log", "arn:aws:s3:::another/a/b.txt"
ROLE_ARN, TOPIC_ARN, LOG_GROUP_ARN = stack.ROLE_ARN, stack.TOPIC_ARN, stack.LOG_GROUP_ARN
LOG_STREAM = f"{LOG_GROUP_ARN}:log-stream:2026/11/25/[$LATEST]0"
ALARM = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:tapstack-dev-errors"
ALGORITHM = "s3:x-amz-server-side-encryption"
CUSTOMER_ALGORITHM = f"{ALGORITHM}-customer-algorithm"
KEY_ID = f"{ALGORITHM}-aws-kms-key-id"
OTHER_KEY = KEY_ARN.replace("1234abcd", "ffffffff")

Case = tuple[Decision, Request]


def cases(
    decision: Decision,
    actions: str,
    resource: str,
    *,
    by: str = "anybody",
    account: str | None = None,
    source: str | None = None,
    tls: bool = True,
    context: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Case]:
    """Yield a test request with its expected decision for each action in a text such as ``s3:GetObject PutObject``."""
    keys = {"aws:SecureTransport": str(tls).lower(), **context}
    keys |= {"aws:SourceAccount": account} if account else {}
    keys |= {"aws:SourceArn": source} if source else {}
    service, _, names = actions.partition(":")
    for name in names.split():
        yield decision, Request(action=f"{service}:{name}", resource=resource, principal=by, context=keys)


def through(service: str, **encryption: str) -> dict[str, str]:
    """Return the condition keys, with encryption context, of a KMS request that an AWS service sends for its caller."""
    names = {"s3": "aws:s3:arn", "table": "aws:dynamodb:tableName"}
    return {
        "kms:ViaService": f"{service}.us-east-1.amazonaws.com",
        **{f"kms:EncryptionContext:{names[name]}": value for name, value in encryption.items()},
    }


@cache
def recorded() -> dict[str, dict[str, Any]]:
    """Return all policies by the name of their resource, including the indexer's resource-based policy."""
    full = synth(**stack.FULL)
    plain = dict(documents(full))
    encrypted = {name: policy for name, policy in documents(synth(**stack.ENCRYPTED)) if policy != plain[name]}
    return {
        **plain,
        **{each.name: {"Statement": [_statement(each.inputs)]} for each in full.all("Permission")},
        **{f"{name}{WITH_KEY}": policy for name, policy in encrypted.items()},
        KEY_POLICY: key_policy(),
    }


def _statement(permission: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statement that Lambda creates for a permission in the resource-based policy of the indexer."""
    conditions = {"ArnLike": {"AWS:SourceArn": "sourceArn"}, "StringEquals": {"AWS:SourceAccount": "sourceAccount"}}
    return {
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


ALARM_CALL: dict[str, Any] = {"by": CLOUDWATCH, "source": ALARM, "account": ACCOUNT}
OTHER_ALARM_CALLS: list[dict[str, Any]] = [
    {"by": CLOUDWATCH},
    {**ALARM_CALL, "account": OTHER_ACCOUNT},
    {**ALARM_CALL, "source": ALARM.replace(ACCOUNT, OTHER_ACCOUNT)},
]
LOGGING: dict[str, Any] = {"by": S3_LOGS, "source": UPLOADS_ARN, "account": ACCOUNT}
RULE = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/tapstack-dev_acme-logs"
OTHER_RULE = RULE.replace("acme-logs", "acme.data")
DELIVERY: dict[str, Any] = {"by": EVENTS, "source": RULE, "account": ACCOUNT}
EXISTING_ARN = "arn:aws:s3:::acme-logs"
# S3 writes inventories with the ACL bucket-owner-full-control (S3 User Guide, "Grant permissions for S3 Inventory").
ACL = MappingProxyType({"s3:x-amz-acl": "bucket-owner-full-control"})
INVENTORY: dict[str, Any] = {"by": S3, "source": UPLOADS_ARN, "account": ACCOUNT, "context": ACL}
INVENTORY_FILE = f"{LOGS_ARN}/inventory/{UPLOADS_ARN.rpartition(':')[2]}/tapstack-dev/data/a.parquet"
NOTIFICATION: dict[str, Any] = {"by": S3, "source": UPLOADS_ARN, "account": ACCOUNT}

CASES: dict[str, list[Case]] = {
    "tap-uploads-policy": [
        *cases(DENY, "s3:GetObject PutObject DeleteObjectVersion", OBJECT, tls=False),
        *cases(DENY, "s3:ListBucket PutBucketPolicy", UPLOADS_ARN, tls=False),
        *cases(NO_MATCH, "s3:GetObject PutObject", OBJECT),
        *cases(NO_MATCH, "s3:ListBucket", UPLOADS_ARN),
        *cases(NO_MATCH, "s3:PutObject", OBJECT, context={ALGORITHM: "AES256"}),
        *cases(DENY, "s3:PutObject", OBJECT, context={ALGORITHM: "aws:kms"}),
        *cases(DENY, "s3:PutObject", OBJECT, context={ALGORITHM: "aws:kms:dsse"}),
        *cases(DENY, "s3:PutObject", OBJECT, context={CUSTOMER_ALGORITHM: "AES256"}),
    ],
    "tap-logs-policy": [
        *cases(ALLOW, "s3:PutObject", LOG, **LOGGING),
        *cases(DENY, "s3:PutObject", LOG, tls=False, **LOGGING),
        *cases(NO_MATCH, "s3:PutObject", LOG, **{**LOGGING, "account": OTHER_ACCOUNT}),
        *cases(ALLOW, "s3:PutObject", LOG, **{**LOGGING, "source": EXPORTS_ARN}),
        *cases(NO_MATCH, "s3:PutObject", LOG, **{**LOGGING, "source": "arn:aws:s3:::another"}),
        *cases(NO_MATCH, "s3:PutObject", LOG, by=S3_LOGS),
        *cases(NO_MATCH, "s3:PutObject", LOG, **{**LOGGING, "by": S3}),
        *cases(NO_MATCH, "s3:GetObject", LOG, **LOGGING),
        *cases(NO_MATCH, "s3:GetObject", LOG),
        *cases(DENY, "s3:GetObject", LOG, tls=False),
        *cases(DENY, "s3:ListBucket", LOGS_ARN, tls=False),
        *cases(ALLOW, "s3:PutObject", INVENTORY_FILE, **INVENTORY),
        *cases(ALLOW, "s3:PutObject", INVENTORY_FILE, **{**INVENTORY, "source": EXISTING_ARN}),
        *cases(DENY, "s3:PutObject", INVENTORY_FILE, tls=False, **INVENTORY),
        *cases(NO_MATCH, "s3:PutObject", INVENTORY_FILE, **{**INVENTORY, "account": OTHER_ACCOUNT}),
        *cases(NO_MATCH, "s3:PutObject", INVENTORY_FILE, **{**INVENTORY, "source": "arn:aws:s3:::another"}),
        *cases(NO_MATCH, "s3:PutObject", INVENTORY_FILE, **{**INVENTORY, "context": {"s3:x-amz-acl": "public-read"}}),
        *cases(NO_MATCH, "s3:PutObject", LOG, **INVENTORY),
        *cases(NO_MATCH, "s3:GetObject", INVENTORY_FILE, **INVENTORY),
    ],
    "tap-failures-policy": [
        *cases(DENY, "sqs:SendMessage ReceiveMessage SetQueueAttributes", QUEUE_ARN, tls=False),
        *cases(NO_MATCH, "sqs:SendMessage", QUEUE_ARN),
        *cases(NO_MATCH, "sqs:SendMessage", QUEUE_ARN, by=LAMBDA, account=OTHER_ACCOUNT),
        *cases(ALLOW, "sqs:SendMessage", QUEUE_ARN, **DELIVERY),
        *cases(ALLOW, "sqs:SendMessage", QUEUE_ARN, **{**DELIVERY, "source": OTHER_RULE}),
        *cases(DENY, "sqs:SendMessage", QUEUE_ARN, tls=False, **DELIVERY),
        *cases(NO_MATCH, "sqs:ReceiveMessage", QUEUE_ARN, **DELIVERY),
        *cases(NO_MATCH, "sqs:SendMessage", QUEUE_ARN, **{**DELIVERY, "source": f"{RULE}-2"}),
        *cases(NO_MATCH, "sqs:SendMessage", QUEUE_ARN, **{**DELIVERY, "source": RULE.replace(ACCOUNT, OTHER_ACCOUNT)}),
        *cases(NO_MATCH, "sqs:SendMessage", QUEUE_ARN, **{**DELIVERY, "by": S3}),
        *cases(NO_MATCH, "sqs:SendMessage", QUEUE_ARN, by=EVENTS),
    ],
    "tap-alarms-policy": [
        *cases(ALLOW, "sns:Publish", TOPIC_ARN, **ALARM_CALL),
        *cases(DENY, "sns:Publish", TOPIC_ARN, tls=False, **ALARM_CALL),
        *cases(DENY, "sns:Publish", TOPIC_ARN, tls=False),
        *(case for call in OTHER_ALARM_CALLS for case in cases(NO_MATCH, "sns:Publish", TOPIC_ARN, **call)),
        *cases(NO_MATCH, "sns:Publish", TOPIC_ARN, **{**ALARM_CALL, "source": ALARM.replace("us-east-1", "eu-west-1")}),
        *cases(NO_MATCH, "sns:Publish", TOPIC_ARN, **{**ALARM_CALL, "by": S3}),
        *cases(NO_MATCH, "sns:Publish", TOPIC_ARN),
        *cases(NO_MATCH, "sns:Subscribe", TOPIC_ARN, **ALARM_CALL),
    ],
    "tap-s3-permission": [
        *cases(ALLOW, "lambda:InvokeFunction", FUNCTION_ARN, **NOTIFICATION),
        # After the deletion of the upload bucket, another account could create a bucket with its name.
        *cases(NO_MATCH, "lambda:InvokeFunction", FUNCTION_ARN, **{**NOTIFICATION, "account": OTHER_ACCOUNT}),
        *cases(NO_MATCH, "lambda:InvokeFunction", FUNCTION_ARN, **{**NOTIFICATION, "source": LOGS_ARN}),
        *cases(NO_MATCH, "lambda:InvokeFunction", FUNCTION_ARN, by=S3),
        *cases(NO_MATCH, "lambda:InvokeFunction", FUNCTION_ARN, **{**NOTIFICATION, "by": CLOUDWATCH}),
        *cases(NO_MATCH, "lambda:InvokeFunction", FUNCTION_ARN),
        *cases(NO_MATCH, "lambda:UpdateFunctionCode", FUNCTION_ARN, **NOTIFICATION),
    ],
    **{
        f"tap-existing-{bucket}-permission": [
            *cases(ALLOW, "lambda:InvokeFunction", FUNCTION_ARN, **{**DELIVERY, "source": rule}),
            *cases(NO_MATCH, "lambda:InvokeFunction", FUNCTION_ARN, **{**DELIVERY, "source": other}),
            *cases(NO_MATCH, "lambda:InvokeFunction", FUNCTION_ARN, **{**DELIVERY, "source": rule, "by": S3}),
            *cases(NO_MATCH, "lambda:InvokeFunction", FUNCTION_ARN, by=EVENTS),
            *cases(NO_MATCH, "lambda:UpdateFunctionCode", FUNCTION_ARN, **{**DELIVERY, "source": rule}),
        ]
        for bucket, rule, other in (("acme-logs", RULE, OTHER_RULE), ("acme.data", OTHER_RULE, RULE))
    },
    "tap-indexer-role": [
        *cases(ALLOW, "sts:AssumeRole", ROLE_ARN, by=LAMBDA, account=ACCOUNT),
        *cases(NO_MATCH, "sts:AssumeRole", ROLE_ARN, by=LAMBDA, account=OTHER_ACCOUNT),
        *cases(NO_MATCH, "sts:AssumeRole", ROLE_ARN, by=LAMBDA),
        *cases(NO_MATCH, "sts:AssumeRole", ROLE_ARN, by=S3, account=ACCOUNT),
        *cases(NO_MATCH, "sts:AssumeRole", ROLE_ARN),
    ],
    "tap-indexer-policy": [
        *cases(ALLOW, "s3:GetObject GetObjectVersion", OBJECT),
        *cases(ALLOW, "s3:ListBucket", UPLOADS_ARN),
        *cases(ALLOW, "dynamodb:UpdateItem GetItem Query", TABLE_ARN),
        *cases(ALLOW, "dynamodb:Query", f"{TABLE_ARN}/index/uploads_by_day"),
        *cases(ALLOW, "logs:CreateLogStream PutLogEvents", LOG_STREAM),
        *cases(ALLOW, "sqs:SendMessage", QUEUE_ARN),
        *cases(ALLOW, "xray:PutTraceSegments PutTelemetryRecords", "*"),
        *cases(ALLOW, "s3:GetObject GetObjectVersion", f"{EXISTING_ARN}/a/b.txt"),
        *cases(ALLOW, "s3:GetObject GetObjectVersion", f"{EXISTING_ARN}/é*/b.txt"),
        *cases(ALLOW, "s3:GetObjectVersion", "arn:aws:s3:::acme.data/b.txt"),
        *cases(NO_MATCH, "s3:GetObject", "arn:aws:s3:::acme.data/b.txt"),
        *cases(ALLOW, "s3:ListBucket", EXISTING_ARN),
        *cases(ALLOW, "s3:ListBucket", "arn:aws:s3:::acme.data"),
        *cases(ALLOW, "kms:Decrypt", stack.EXISTING_KEY_ARN, context=through("s3", s3=EXISTING_ARN)),
        *cases(ALLOW, "kms:Decrypt", stack.EXISTING_KEY_ARN, context=through("s3", s3=f"{EXISTING_ARN}/a/b.txt")),
        *cases(NO_MATCH, "kms:Decrypt", stack.EXISTING_KEY_ARN, context=through("s3", s3=f"{EXISTING_ARN}/b/b.txt")),
        *cases(NO_MATCH, "kms:Decrypt", stack.EXISTING_KEY_ARN, context=through("s3", s3=UPLOADS_ARN)),
        *cases(NO_MATCH, "kms:Decrypt", stack.EXISTING_KEY_ARN, context=through("sqs")),
        *cases(NO_MATCH, "kms:Decrypt", stack.EXISTING_KEY_ARN),
        *cases(NO_MATCH, "kms:GenerateDataKey", stack.EXISTING_KEY_ARN, context=through("s3", s3=EXISTING_ARN)),
        *cases(NO_MATCH, "s3:GetObject", f"{EXISTING_ARN}/b/b.txt"),
        # In a configured prefix, an asterisk is not a wildcard.
        *cases(NO_MATCH, "s3:GetObject", f"{EXISTING_ARN}/éa/b.txt"),
        *cases(NO_MATCH, "s3:GetObject", f"{EXISTING_ARN}-2/a/b.txt"),
        *cases(NO_MATCH, "s3:PutObject DeleteObject", f"{EXISTING_ARN}/a/b.txt"),
        *cases(NO_MATCH, "s3:PutBucketNotification ListBucketVersions", EXISTING_ARN),
        *cases(NO_MATCH, "s3:GetObject", OTHER_OBJECT),
        *cases(NO_MATCH, "s3:GetObject", LOG),
        *cases(NO_MATCH, "s3:GetObject", f"{UPLOADS_ARN}-of-another/a"),
        *cases(NO_MATCH, "s3:ListBucket", LOGS_ARN),
        *cases(NO_MATCH, "s3:PutObject DeleteObject", OBJECT),
        *cases(NO_MATCH, "dynamodb:UpdateItem", f"{TABLE_ARN}-2"),
        *cases(NO_MATCH, "dynamodb:DeleteItem Scan DeleteTable", TABLE_ARN),
        *cases(NO_MATCH, "logs:PutLogEvents", f"{LOG_GROUP_ARN}-2:log-stream:a"),
        *cases(NO_MATCH, "logs:CreateLogGroup", LOG_GROUP_ARN),
        *cases(NO_MATCH, "sqs:SendMessage", f"{QUEUE_ARN}-2"),
        *cases(NO_MATCH, "sqs:ReceiveMessage", QUEUE_ARN),
        *cases(NO_MATCH, "sns:Publish", TOPIC_ARN),
        *cases(NO_MATCH, "iam:PutRolePolicy", ROLE_ARN),
    ],
}

BUCKET_USE, TABLE_USE = through("s3", s3=UPLOADS_ARN), through("dynamodb", table=stack.TABLE)
QUEUE_CONTEXT = "kms:EncryptionContext:aws:sqs:arn"
QUEUE_USE = {QUEUE_CONTEXT: QUEUE_ARN}
LOGS_CONTEXT = "kms:EncryptionContext:aws:logs:arn"
ADMINISTRATION = (
    "kms:CancelKeyDeletion DescribeKey DisableKey DisableKeyRotation EnableKey EnableKeyRotation GetKeyPolicy "
    "GetKeyRotationStatus ListGrants ListKeyPolicies ListResourceTags PutKeyPolicy RevokeGrant ScheduleKeyDeletion "
    "TagResource UntagResource UpdateKeyDescription"
)

CASES[f"tap-uploads-policy{WITH_KEY}"] = [
    *(case for case in CASES["tap-uploads-policy"] if ALGORITHM not in case[1].context),
    *cases(NO_MATCH, "s3:PutObject", OBJECT, context={ALGORITHM: "aws:kms", KEY_ID: KEY_ARN}),
    *cases(DENY, "s3:PutObject", OBJECT, context={ALGORITHM: "AES256"}),
    *cases(DENY, "s3:PutObject", OBJECT, context={ALGORITHM: "aws:kms", KEY_ID: OTHER_KEY}),
    *cases(
        DENY, "s3:PutObject", OBJECT, context={ALGORITHM: "aws:kms"}
    ),  # without a key ID, S3 uses the AWS managed key aws/s3
    *cases(DENY, "s3:PutObject", OBJECT, context={ALGORITHM: "aws:kms:dsse", KEY_ID: KEY_ARN}),
]
# The policy of the export bucket has the same statements as that of the upload bucket.
for _name in ("policy", f"policy{WITH_KEY}"):
    CASES[f"tap-exports-{_name}"] = [
        (decision, replace(each, resource=each.resource.replace(UPLOADS_ARN, EXPORTS_ARN)))
        for decision, each in CASES[f"tap-uploads-{_name}"]
    ]
CASES[f"tap-indexer-policy{WITH_KEY}"] = [
    *CASES["tap-indexer-policy"],
    *cases(ALLOW, "kms:Decrypt", KEY_ARN, context=BUCKET_USE),
    *cases(ALLOW, "kms:Decrypt", KEY_ARN, context=through("s3", s3=OBJECT)),
    *cases(ALLOW, "kms:Decrypt", KEY_ARN, context=TABLE_USE),
    *cases(ALLOW, "kms:Decrypt GenerateDataKey", KEY_ARN, context=through("sqs")),
    *cases(NO_MATCH, "kms:Decrypt PutKeyPolicy ScheduleKeyDeletion", KEY_ARN),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, context={"kms:EncryptionContext:aws:s3:arn": UPLOADS_ARN}),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, context=through("s3")),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, context=through("s3", s3=OTHER_OBJECT)),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, context=through("s3", s3=f"{UPLOADS_ARN}-of-another")),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, context=through("dynamodb", table=f"{stack.TABLE}-2")),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, context=through("secretsmanager")),
    *cases(NO_MATCH, "kms:Decrypt", OTHER_KEY, context=BUCKET_USE),
    *cases(NO_MATCH, "kms:GenerateDataKey", KEY_ARN, context=BUCKET_USE),  # the indexer uploads no S3 objects
    *cases(NO_MATCH, "kms:GenerateDataKey CreateGrant", KEY_ARN, context=TABLE_USE),
    *cases(NO_MATCH, "kms:Encrypt", KEY_ARN, context=through("sqs")),
]
CASES[KEY_POLICY] = [
    # Users and the indexer may use the KMS key through S3, DynamoDB and SQS if their own policies also allow this.
    *cases(ALLOW, "kms:GenerateDataKey Decrypt", KEY_ARN, by=USER, context=BUCKET_USE),
    *cases(ALLOW, "kms:Decrypt", KEY_ARN, by=ROLE_ARN, context=TABLE_USE),
    *cases(ALLOW, "kms:GenerateDataKey Decrypt", KEY_ARN, by=ROLE_ARN, context=through("sqs")),
    *cases(ALLOW, "kms:GenerateDataKey Decrypt", KEY_ARN, by=USER, context=through("sns")),
    *cases(NO_MATCH, "kms:GenerateDataKey Decrypt", KEY_ARN, by=USER),
    *cases(NO_MATCH, "kms:GenerateDataKey Decrypt", KEY_ARN, by=USER, context=through("ec2")),
    *cases(NO_MATCH, "kms:GenerateDataKey Decrypt", KEY_ARN, by=OTHER_USER, context=BUCKET_USE),
    *cases(NO_MATCH, "kms:GenerateDataKey Decrypt", KEY_ARN, by=LAMBDA, context=BUCKET_USE),
    # The user who deploys the table may create a grant of the KMS key for DynamoDB.
    *cases(
        ALLOW,
        "kms:Encrypt ReEncryptFrom ReEncryptTo GenerateDataKeyWithoutPlaintext CreateGrant",
        KEY_ARN,
        by=USER,
        context=TABLE_USE,
    ),
    *cases(NO_MATCH, "kms:CreateGrant Encrypt", KEY_ARN, by=USER),
    *cases(NO_MATCH, "kms:CreateGrant", KEY_ARN, by=USER, context=BUCKET_USE),
    *cases(NO_MATCH, "kms:CreateGrant", KEY_ARN, by=OTHER_USER, context=TABLE_USE),
    # CloudWatch Logs may use the KMS key only for the indexer's log group.
    *cases(
        ALLOW,
        "kms:Encrypt Decrypt ReEncryptFrom ReEncryptTo GenerateDataKey GenerateDataKeyWithoutPlaintext",
        KEY_ARN,
        by=LOGS_SERVICE,
        context={LOGS_CONTEXT: LOG_GROUP_ARN},
    ),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, by=LOGS_SERVICE),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, by=LOGS_SERVICE, context={LOGS_CONTEXT: f"{LOG_GROUP_ARN}-2"}),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, by="logs.eu-west-1.amazonaws.com", context={LOGS_CONTEXT: LOG_GROUP_ARN}),
    # CloudWatch alarms of the stack may use the KMS key to publish to the encrypted SNS topic.
    *cases(ALLOW, "kms:Decrypt GenerateDataKey GenerateDataKeyWithoutPlaintext", KEY_ARN, **ALARM_CALL),
    *(case for call in OTHER_ALARM_CALLS for case in cases(NO_MATCH, "kms:Decrypt", KEY_ARN, **call)),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, **{**ALARM_CALL, "source": ALARM.replace("tapstack-dev", "other")}),
    *cases(NO_MATCH, "kms:Encrypt PutKeyPolicy", KEY_ARN, **ALARM_CALL),
    # EventBridge rules of the stack may use the KMS key to send events to the encrypted failure queue.
    *cases(ALLOW, "kms:Decrypt GenerateDataKey", KEY_ARN, **DELIVERY, context=QUEUE_USE),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, **DELIVERY),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, **DELIVERY, context={QUEUE_CONTEXT: f"{QUEUE_ARN}-2"}),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, by=EVENTS, context=QUEUE_USE),
    *cases(NO_MATCH, "kms:Decrypt", KEY_ARN, **{**DELIVERY, "source": ALARM}, context=QUEUE_USE),
    *cases(NO_MATCH, "kms:Encrypt PutKeyPolicy", KEY_ARN, **DELIVERY, context=QUEUE_USE),
    # Key administrators may manage the KMS key but not use it for encryption.
    *cases(ALLOW, ADMINISTRATION, KEY_ARN, by=USER),
    *cases(NO_MATCH, ADMINISTRATION, KEY_ARN, by=OTHER_USER),
]


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One action of a policy statement, with the statement's resources, condition keys and effect."""

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
