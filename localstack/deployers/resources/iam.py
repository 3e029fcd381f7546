"""Resource handlers for IAM roles and their inline policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localstack.deployers.resources.base import (
    Aws,
    Create,
    RegisterRemoval,
    Removal,
    ResourceResult,
    non_empty,
    tag_list,
)

if TYPE_CHECKING:
    from localstack.deployers.resources.inputs import Inputs


def role(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates an IAM role. Args: see `ResourceHandler`."""
    role_name = aws.physical_name(name, inputs.get("name"))
    request = non_empty(
        AssumeRolePolicyDocument=inputs.require("assumeRolePolicy"),
        Tags=tag_list(inputs.mapping("tags")),
        **inputs.select(
            Description="description",
            MaxSessionDuration="maxSessionDuration",
            Path="path",
            PermissionsBoundary="permissionsBoundary",
        ),
    )
    iam = aws.client("iam")

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        created = iam.create_role(RoleName=role_name, **request)["Role"]
        register_removal(
            Removal(
                delete=lambda: iam.delete_role(RoleName=role_name),
                exists=lambda: iam.get_role(RoleName=role_name),
            )
        )
        state = {
            "name": role_name,
            "arn": created["Arn"],
            "uniqueId": created["RoleId"],
            "createDate": created["CreateDate"].isoformat(),
            "path": created["Path"],
        }
        return ResourceResult(id=role_name, state=state)

    return create


def role_policy(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates an inline policy of an IAM role. Args: see `ResourceHandler`."""
    policy_name = aws.physical_name(name, inputs.get("name"))
    role_name, document = inputs.require("role"), inputs.require("policy")
    iam = aws.client("iam")

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        iam.put_role_policy(RoleName=role_name, PolicyName=policy_name, PolicyDocument=document)
        register_removal(Removal(delete=lambda: iam.delete_role_policy(RoleName=role_name, PolicyName=policy_name)))
        return ResourceResult(id=f"{role_name}:{policy_name}", state={"name": policy_name})

    return create
