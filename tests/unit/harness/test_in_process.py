"""Tests of the in-process deployer with small Pulumi programs and AWS clients that send nothing."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localstack.deployers.cleanup_stack import CleanupStack
from localstack.deployers.deploy import deploy
from localstack.deployers.in_process import _rolled_back_on_failure
from localstack.deployers.resources.base import Removal
from localstack.emulators.emulator import Emulator
from localstack.errors import DeploymentError
from tests.support.fakes import client_error
from tests.unit.harness.fake_aws import ARN, FakeAws

if TYPE_CHECKING:
    from localstack.deployers.deployment import Deployment, Progress

QUEUE = 'aws.sqs.Queue("failures", name="failures")'
HEADER = "import pulumi\nimport pulumi_aws as aws\n"


class FakeProject:
    """Pulumi project with one program, whose AWS clients send nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.aws = FakeAws()
        self.progress: list[Progress] = []
        self.config: dict[str, str] = {}
        self.emulator = Emulator(
            kind="", name="", endpoint="http://127.0.0.1:1", region="us-east-1", reason="", logs=str
        )
        self.write_stack_file("config:\n  aws:region: eu-central-1\n")
        (folder / "Pulumi.yaml").write_text("name: toy\nruntime: python\n", encoding="utf-8")

    def write_stack_file(self, content: str) -> None:
        (self.folder / "Pulumi.localstack.yaml").write_text(content, encoding="utf-8")

    def deploy(self, program: str) -> Deployment:
        path = self.folder / "program.py"
        path.write_text(HEADER + textwrap.dedent(program), encoding="utf-8")
        self.emulator.client = self.aws.client  # type: ignore[method-assign]  # the deployer uses nothing else of the emulator
        return deploy(self.emulator, program=path, config_overrides=self.config, on_resource=self.progress.append)


@pytest.fixture
def project(tmp_path: Path) -> FakeProject:
    return FakeProject(tmp_path)


def test_in_process_deployer_creates_resources_and_returns_outputs(project: FakeProject) -> None:
    began = time.monotonic()
    deployment = project.deploy(
        f"""
        queue = {QUEUE}
        policy = queue.arn.apply(lambda arn: '{{"for": "' + arn + '"}}')
        aws.sqs.QueuePolicy("policy", queue_url=queue.url, policy=policy)
        pulumi.export("queue_arn", queue.arn)
        pulumi.export("numbers", [1, 2])
        """
    )
    assert project.aws.parameters("SetQueueAttributes") == {
        "QueueUrl": "http://queue",
        "Attributes": {"Policy": f'{{"for": "{ARN}"}}'},
    }
    assert deployment.outputs == {"queue_arn": ARN, "numbers": "[1, 2]"}
    assert [(resource.type, resource.name, resource.id) for resource in deployment.resources] == [
        ("aws:sqs/queue:Queue", "failures", "http://queue"),
        ("aws:sqs/queuePolicy:QueuePolicy", "policy", "http://queue"),
    ]
    assert [(progress.type, progress.name) for progress in project.progress] == [
        (resource.type, resource.name) for resource in deployment.resources
    ]
    assert 0 < max(progress.seconds for progress in project.progress) < deployment.seconds < time.monotonic() - began


def test_in_process_deployer_runs_the_program_as_main_with_configuration(project: FakeProject) -> None:
    project.write_stack_file("config:\n  aws:region: eu-central-1\n  toy:env: test\n  toy:size: 1\n")
    project.config = {"size": "2"}
    deployment = project.deploy(
        f"""
        import sys
        assert __name__ == "__main__"
        assert {str(project.folder)!r} not in sys.path
        config = pulumi.Config()
        values = [config.require("env"), config.require_int("size")]
        pulumi.export("all", [pulumi.get_project(), pulumi.get_stack(), *values])
        """
    )
    assert deployment.outputs == {"all": '["toy", "localstack", "test", 2]'}


def test_in_process_deployer_returns_partition_region_and_account(project: FakeProject) -> None:
    project.write_stack_file("config:\n  aws:region: cn-north-1\n")
    deployment = project.deploy(
        """
        partition = aws.get_partition()
        pulumi.export("partition", f"{partition.partition} {partition.dns_suffix} {partition.reverse_dns_prefix}")
        pulumi.export("region", aws.get_region().region)
        pulumi.export("account", aws.get_caller_identity().account_id)
        """
    )
    assert deployment.outputs == {
        "partition": "aws-cn amazonaws.com.cn cn.com.amazonaws",
        "region": "cn-north-1",
        "account": "123456789012",
    }


def test_in_process_deployer_sets_outputs_region_and_tags_all(project: FakeProject) -> None:
    deployment = project.deploy(
        """
        queue = aws.sqs.Queue("q", name="q", tags={"Owner": "me"})
        role = aws.iam.Role("r", name="r", assume_role_policy="{}", tags={"Owner": "me"})
        pulumi.export("queue", pulumi.Output.all(queue.region, queue.tags_all))
        pulumi.export("role", role.tags_all)
        """
    )
    assert deployment.outputs == {"queue": '["eu-central-1", {"Owner": "me"}]', "role": '{"Owner": "me"}'}


def test_in_process_deployer_resolves_archives_from_the_program_folder(project: FakeProject) -> None:
    (project.folder / "code").mkdir()
    (project.folder / "code" / "main.py").write_text("", encoding="utf-8")
    project.deploy(
        """
        aws.lambda_.Function("f", name="f", role="arn:aws:iam::1:role/r", code=pulumi.FileArchive("code"))
        """
    )
    assert project.aws.parameters("CreateFunction")["Code"]["ZipFile"].startswith(b"PK")


WRONG_RULE = {"id": "r", "status": "Enabled", "filter": {"prefixx": "a"}}
REJECTED = {
    'pulumi.CustomResource("aws:ec2/vpc:Vpc", "net", {})': "aws:ec2/vpc:Vpc 'net': .* support the type aws:ec2/vpc:Vpc",
    'aws.s3.Bucket("b", bucket="b", acl="private", website={"indexDocument": "i"})': "'b': .*the inputs acl, website:",
    f'aws.s3.BucketLifecycleConfiguration("l", bucket="b", rules=[{WRONG_RULE}])': r"rules\[0\]\.filter\.prefixx:",
    "aws.get_availability_zones()": "does not support the function aws:index/getAvailabilityZones",
    'aws.get_region(region="eu-west-1")': "does not support the arguments of aws:index/getRegion:getRegion: region",
    f'{QUEUE}\npulumi.export("nothing", None)': "exports nothing without a value",
    f'q = {QUEUE}\naws.sqs.QueuePolicy("p", queue_url=q.url, policy=q.redrive_policy)': (
        "QueuePolicy 'p': the input policy is missing: .*another resource does not have"
    ),
}
"""Pulumi programs that use unsupported features or missing values, with the expected error messages."""


@pytest.mark.parametrize(("program", "message"), REJECTED.items())
def test_in_process_deployer_rejects_unsupported_programs_and_cleans_up(
    project: FakeProject, program: str, message: str
) -> None:
    with pytest.raises(DeploymentError, match=message):
        project.deploy(program)
    assert project.aws.operations() in ([], ["CreateQueue", "GetQueueAttributes", "DeleteQueue"])


def test_in_process_deployer_rejects_unsupported_provider_settings(project: FakeProject) -> None:
    project.write_stack_file(
        'config:\n  aws:defaultTags: {tags: {a: b}}\n  aws:s3UsePathStyle: "true"\n  aws:regions: x\n'
    )
    with pytest.raises(DeploymentError, match=r"does not support the configuration aws:defaultTags, aws:regions:"):
        project.deploy(QUEUE)


@pytest.mark.parametrize("key", ["gcp:project", "aws-native:region", "awsx:region", "toys:size", "pulumi:tags"])
def test_in_process_deployer_rejects_settings_of_other_providers(project: FakeProject, key: str) -> None:
    """The deployer uses only the settings of the project, named toy, and the connection settings of `aws:`."""
    project.write_stack_file(f"config:\n  {key}: x\n  toy:size: 1\n")
    with pytest.raises(DeploymentError, match=rf"does not support the configuration {key}: remove it"):
        project.deploy(QUEUE)
    assert project.aws.operations() == []


def test_in_process_deployer_reports_the_exception_of_a_failed_program(project: FakeProject) -> None:
    message = r"program\.py failed: ValueError: capacity: 0 is too low\nno resource had"
    with pytest.raises(DeploymentError, match=message) as failure:
        project.deploy('raise ValueError("capacity: 0 is too low")')
    assert isinstance(failure.value.__cause__, ValueError)


def test_in_process_deployer_reports_a_failed_resource_and_rolls_back(project: FakeProject) -> None:
    project.aws = FakeAws({"PutDashboard": client_error(400, "InvalidParameterInput", "PutDashboard")})
    with pytest.raises(DeploymentError) as failure:
        project.deploy(
            f"""
            queue = {QUEUE}
            topic = aws.sns.Topic("t", name="t", opts=pulumi.ResourceOptions(depends_on=[queue], protect=True))
            board = aws.cloudwatch.Dashboard("d", dashboard_name="d", dashboard_body=topic.arn)
            aws.sqs.Queue("later", name="later", opts=pulumi.ResourceOptions(depends_on=[board]))
            """
        )
    assert str(failure.value) == (
        "resources that could not be created:\n"
        "  aws:cloudwatch/dashboard:Dashboard 'd': An error occurred (InvalidParameterInput) when calling the "
        "PutDashboard operation: injected by the test\n"
        "the created resources were destroyed (2 resources)"
    )
    assert project.aws.operations()[-2:] == ["DeleteTopic", "DeleteQueue"]
    assert project.aws.operations().count("CreateQueue") == 1


def test_in_process_deployer_rolls_back_a_partly_created_resource(project: FakeProject) -> None:
    project.aws = FakeAws({"PutBucketTagging": client_error(400, "InvalidTag", "PutBucketTagging")})
    with pytest.raises(DeploymentError, match="InvalidTag"):
        project.deploy('aws.s3.Bucket("b", bucket="b", tags={"a": "b"})')
    assert project.aws.operations()[-1] == "DeleteBucket"


def test_in_process_deployer_reports_resources_that_a_rollback_cannot_delete(project: FakeProject) -> None:
    project.aws = FakeAws(
        {
            "PutDashboard": client_error(400, "Invalid", "PutDashboard"),
            "DeleteQueue": client_error(400, "AccessDenied", "DeleteQueue"),
        }
    )
    with pytest.raises(
        DeploymentError, match=r"except these, which still exist:\n  aws:sqs/queue:Queue 'failures': .*AccessDenied"
    ):
        project.deploy(f'q = {QUEUE}\naws.cloudwatch.Dashboard("d", dashboard_name="d", dashboard_body=q.arn)')


def test_in_process_deployer_rolls_back_after_keyboard_interrupt() -> None:
    cleanup_stack, deleted = CleanupStack(), []
    cleanup_stack.add("queue", Removal(delete=lambda: deleted.append("queue")))
    with pytest.raises(KeyboardInterrupt), _rolled_back_on_failure(cleanup_stack, Path("program.py")):
        raise KeyboardInterrupt
    assert deleted == ["queue"]


def test_destroy_deletes_in_reverse_order_and_waits_for_deletion(project: FakeProject) -> None:
    deployment = project.deploy(f'q = {QUEUE}\naws.sqs.QueuePolicy("p", queue_url=q.url, policy="{{}}")')
    project.aws.calls.clear()
    deleted = client_error(400, "AWS.SimpleQueueService.NonExistentQueue", "GetQueueUrl")
    project.aws.responses |= {"GetQueueUrl": deleted}
    deployment.destroy()
    assert project.aws.operations() == ["SetQueueAttributes", "DeleteQueue", "GetQueueUrl"]
    deployment.destroy()
    assert len(project.aws.calls) == 3


def test_destroy_with_protected_resources_deletes_nothing(project: FakeProject) -> None:
    deployment = project.deploy(
        'aws.s3.Bucket("b", bucket="b", opts=pulumi.ResourceOptions(protect=True))\naws.sqs.Queue("q", name="q")'
    )
    project.aws.calls.clear()
    with pytest.raises(DeploymentError, match=r"protected resources: aws:s3/bucket:Bucket 'b'\. .*protectData false"):
        deployment.destroy()
    assert project.aws.calls == []


def test_destroy_keeps_resources_with_retain_on_delete(project: FakeProject) -> None:
    project.deploy('aws.sqs.Queue("q", name="q", opts=pulumi.ResourceOptions(retain_on_delete=True))').destroy()
    assert "DeleteQueue" not in project.aws.operations()


def test_in_process_deployer_reports_a_missing_program(project: FakeProject) -> None:
    with pytest.raises(DeploymentError, match=r"the program .*nowhere\.py does not exist"):
        deploy(project.emulator, program=project.folder / "nowhere.py")
