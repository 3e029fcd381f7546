"""Who may use a key of the user's own, and what it changes in the stack's policies, case by case."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.support.expected import ACCOUNT, KEY_ARN, LOG_GROUP_ARN, ROLE_ARN, TABLE, UPLOADS_ARN
from tests.support.policy_requests import (
    ALARM,
    ALLOW,
    CLOUDWATCH,
    DENY,
    ENCRYPTION,
    KMS_KEY,
    LAMBDA,
    LOGS_SERVICE,
    MINE,
    OBJECT,
    OTHER,
    OTHER_KEY,
    SILENT,
    SOMEBODY,
    STRANGER,
    THEIRS,
    asks,
)

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"


def key_policy() -> dict[str, Any]:
    """The policy in docs/security.md, for the stack of these tests. The `*` in a key's policy means that key."""
    (text,) = re.findall(r"```json\n(\{\n.*?)```", SECURITY.read_text(encoding="utf-8"), re.DOTALL)
    policy: dict[str, Any] = json.loads(text)
    assert {each["Resource"] for each in policy["Statement"]} == {"*"}
    return {**policy, "Statement": [{**each, "Resource": KEY_ARN} for each in policy["Statement"]]}


def via(service: str, **context: str) -> dict[str, str]:
    """The condition keys of a call that a service makes to KMS for somebody; `context` is the encryption's."""
    names = {"s3": "aws:s3:arn", "table": "aws:dynamodb:tableName"}
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

# Of the policy of the bucket and of that of the role, what only a key makes so.
UPLOADING = [
    asks(SILENT, "s3:PutObject", OBJECT, keys={ENCRYPTION: "aws:kms", KMS_KEY: KEY_ARN}),
    asks(DENY, "s3:PutObject", OBJECT, keys={ENCRYPTION: "AES256"}),
    asks(DENY, "s3:PutObject", OBJECT, keys={ENCRYPTION: "aws:kms", KMS_KEY: OTHER_KEY}),
    asks(DENY, "s3:PutObject", OBJECT, keys={ENCRYPTION: "aws:kms"}),  # that is AWS's own key aws/s3
    asks(DENY, "s3:PutObject", OBJECT, keys={ENCRYPTION: "aws:kms:dsse", KMS_KEY: KEY_ARN}),
]
INDEXING = [
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
USING = [
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
