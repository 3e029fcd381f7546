"""Resource handler for SSM parameters."""

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


def parameter(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates an SSM parameter of the type String. Args: see `ResourceHandler`."""
    parameter_name = aws.physical_name(name, inputs.get("name"))
    request = {"Value": inputs.require("insecureValue"), "Type": inputs.require("type")}
    request |= inputs.select(Description="description", Tier="tier")
    request |= non_empty(Tags=tag_list(inputs.mapping("tags")))
    ssm = aws.client("ssm")

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        version = ssm.put_parameter(Name=parameter_name, **request)["Version"]
        register_removal(
            Removal(
                delete=lambda: ssm.delete_parameter(Name=parameter_name),
                exists=lambda: ssm.get_parameter(Name=parameter_name),
            )
        )
        arn = ssm.get_parameter(Name=parameter_name)["Parameter"]["ARN"]
        return ResourceResult(id=parameter_name, state={"name": parameter_name, "arn": arn, "version": version})

    return create
