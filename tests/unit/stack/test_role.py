"""What the function may do."""

from __future__ import annotations

import json

import pytest

from tests.support.expected import (
    ACCOUNT,
    CUSTOM,
    LOG_GROUP_ARN,
    QUEUE_ARN,
    ROLE,
    TABLE_ARN,
    TAGS,
    UPLOADS_ARN,
)
from tests.support.synth import policy, synth

COVERS = {"tap-indexer-role", "tap-indexer-policy"}


def test_only_lambda_in_this_account_may_take_the_role() -> None:
    inputs = dict(synth().one("Role").inputs)
    assert json.loads(inputs.pop("assumeRolePolicy")) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AllowLambda",
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
            }
        ],
    }
    assert inputs == {
        "name": ROLE,
        "description": "What the function that indexes uploads may do",
        "tags": TAGS,
    }


def test_the_function_may_do_this_and_nothing_else() -> None:
    role_policy = synth().one("RolePolicy")
    assert policy(role_policy) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ReadObjects",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                "Resource": [f"{UPLOADS_ARN}/*"],
            },
            {
                "Sid": "TellGoneFromDenied",
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [UPLOADS_ARN],
            },
            {
                "Sid": "UseTable",
                "Effect": "Allow",
                "Action": ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"],
                "Resource": [TABLE_ARN],
            },
            {
                "Sid": "UseDayIndex",
                "Effect": "Allow",
                "Action": ["dynamodb:Query"],
                "Resource": [f"{TABLE_ARN}/index/uploads_by_day"],
            },
            {
                "Sid": "WriteLogs",
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": [f"{LOG_GROUP_ARN}:*"],
            },
            {
                "Sid": "ReportFailures",
                "Effect": "Allow",
                "Action": ["sqs:SendMessage"],
                "Resource": [QUEUE_ARN],
            },
            {
                "Sid": "WriteTraces",
                "Effect": "Allow",
                "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
                "Resource": ["*"],
            },
        ],
    }
    assert {key: value for key, value in role_policy.inputs.items() if key != "policy"} == {
        "name": "index-uploads",
        "role": ROLE,
    }


@pytest.mark.control("IAM.27")
def test_no_policy_of_someone_else_is_attached_to_the_role() -> None:
    stack = synth()
    assert not [each for each in stack.resources if "Attachment" in each.type]
    assert not {"managedPolicyArns", "inlinePolicies"} & stack.one("Role").inputs.keys()


def test_the_policy_follows_the_configured_names() -> None:
    text = json.dumps(policy(synth(**CUSTOM).one("RolePolicy")))
    assert "arn:aws:s3:::acme-inbox/*" in text
    assert ":table/acme-rows/index/uploads_by_day" in text
    assert "-uploads" not in text
    assert "-objects" not in text
