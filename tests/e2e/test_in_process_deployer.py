"""The in-process deployer with an emulator: reported errors, cleanup after failures, and destruction of stacks."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.deploy import Stopwatch
from localstack.deployers import in_process
from localstack.deployers.deploy import deploy
from localstack.deployers.deployment import Deployment
from localstack.emulators.emulator import start
from localstack.errors import DeploymentError
from tests.e2e.account_snapshot import snapshot
from tests.support.index import Clients

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator

pytestmark = pytest.mark.only_engine("in-process")

DeployProgram = Callable[[str], Deployment]

HEADER = "import json\nimport pulumi\nimport pulumi_aws as aws\n"


@pytest.fixture
def _account_unchanged(clients: Clients) -> Iterator[None]:
    """Assert that a test does not change the set of resources in the account."""
    before = snapshot(clients)
    yield
    assert snapshot(clients) == before


@pytest.fixture
def toy(emulator: Emulator, tmp_path: Path, _account_unchanged: None) -> DeployProgram:
    """Function that deploys a small Pulumi program to the emulator of the session."""
    return _deployer(emulator, tmp_path)


def test_failed_deployment_reports_the_resource_and_is_cleaned_up(toy: DeployProgram) -> None:
    with pytest.raises(DeploymentError) as failure:
        toy(
            """
            bucket = aws.s3.Bucket("bucket", bucket="toy-half-made")
            protected = pulumi.ResourceOptions(depends_on=[bucket], protect=True)
            table = aws.dynamodb.Table(
                "table", name="toy-half-made", hash_key="id", billing_mode="PAY_PER_REQUEST",
                attributes=[aws.dynamodb.TableAttributeArgs(name="id", type="S")],
                deletion_protection_enabled=True, opts=protected,
            )
            aws.lambda_.Permission(
                "permission", function=table.name, action="lambda:InvokeFunction", principal="s3.amazonaws.com"
            )
            """
        )
    message = str(failure.value)
    assert "aws:lambda/permission:Permission 'permission': An error occurred (ResourceNotFoundException)" in message
    assert "the created resources were destroyed (2 resources)" in message


def test_destroy_without_force_keeps_a_bucket_that_has_objects(toy: DeployProgram, clients: Clients) -> None:
    deployment = toy('aws.s3.Bucket("bucket", bucket="toy-kept")\naws.sqs.Queue("queue", name="toy-kept")')
    clients.s3.put_object(Bucket="toy-kept", Key="precious")
    with pytest.raises(DeploymentError, match=r"could not delete aws:s3/bucket:Bucket 'bucket': .*BucketNotEmpty"):
        deployment.destroy()
    assert clients.s3.head_object(Bucket="toy-kept", Key="precious")["ContentLength"] == 0
    clients.s3.delete_object(Bucket="toy-kept", Key="precious")
    deployment.destroy()


def test_destroy_ignores_resources_that_were_already_deleted(toy: DeployProgram, clients: Clients) -> None:
    deployment = toy(
        """
        bucket = aws.s3.Bucket("bucket", bucket="toy-by-hand", force_destroy=True)
        aws.s3.BucketVersioning("v", bucket=bucket.bucket, versioning_configuration={"status": "Enabled"})
        queue = aws.sqs.Queue("queue", name="toy-by-hand")
        policy = json.dumps({"Version": "2012-10-17", "Statement": []})
        aws.sqs.QueuePolicy("policy", queue_url=queue.url, policy=policy)
        aws.cloudwatch.LogGroup("group", name="toy-by-hand")
        """
    )
    clients.s3.delete_bucket(Bucket="toy-by-hand")
    clients.sqs.delete_queue(QueueUrl=clients.sqs.get_queue_url(QueueName="toy-by-hand")["QueueUrl"])
    clients.logs.delete_log_group(logGroupName="toy-by-hand")
    deployment.destroy()


def test_emulated_function_does_not_inherit_the_shell_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test starts a separate emulator, whose environment contains secrets."""
    shell = ("AWS_PROFILE", "AWS_ENDPOINT_URL", "HTTPS_PROXY", "MY_SECRET", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    for name in shell:
        monkeypatch.setenv(name, "/leaked")
    with start("embedded") as own:
        deployment = _deployer(own, tmp_path)(
            """
            trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                     "Principal": {"Service": "lambda.amazonaws.com"}}]}
            role = aws.iam.Role("role", name="toy", assume_role_policy=json.dumps(trust))
            source = "import os\\ndef handler(event, context):\\n    return dict(os.environ)\\n"
            function = aws.lambda_.Function(
                "function", name="toy", role=role.arn, runtime="python3.13", handler="main.handler",
                code=pulumi.AssetArchive({"main.py": pulumi.StringAsset(source)}),
                environment={"variables": {"MINE": "yes"}},
            )
            pulumi.export("function", function.name)
            """
        )
        response = Clients.of(own).function.invoke(FunctionName=deployment.outputs["function"])
        environment = json.load(response["Payload"])
        deployment.destroy()
    assert environment["MINE"] == "yes"
    assert environment["AWS_ENDPOINT_URL"] == own.endpoint
    assert [name for name, value in environment.items() if "/leaked" in value] == []


def test_in_process_deployer_reports_every_phase_and_resource(emulator: Emulator, tmp_path: Path) -> None:
    _write(
        tmp_path,
        """
        role = aws.iam.Role("role", name="toy", assume_role_policy="{}")
        aws.lambda_.Function(
            "function", name="toy", role=role.arn, runtime="python3.13", handler="main.handler",
            code=pulumi.AssetArchive({"main.py": pulumi.StringAsset("")}),
        )
        """,
    )
    watch, resources = Stopwatch(), list[str]()
    in_process.deploy(
        emulator,
        stack="localstack",
        config_overrides={},
        program=tmp_path / "toy.py",
        on_resource=lambda progress: resources.append(progress.name),
        phases=watch,
    ).destroy()
    assert resources == ["role", "function"]
    assert watch.seconds.keys() == {"program", "packaging", "waiting"}


def _deployer(emulator: Emulator, folder: Path) -> DeployProgram:
    return lambda program: deploy(emulator, deployer="in-process", program=_write(folder, program))


def _write(folder: Path, program: str) -> Path:
    (folder / "Pulumi.yaml").write_text("name: toy\nruntime: python\nmain: toy.py\n", encoding="utf-8")
    (folder / "Pulumi.localstack.yaml").write_text("config:\n  aws:region: us-east-1\n", encoding="utf-8")
    path = folder / "toy.py"
    path.write_text(HEADER + textwrap.dedent(program), encoding="utf-8")
    return path
