"""The in-process engine runs small programs against clients that send nothing."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localstack.deployers.cleanup_stack import CleanupStack
from localstack.deployers.deploy import deploy
from localstack.deployers.in_process import _rolled_back_on_failure
from localstack.deployers.resources.base import Removal
from localstack.emulators.emulator import Emulator
from localstack.errors import DeploymentError
from tests.unit.harness.recording_fakes import ARN, RecordingAws, refusal

if TYPE_CHECKING:
    from localstack.deployers.deployment import Deployment, Progress

QUEUE = 'aws.sqs.Queue("failures", name="failures")'
HEADER = "import pulumi\nimport pulumi_aws as aws\n"


class Bench:
    """A project with one program, deployed onto recording clients."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.aws = RecordingAws()
        self.heard: list[Progress] = []
        self.config: dict[str, str] = {}
        self.stack_file("config:\n  aws:region: eu-central-1\n")
        (folder / "Pulumi.yaml").write_text("name: toy\nruntime: python\n", encoding="utf-8")

    def stack_file(self, content: str) -> None:
        (self.folder / "Pulumi.localstack.yaml").write_text(content, encoding="utf-8")

    def deploy(self, program: str) -> Deployment:
        path = self.folder / "program.py"
        path.write_text(HEADER + textwrap.dedent(program), encoding="utf-8")
        emulator = _unused_emulator()
        emulator.client = self.aws.client  # type: ignore[method-assign]  # the rest of it is not the engine's business
        return deploy(emulator, program=path, config_overrides=self.config, on_resource=self.heard.append)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_program_becomes_resources_and_outputs(bench: Bench) -> None:
    deployment = bench.deploy(
        f"""
        queue = {QUEUE}
        policy = queue.arn.apply(lambda arn: '{{"for": "' + arn + '"}}')
        aws.sqs.QueuePolicy("policy", queue_url=queue.url, policy=policy)
        pulumi.export("queue_arn", queue.arn)
        pulumi.export("numbers", [1, 2])
        """
    )
    assert bench.aws.parameters("SetQueueAttributes") == {
        "QueueUrl": "http://queue",
        "Attributes": {"Policy": f'{{"for": "{ARN}"}}'},
    }
    assert deployment.outputs == {"queue_arn": ARN, "numbers": "[1, 2]"}
    assert [(resource.type, resource.name, resource.id) for resource in deployment.resources] == [
        ("aws:sqs/queue:Queue", "failures", "http://queue"),
        ("aws:sqs/queuePolicy:QueuePolicy", "policy", "http://queue"),
    ]
    assert [(progress.type, progress.name) for progress in bench.heard] == [
        (resource.type, resource.name) for resource in deployment.resources
    ]
    assert deployment.seconds > 0


def test_the_program_is_main_and_reads_the_stacks_configuration_with_the_overrides(bench: Bench) -> None:
    bench.stack_file("config:\n  aws:region: eu-central-1\n  toy:env: test\n  toy:size: 1\n")
    bench.config = {"size": "2"}
    deployment = bench.deploy(
        """
        assert __name__ == "__main__"
        config = pulumi.Config()
        values = [config.require("env"), config.require_int("size")]
        pulumi.export("all", [pulumi.get_project(), pulumi.get_stack(), *values])
        """
    )
    assert deployment.outputs == {"all": '["toy", "localstack", "test", 2]'}


def test_the_provider_says_where_the_program_runs(bench: Bench) -> None:
    bench.stack_file("config:\n  aws:region: cn-north-1\n")
    deployment = bench.deploy(
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


def test_every_resource_has_its_region_and_all_its_tags(bench: Bench) -> None:
    deployment = bench.deploy(
        """
        queue = aws.sqs.Queue("q", name="q", tags={"Owner": "me"})
        role = aws.iam.Role("r", name="r", assume_role_policy="{}", tags={"Owner": "me"})
        pulumi.export("queue", pulumi.Output.all(queue.region, queue.tags_all))
        pulumi.export("role", role.tags_all)
        """
    )
    assert deployment.outputs == {"queue": '["eu-central-1", {"Owner": "me"}]', "role": '{"Owner": "me"}'}


def test_relative_archives_are_those_of_the_programs_folder(bench: Bench) -> None:
    (bench.folder / "code").mkdir()
    (bench.folder / "code" / "main.py").write_text("", encoding="utf-8")
    bench.deploy(
        """
        aws.lambda_.Function("f", name="f", role="arn:aws:iam::1:role/r", code=pulumi.FileArchive("code"))
        """
    )
    assert bench.aws.parameters("CreateFunction")["Code"]["ZipFile"].startswith(b"PK")


def test_an_unknown_type_is_named_and_nothing_takes_its_place(bench: Bench) -> None:
    with pytest.raises(DeploymentError, match=r"aws:ec2/vpc:Vpc 'net': .*does not know the type aws:ec2/vpc:Vpc"):
        bench.deploy('pulumi.CustomResource("aws:ec2/vpc:Vpc", "net", {"cidrBlock": "10.0.0.0/16"})')
    assert bench.aws.calls == []


def test_an_input_that_is_not_used_is_named_before_anything_is_created(bench: Bench) -> None:
    with pytest.raises(DeploymentError, match=r"aws:s3/bucket:Bucket 'b': .*does not use the inputs acl, website:"):
        bench.deploy('aws.s3.Bucket("b", bucket="b", acl="private", website={"indexDocument": "i"})')
    assert bench.aws.calls == []


def test_a_misspelt_key_deep_in_a_dictionary_is_named(bench: Bench) -> None:
    with pytest.raises(DeploymentError, match=r"does not use the input rules\[0\]\.filter\.prefixx:"):
        bench.deploy(
            """
            rule = {"id": "r", "status": "Enabled", "filter": {"prefixx": "a"}}
            aws.s3.BucketLifecycleConfiguration("l", bucket="b", rules=[rule])
            """
        )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("aws.get_availability_zones()", "does not know the function aws:index/getAvailabilityZones"),
        ('aws.get_region(region="eu-west-1")', r"does not use the arguments of aws:index/getRegion:getRegion: region"),
    ],
)
def test_a_function_that_it_cannot_answer_is_named(call: str, message: str, bench: Bench) -> None:
    with pytest.raises(DeploymentError, match=message):
        bench.deploy(call)


def test_provider_settings_that_would_be_lost_are_named(bench: Bench) -> None:
    bench.stack_file('config:\n  aws:defaultTags: {tags: {a: b}}\n  aws:s3UsePathStyle: "true"\n  aws:regions: x\n')
    with pytest.raises(DeploymentError, match=r"does not use the configuration aws:defaultTags, aws:regions:"):
        bench.deploy(QUEUE)


def test_an_output_without_a_value_is_named(bench: Bench) -> None:
    with pytest.raises(DeploymentError, match=r"exports nothing without a value"):
        bench.deploy(f'{QUEUE}\npulumi.export("nothing", None)')
    assert bench.aws.operations()[-1] == "DeleteQueue"


def test_an_input_made_from_an_attribute_that_does_not_exist_is_an_error(bench: Bench) -> None:
    with pytest.raises(DeploymentError, match=r"QueuePolicy 'p': the input policy is missing: .*has no such output"):
        bench.deploy(f'q = {QUEUE}\naws.sqs.QueuePolicy("p", queue_url=q.url, policy=q.redrive_policy)')


def test_a_failure_names_the_resource_and_what_aws_said_and_cleans_up(bench: Bench) -> None:
    bench.aws = RecordingAws({"PutDashboard": refusal("InvalidParameterInput", "PutDashboard")})
    with pytest.raises(DeploymentError) as failure:
        bench.deploy(
            f"""
            queue = {QUEUE}
            topic = aws.sns.Topic("t", name="t", opts=pulumi.ResourceOptions(depends_on=[queue], protect=True))
            board = aws.cloudwatch.Dashboard("d", dashboard_name="d", dashboard_body=topic.arn)
            aws.sqs.Queue("later", name="later", opts=pulumi.ResourceOptions(depends_on=[board]))
            """
        )
    assert str(failure.value) == (
        "1 resource could not be created:\n"
        "  aws:cloudwatch/dashboard:Dashboard 'd': An error occurred (InvalidParameterInput) when calling the "
        "PutDashboard operation: as the test wishes\n"
        "what had been created was destroyed again (2 resources)"
    )
    assert bench.aws.operations()[-2:] == ["DeleteTopic", "DeleteQueue"]
    assert bench.aws.operations().count("CreateQueue") == 1


def test_a_half_made_resource_is_destroyed_too(bench: Bench) -> None:
    bench.aws = RecordingAws({"PutBucketTagging": refusal("InvalidTag", "PutBucketTagging")})
    with pytest.raises(DeploymentError, match="InvalidTag"):
        bench.deploy('aws.s3.Bucket("b", bucket="b", tags={"a": "b"})')
    assert bench.aws.operations()[-1] == "DeleteBucket"


def test_what_cannot_be_cleaned_up_is_named(bench: Bench) -> None:
    bench.aws = RecordingAws(
        {"PutDashboard": refusal("Invalid", "PutDashboard"), "DeleteQueue": refusal("AccessDenied", "DeleteQueue")}
    )
    with pytest.raises(
        DeploymentError, match=r"but for these, which remain:\n  aws:sqs/queue:Queue 'failures': .*AccessDenied"
    ):
        bench.deploy(f'q = {QUEUE}\naws.cloudwatch.Dashboard("d", dashboard_name="d", dashboard_body=q.arn)')


def test_a_program_that_fails_is_quoted_with_its_own_error(bench: Bench) -> None:
    with pytest.raises(
        DeploymentError, match=r"program\.py failed: ValueError: capacity: 0 is too low\nnothing had"
    ) as failure:
        bench.deploy('raise ValueError("capacity: 0 is too low")')
    assert isinstance(failure.value.__cause__, ValueError)


def test_an_interrupted_deployment_cleans_up_and_stays_interrupted() -> None:
    cleanup_stack, deleted = CleanupStack(), []
    cleanup_stack.add("queue", Removal(delete=lambda: deleted.append("queue")))
    with pytest.raises(KeyboardInterrupt), _rolled_back_on_failure(cleanup_stack, Path("program.py")):
        raise KeyboardInterrupt
    assert deleted == ["queue"]


def test_destroying_deletes_in_reverse_and_makes_sure(bench: Bench) -> None:
    deployment = bench.deploy(f'q = {QUEUE}\naws.sqs.QueuePolicy("p", queue_url=q.url, policy="{{}}")')
    bench.aws.calls.clear()
    gone = refusal("AWS.SimpleQueueService.NonExistentQueue", "GetQueueUrl")
    bench.aws._answers |= {"GetQueueUrl": gone}
    deployment.destroy()
    assert bench.aws.operations() == ["SetQueueAttributes", "DeleteQueue", "GetQueueUrl"]
    deployment.destroy()
    assert len(bench.aws.calls) == 3


def test_protected_resources_refuse_to_go(bench: Bench) -> None:
    deployment = bench.deploy(
        'aws.s3.Bucket("b", bucket="b", opts=pulumi.ResourceOptions(protect=True))\naws.sqs.Queue("q", name="q")'
    )
    bench.aws.calls.clear()
    with pytest.raises(DeploymentError, match=r"protected resources: aws:s3/bucket:Bucket 'b'\. .*protectData false"):
        deployment.destroy()
    assert bench.aws.calls == []


def test_what_the_program_wants_to_keep_is_kept(bench: Bench) -> None:
    bench.deploy('aws.sqs.Queue("q", name="q", opts=pulumi.ResourceOptions(retain_on_delete=True))').destroy()
    assert "DeleteQueue" not in bench.aws.operations()


def test_a_missing_program_is_named(bench: Bench) -> None:
    with pytest.raises(DeploymentError, match=r"the program .*nowhere\.py does not exist"):
        deploy(_unused_emulator(), program=bench.folder / "nowhere.py")


def _unused_emulator() -> Emulator:
    return Emulator(kind="", name="", endpoint="http://127.0.0.1:1", region="us-east-1", reason="", logs=str)
