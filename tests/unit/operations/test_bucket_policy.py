from __future__ import annotations

from typing import Any

import pytest

from operations.bucket_policy import denials, statements

DENY = {"Sid": "Deny", "Effect": "Deny", "Principal": "*", "Resource": "*"}
TLS = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"Action": "s3:*"}, ["Deny, Action s3:*, Condition {}"]),
        ({"Action": "S3:GET*"}, ["Deny, Action S3:GET*, Condition {}"]),
        ({"Action": ["s3:PutObject", "s3:ListBucket"]}, ["Deny, Action s3:PutObject, s3:ListBucket, Condition {}"]),
        ({"Action": "s3:GetObject", "Sid": None}, ["statement 1, Action s3:GetObject, Condition {}"]),
        ({"NotAction": "s3:PutObject"}, ["Deny, NotAction s3:PutObject, Condition {}"]),
        (
            {"Action": "*", "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}},
            ['Deny, Action *, Condition {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}'],
        ),
        ({"Action": "s3:PutObject"}, []),
        ({"Action": "s3:GetObjectAcl"}, []),
        ({"NotAction": ["s3:Get*", "s3:List*"]}, []),
        ({"Action": "s3:*", "Effect": "Allow"}, []),
        ({"Action": "s3:*", **TLS}, []),
    ],
)
def test_denials_of_a_bucket_policy_are_statements_that_can_deny_the_indexers_reads(
    changes: dict[str, Any], found: list[str]
) -> None:
    statement = {name: value for name, value in (DENY | changes).items() if value is not None}
    assert list(denials({"Statement": [statement]})) == found
    assert list(denials({"Statement": statement})) == found


def test_bucket_policy_without_statements_has_no_denials() -> None:
    assert (statements({}), list(denials({}))) == ([], [])
