"""The in-process deployer: runs the Pulumi program in this process and creates its resources with boto3.

It rejects resource types and inputs that it does not support. It has no state, so it cannot preview or update a stack.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localstack.deployers.cleanup_stack import CleanupStack
from localstack.deployers.configuration import Project, read_project
from localstack.deployers.deployment import Deployment, Progress, Resource, texts
from localstack.deployers.monitor import CreationError, Recorded, program_file, run_program
from localstack.deployers.resources import RESOURCE_HANDLERS
from localstack.deployers.resources.base import Aws, Phases, ResourceHandler, unobserved
from localstack.deployers.resources.inputs import InputError, Inputs
from localstack.emulators.emulator import DEFAULT_REGION, Emulator
from localstack.errors import DeploymentError

CONNECTION_SETTINGS = frozenset(
    {
        "aws:accessKey",
        "aws:endpoints",
        "aws:s3UsePathStyle",
        "aws:secretKey",
        "aws:skipCredentialsValidation",
        "aws:skipMetadataApiCheck",
        "aws:skipRegionValidation",
        "aws:skipRequestingAccountId",
    }
)
"""Settings of Pulumi's AWS provider for its connection to AWS.

They are ignored, because the boto3 clients of the emulator have their own connection settings.
"""


def deploy(
    emulator: Emulator,
    *,
    stack: str,
    config_overrides: Mapping[str, str],
    program: Path,
    on_resource: Callable[[Progress], None],
    phases: Phases = unobserved,
) -> Deployment:
    """Run a Pulumi program and create its resources with boto3.

    Args:
        emulator: running emulator.
        stack: name of the Pulumi stack.
        config_overrides: configuration that takes precedence; its keys may omit the project's name.
        program: file of the Pulumi program.
        on_resource: called after the creation of each resource, by one thread at a time.
        phases: returns a context manager for each phase of the deployment, for example to measure its duration.
    """
    began = time.monotonic()
    if not program.is_file():
        raise DeploymentError(f"the program {program} does not exist")
    project = read_project(program.parent, stack, config_overrides)
    aws = _aws(emulator, project, program.parent, phases)
    cleanup_stack = CleanupStack()
    creator = _ResourceCreator(aws, RESOURCE_HANDLERS, cleanup_stack, on_resource)
    run_file = program_file(program)

    def timed() -> None:
        with phases("program"):
            run_file()

    with _rolled_back_on_failure(cleanup_stack, program):
        run = run_program(
            timed,
            project=project.name,
            stack=stack,
            config=project.config,
            new_resource=creator,
            call=_ProviderFunctions(aws),
        )
        outputs = texts(run.outputs)
    return Deployment(
        outputs=outputs,
        resources=tuple(creator.resources),
        seconds=time.monotonic() - began,
        _destroy=cleanup_stack.destroy,
    )


class _ResourceCreator:
    """Creates the resources of a Pulumi program with boto3. Thread-safe."""

    def __init__(
        self,
        aws: Aws,
        handlers: Mapping[str, ResourceHandler],
        cleanup_stack: CleanupStack,
        on_resource: Callable[[Progress], None],
    ) -> None:
        self.resources: list[Resource] = []
        self._aws = aws
        self._handlers = handlers
        self._cleanup_stack = cleanup_stack
        self._on_resource = on_resource
        self._lock = threading.Lock()

    def __call__(self, resource: Recorded) -> tuple[str, dict[str, Any]]:
        began = time.monotonic()
        handler = self._handlers.get(resource.type)
        if handler is None:
            raise InputError(
                f"the in-process deployer does not support the type {resource.type}: "
                "remove the resource from this stack by its configuration, or deploy with the Pulumi CLI"
            )
        inputs = Inputs(resource.inputs)
        create = handler(resource.name, inputs, self._aws)
        if unused := sorted(inputs.unused()):
            raise InputError(
                f"the in-process deployer does not support the input{'s' if len(unused) > 1 else ''} "
                f"{', '.join(unused)}: add support to localstack/deployers/resources, or deploy with the Pulumi CLI"
            )
        result = create(
            lambda removal: (
                None
                if resource.retain_on_delete
                else self._cleanup_stack.add(str(resource), removal, protected=resource.protect)
            )
        )
        with self._lock:
            self.resources.append(Resource(type=resource.type, name=resource.name, id=result.id))
            self._on_resource(Progress(type=resource.type, name=resource.name, seconds=time.monotonic() - began))
        return result.id, {**resource.inputs, **_common(resource, self._aws), **result.state}


class _ProviderFunctions:
    """Replaces the functions of Pulumi's AWS provider that return the AWS account, region and partition."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def __call__(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        if args:
            raise InputError(f"the in-process deployer does not support the arguments of {token}: {', '.join(args)}")
        region, partition, suffix = self._aws.region, self._aws.partition, self._aws.dns_suffix
        match token:
            case "aws:index/getCallerIdentity:getCallerIdentity":
                identity = self._aws.client("sts").get_caller_identity()
                account = identity["Account"]
                return {"accountId": account, "arn": identity["Arn"], "userId": identity["UserId"], "id": account}
            case "aws:index/getRegion:getRegion":
                return {"region": region, "name": region, "id": region, "endpoint": f"ec2.{region}.{suffix}"}
            case "aws:index/getPartition:getPartition":
                reverse = ".".join(reversed(suffix.split(".")))
                return {
                    "partition": partition,
                    "id": partition,
                    "dnsSuffix": suffix,
                    "reverseDnsPrefix": reverse,
                }
            case _:
                raise InputError(f"the in-process deployer does not support the function {token}")


def _aws(emulator: Emulator, project: Project, folder: Path, phases: Phases) -> Aws:
    foreign = {key for key in project.config if not key.startswith(f"{project.name}:")}
    if unused := sorted(foreign - CONNECTION_SETTINGS - {"aws:region"}):
        raise DeploymentError(
            f"the in-process deployer does not support the configuration {', '.join(unused)}: "
            "remove it, or deploy with the Pulumi CLI"
        )
    region = project.config.get("aws:region", DEFAULT_REGION)
    partition = emulator.client("sts", region=region).meta.partition
    return Aws(
        clients=emulator,
        region=region,
        partition=partition,
        dns_suffix="amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com",
        folder=folder,
        phases=phases,
    )


def _common(resource: Recorded, aws: Aws) -> dict[str, Any]:
    """Return the outputs that Pulumi's AWS provider adds to each resource: the region and all tags."""
    tags = {"tagsAll": resource.inputs["tags"]} if "tags" in resource.inputs else {}
    return tags if resource.type.startswith("aws:iam/") else {**tags, "region": aws.region}


@contextmanager
def _rolled_back_on_failure(cleanup_stack: CleanupStack, program: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        count = len(cleanup_stack)
        problems = cleanup_stack.roll_back()
        if not isinstance(error, Exception):  # Only an Exception, not a KeyboardInterrupt, becomes a DeploymentError.
            raise
        raise DeploymentError(f"{_cause(error, program)}\n{_rollback_result(count, problems)}") from error


def _cause(error: Exception, program: Path) -> str:
    if not isinstance(error, CreationError):
        return f"the program {program.name} failed: {type(error).__name__}: {error}"
    failures = [f"  {resource}: {_reason(reason)}" for resource, reason in error.failures]
    return "\n".join(["resources that could not be created:", *failures])


def _reason(error: Exception) -> str:
    # AWS errors and exceptions of this package are clear from their message alone. For others, add the exception type.
    complete = isinstance(error, (DeploymentError, InputError)) or hasattr(error, "response")
    return str(error) if complete else f"{type(error).__name__}: {error}"


def _rollback_result(count: int, problems: list[str]) -> str:
    if problems:
        left = "\n".join(f"  {problem}" for problem in problems)
        return f"the created resources were destroyed, except these, which still exist:\n{left}"
    return f"the created resources were destroyed ({count} resources)" if count else "no resource had been created"
