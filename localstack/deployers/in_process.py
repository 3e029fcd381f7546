"""The in-process deployer: runs the program under Pulumi's mock monitor and creates its resources with boto3.

An unknown resource type or an unused input is an error that names it. Updates, previews and state are not supported.
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
"""Settings of Pulumi's AWS provider for its connection to AWS; the emulator's clients have their own."""


def deploy(
    emulator: Emulator,
    *,
    stack: str,
    config_overrides: Mapping[str, str],
    program: Path,
    on_resource: Callable[[Progress], None],
    phases: Phases = unobserved,
) -> Deployment:
    """Run the program and create its resources; see `deploy.deploy`. `phases` is notified of each phase."""
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
    """Creates resources; called from several threads at once."""

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
                f"the in-process engine does not know the type {resource.type}: "
                "take the resource out of this stack by its configuration, or deploy with Pulumi's own engine"
            )
        inputs = Inputs(resource.inputs)
        create = handler(resource.name, inputs, self._aws)
        if unused := sorted(inputs.unused()):
            raise InputError(
                f"the in-process engine does not use the input{'s' if len(unused) > 1 else ''} {', '.join(unused)}: "
                "it would be lost without a trace"
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
    """The provider's functions that return the account, the region and the partition."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def __call__(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        if args:
            raise InputError(f"the in-process engine does not use the arguments of {token}: {', '.join(args)}")
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
                raise InputError(f"the in-process engine does not know the function {token}")


def _aws(emulator: Emulator, project: Project, folder: Path, phases: Phases) -> Aws:
    foreign = {key for key in project.config if not key.startswith(f"{project.name}:")}
    if unused := sorted(foreign - CONNECTION_SETTINGS - {"aws:region"}):
        raise DeploymentError(
            f"the in-process engine does not use the configuration {', '.join(unused)}: "
            "it would be lost without a trace"
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
    """Return the outputs of every resource of the provider: its region, and all its tags."""
    tags = {"tagsAll": resource.inputs["tags"]} if "tags" in resource.inputs else {}
    return tags if resource.type.startswith("aws:iam/") else {**tags, "region": aws.region}


@contextmanager
def _rolled_back_on_failure(cleanup_stack: CleanupStack, program: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        count = len(cleanup_stack)
        problems = cleanup_stack.roll_back()
        if not isinstance(error, Exception):  # Ctrl-C, for example
            raise
        raise DeploymentError(f"{_cause(error, program)}\n{_rollback_result(count, problems)}") from error


def _cause(error: Exception, program: Path) -> str:
    if not isinstance(error, CreationError):
        return f"the program {program.name} failed: {type(error).__name__}: {error}"
    failures = [f"  {resource}: {_reason(reason)}" for resource, reason in error.failures]
    count = len(failures)
    return "\n".join([f"{count} resource{'s' if count > 1 else ''} could not be created:", *failures])


def _reason(error: Exception) -> str:
    # the messages of AWS's and our errors are complete; other errors need their type to be understood
    known = isinstance(error, (DeploymentError, InputError)) or hasattr(error, "response")
    return str(error) if known else f"{type(error).__name__}: {error}"


def _rollback_result(count: int, problems: list[str]) -> str:
    if problems:
        left = "\n".join(f"  {problem}" for problem in problems)
        return f"what had been created was destroyed again, but for these, which remain:\n{left}"
    return f"what had been created was destroyed again ({count} resources)" if count else "nothing had been created"
