"""IAM: roles and their inline policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localstack.deployers.resources.base import Aws, Create, Created, Made, Removal, given, tag_list

if TYPE_CHECKING:
    from localstack.deployers.resources.inputs import Inputs


def role(name: str, inputs: Inputs, aws: Aws) -> Create:
    """aws:iam/role:Role."""
    role_name = aws.physical_name(name, inputs.take("name"))
    request = given(
        AssumeRolePolicyDocument=inputs.need("assumeRolePolicy"),
        Tags=tag_list(inputs.mapping("tags")),
        **inputs.pick(
            Description="description",
            MaxSessionDuration="maxSessionDuration",
            Path="path",
            PermissionsBoundary="permissionsBoundary",
        ),
    )
    iam = aws.client("iam")

    def create(made: Made) -> Created:
        created = iam.create_role(RoleName=role_name, **request)["Role"]
        made(
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
        return Created(id=role_name, state=state)

    return create


def role_policy(name: str, inputs: Inputs, aws: Aws) -> Create:
    """aws:iam/rolePolicy:RolePolicy."""
    policy_name = aws.physical_name(name, inputs.take("name"))
    role_name, document = inputs.need("role"), inputs.need("policy")
    iam = aws.client("iam")

    def create(made: Made) -> Created:
        iam.put_role_policy(RoleName=role_name, PolicyName=policy_name, PolicyDocument=document)
        made(Removal(delete=lambda: iam.delete_role_policy(RoleName=role_name, PolicyName=policy_name)))
        return Created(id=f"{role_name}:{policy_name}", state={"name": policy_name})

    return create
