"""The in-process engine against a real emulator: honest about what it cannot do, and tidy when something fails."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.deploy import Stopwatch
from localstack.deployers import in_process
from localstack.deployers.deploy import deploy
from localstack.deployers.deployment import Deployment
from localstack.emulators.emulator import start
from localstack.errors import DeploymentError
from tests.e2e.inventory import everything
from tests.support.index import Clients

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator

pytestmark = pytest.mark.only_engine("in-process")

Deploy = Callable[[str], Deployment]

HEADER = "import json\nimport pulumi\nimport pulumi_aws as aws\n"


@pytest.fixture
def toy(emulator: Emulator, tmp_path: Path) -> Deploy:
    """Deploys small programs to the emulator that the big one lives in."""
    return _deploys_to(emulator, tmp_path)


def test_unused_inputs_and_unknown_types_are_named_and_leave_nothing_behind(toy: Deploy, clients: Clients) -> None:
    before = everything(clients)
    with pytest.raises(DeploymentError) as failure:
        toy(
            """
            queue = aws.sqs.Queue("first", name="toy-first")
            wait = pulumi.ResourceOptions(depends_on=[queue])
            aws.s3.Bucket("site", bucket="toy-site", website={"indexDocument": "index.html"}, opts=wait)
            """
        )
    assert "aws:s3/bucket:Bucket 'site': the in-process engine does not use the input website" in str(failure.value)
    assert "destroyed again (1 resources)" in str(failure.value)
    with pytest.raises(DeploymentError, match="does not know the type aws:appautoscaling/target:Target"):
        toy(
            """
            aws.appautoscaling.Target(
                "t", max_capacity=2, min_capacity=1, resource_id="table/t", service_namespace="dynamodb",
                scalable_dimension="dynamodb:table:ReadCapacityUnits",
            )
            """
        )
    assert everything(clients) == before


def test_what_aws_refuses_is_reported_with_the_resource_and_cleaned_up_after(toy: Deploy, clients: Clients) -> None:
    before = everything(clients)
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
    assert "what had been created was destroyed again (2 resources)" in message
    assert everything(clients) == before


def test_a_bucket_that_may_not_be_forced_keeps_its_objects_until_they_are_gone(toy: Deploy, clients: Clients) -> None:
    before = everything(clients)
    deployment = toy('aws.s3.Bucket("bucket", bucket="toy-kept")\naws.sqs.Queue("queue", name="toy-kept")')
    clients.s3.put_object(Bucket="toy-kept", Key="precious")
    with pytest.raises(DeploymentError, match=r"could not delete aws:s3/bucket:Bucket 'bucket': .*BucketNotEmpty"):
        deployment.destroy()
    assert clients.s3.head_object(Bucket="toy-kept", Key="precious")["ContentLength"] == 0
    clients.s3.delete_object(Bucket="toy-kept", Key="precious")
    deployment.destroy()
    assert everything(clients) == before


def test_what_was_already_deleted_by_hand_does_not_stop_a_destroy(toy: Deploy, clients: Clients) -> None:
    before = everything(clients)
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
    assert everything(clients) == before


def test_a_function_sees_nothing_of_the_users_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an emulator of its own, started from a shell that has much to give away."""
    for name in (
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
        "HTTPS_PROXY",
        "MY_SECRET",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPATH",
    ):
        monkeypatch.setenv(name, "/leaked")
    with start("embedded") as own:
        deployment = _deploys_to(own, tmp_path)(
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
        answer = Clients.of(own).function.invoke(FunctionName=deployment.outputs["function"])
        seen = json.load(answer["Payload"])
        deployment.destroy()
    assert seen["MINE"] == "yes"
    assert seen["AWS_ENDPOINT_URL"] == own.endpoint
    assert [name for name, value in seen.items() if "/leaked" in value] == []


def test_whoever_measures_hears_of_every_phase(emulator: Emulator, tmp_path: Path) -> None:
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


def _deploys_to(emulator: Emulator, folder: Path) -> Deploy:
    return lambda program: deploy(emulator, deployer="in-process", program=_write(folder, program))


def _write(folder: Path, program: str) -> Path:
    (folder / "Pulumi.yaml").write_text("name: toy\nruntime: python\nmain: toy.py\n", encoding="utf-8")
    (folder / "Pulumi.localstack.yaml").write_text("config:\n  aws:region: us-east-1\n", encoding="utf-8")
    path = folder / "toy.py"
    path.write_text(HEADER + textwrap.dedent(program), encoding="utf-8")
    return path
