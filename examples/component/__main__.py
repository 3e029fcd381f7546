"""Pulumi program with two TapStacks, and an application that may upload to both buckets and query both tables.

The program also exports the outputs of both stacks. README.md describes how to use the program.
"""

import json
import sys
from pathlib import Path

import pulumi
import pulumi_aws as aws

# Pulumi does not add the folder of tap_stack.py to Python's path, because it differs from the folder of this program.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from tap_stack import TapStack, TapStackArgs

config = pulumi.Config()
protect_data = config.get_bool("protectData", default=True)
saved_queries = config.get_bool("savedQueries", default=True)

# The environment suffix is part of the names of the AWS resources, so it must differ between the stacks.
measurements = TapStack(
    "measurements",
    TapStackArgs(
        environment_suffix="measurements",
        write_capacity=50,
        read_capacity=10,
        notification_suffix=".csv",
        cors_allowed_origins=["https://sensors.example.com"],
        protect_data=protect_data,
        saved_queries=saved_queries,
    ),
)
documents = TapStack(
    "documents",
    TapStackArgs(
        environment_suffix="documents",
        billing="on-demand",
        noncurrent_days=365,
        cors_allowed_origins=["https://intranet.example.com"],
        protect_data=protect_data,
        saved_queries=saved_queries,
    ),
)
stacks = {"measurements": measurements, "documents": documents}

application = aws.iam.Role(
    "application",
    description="Role of an application that uploads objects and queries their rows",
    assume_role_policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}
            ],
        }
    ),
)
aws.iam.RolePolicy(
    "uploads-and-queries",
    role=application.name,
    policy=pulumi.Output.json_dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "s3:PutObject",
                    "Resource": [pulumi.Output.concat(each.bucket_arn, "/*") for each in stacks.values()],
                },
                {
                    "Effect": "Allow",
                    "Action": "dynamodb:Query",
                    "Resource": [
                        arn
                        for each in stacks.values()
                        for arn in (each.table_arn, pulumi.Output.concat(each.table_arn, "/index/*"))
                    ],
                },
            ],
        }
    ),
)

for name, stack in stacks.items():
    pulumi.export(name, stack.outputs)
pulumi.export("application_role", application.name)
