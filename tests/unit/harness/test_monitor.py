"""Tests of `run_program`, which runs a Pulumi program without Pulumi's engine."""

from __future__ import annotations

import contextlib
import gc
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws
import pytest
from pulumi import Output, ResourceOptions

from localstack.deployers import monitor
from localstack.deployers.monitor import CreationError, Recorded, Run, run_program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi.runtime.proto.resource_pb2 import RegisterResourceRequest, RegisterResourceResponse

    from localstack.deployers.monitor import NewResource

MAX_THREADS = 32
"""Maximum number of threads of a ThreadPoolExecutor by default. https://docs.python.org/3/library/concurrent.futures.html"""


def echo(resource: Recorded) -> tuple[str, dict[str, Any]]:
    """Return a fake resource ID, and the inputs and a fake ARN as outputs."""
    return f"{resource.name}-id", {**resource.inputs, "arn": f"arn:{resource.name}"}


def run(
    program: Callable[[], None], *, new_resource: NewResource = echo, config: Mapping[str, str] | None = None
) -> Run:
    return run_program(
        program,
        project="shop",
        stack="dev",
        config=config or {},
        new_resource=new_resource,
        call=lambda token, args: {"region": "eu-west-1", "token": token, **args},
    )


def by_name(result: Run) -> dict[str, Recorded]:
    return {resource.name: resource for resource in result.resources}


class Shop(pulumi.ComponentResource):
    def __init__(self, name: str) -> None:
        super().__init__("shop:index:Shop", name)
        bucket = aws.s3.Bucket(
            "bucket", bucket="things", tags={"a": "b"}, opts=ResourceOptions(parent=self, protect=True)
        )
        queue = aws.sqs.Queue(
            "queue",
            name=Output.secret("letters"),
            message_retention_seconds=60,
            opts=ResourceOptions(parent=self, ignore_changes=["message_retention_seconds"]),
        )
        aws.s3.BucketVersioning(
            "versioning",
            bucket=bucket.id,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=ResourceOptions(parent=self, depends_on=[queue]),
        )
        self.register_outputs({"bucket_arn": bucket.arn})
        pulumi.export("bucket_arn", bucket.arn)
        pulumi.export("nothing", bucket.hosted_zone_id)


def shop() -> None:
    Shop("shop")


def test_run_program_records_resources_and_outputs_as_plain_data() -> None:
    result = run(shop)
    resources = by_name(result)
    bucket, queue, versioning = resources["bucket"], resources["queue"], resources["versioning"]
    assert bucket.inputs == {"bucket": "things", "tags": {"a": "b"}}
    assert queue.inputs == {"name": "letters", "messageRetentionSeconds": 60}  # The queue name is a Pulumi secret.
    assert type(queue.inputs["messageRetentionSeconds"]) is int
    assert versioning.inputs["bucket"] == "bucket-id"
    assert versioning.dependencies == {bucket.urn, queue.urn}
    assert bucket.dependencies == frozenset()
    assert {each.parent for each in resources.values() if each.custom} == {resources["shop"].urn}
    assert [name for name, each in resources.items() if each.protect] == ["bucket"]
    assert queue.ignore_changes == ("messageRetentionSeconds",)
    assert not resources["shop"].custom
    assert result.outputs == {"bucket_arn": "arn:bucket", "nothing": None}
    assert result.component_outputs == {resources["shop"].urn: {"bucket_arn": "arn:bucket"}}


def test_runs_of_pulumi_programs_share_no_state() -> None:
    first = run(shop, config={"shop:colour": "red"})

    def program() -> None:
        pulumi.export("colour", pulumi.Config("shop").get("colour"))

    second = run(program)
    assert second.resources == ()
    assert second.outputs == {"colour": None}
    assert [each.name for each in first.resources] != []


def test_run_program_leaves_no_threads() -> None:
    before = threading.active_count()
    run(shop)
    assert threading.active_count() == before


def failing() -> None:
    Shop("shop")
    raise LookupError("no such colour")


def failing_in_apply() -> None:
    def check(arn: str) -> None:
        assert arn == "something else"

    aws.sqs.Queue("queue").arn.apply(check)


def creating_twice() -> None:
    aws.sqs.Queue("queue")
    aws.sqs.Queue("queue")


def reading() -> None:
    aws.sqs.Queue.get("queue", "its-id")


def registering_outputs_twice() -> None:
    component = pulumi.ComponentResource("shop:index:Twice", "twice")
    component.register_outputs({})
    component.register_outputs({})


@pytest.mark.parametrize(
    ("program", "error", "message"),
    [
        (failing, LookupError, "no such colour"),
        (failing_in_apply, AssertionError, "something else"),
        (creating_twice, CreationError, "two resources with the URN"),
        (reading, NotImplementedError, "aws:sqs/queue:Queue 'queue'"),
        (registering_outputs_twice, ValueError, "registers its outputs twice"),
    ],
)
def test_run_program_raises_the_error_of_the_program(
    program: Callable[[], None], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(program)


def test_run_program_reports_each_failed_resource() -> None:
    together = threading.Barrier(2, timeout=60)

    def fail(resource: Recorded) -> tuple[str, dict[str, Any]]:
        if resource.name == "versioning":
            return echo(resource)
        together.wait()  # The creations of the bucket and the queue fail at the same time.
        message = f"{resource.name} is out of stock"
        raise RuntimeError(message)

    with pytest.raises(CreationError) as caught:
        run(shop, new_resource=fail)
    assert {resource.name for resource, _ in caught.value.failures} == {"bucket", "queue"}
    assert "aws:s3/bucket:Bucket 'bucket': RuntimeError: bucket is out of stock" in str(caught.value)
    assert "aws:sqs/queue:Queue 'queue': RuntimeError: queue is out of stock" in str(caught.value)
    assert caught.value.__cause__ is caught.value.failures[0][1]


def test_run_program_starts_no_creations_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, failed = threading.Event(), threading.Event()
    created: list[str] = []

    class Monitor(monitor._Monitor):
        def RegisterResource(  # noqa: N802  name of the gRPC service
            self, request: RegisterResourceRequest
        ) -> RegisterResourceResponse:
            response = super().RegisterResource(request)
            if request.name == "fails":
                failed.set()  # The monitor has recorded the failure.
            return response

    def new_resource(resource: Recorded) -> tuple[str, dict[str, Any]]:
        match resource.name:
            case "fails":
                begun.wait(timeout=60)
                message = "no"
                raise RuntimeError(message)
            case "slow":
                begun.set()
                failed.wait(timeout=60)
        created.append(resource.name)
        return echo(resource)

    def program() -> None:
        slow = aws.sqs.Queue("slow")
        failing = aws.sqs.Queue("fails")
        aws.sqs.Queue("after-failing", opts=ResourceOptions(depends_on=[failing]))
        aws.sqs.Queue("after-slow", opts=ResourceOptions(depends_on=[slow]))

    monkeypatch.setattr(monitor, "_Monitor", Monitor)
    with pytest.raises(CreationError) as caught:
        run(program, new_resource=new_resource)
    assert created == ["slow"]
    assert [resource.name for resource, _ in caught.value.failures] == ["fails"]


def test_run_program_waits_for_running_creations_before_it_raises() -> None:
    """A rollback must also delete the resources whose creation had not finished when the program failed."""
    begun, failing, created = threading.Event(), threading.Event(), threading.Event()

    def new_resource(resource: Recorded) -> tuple[str, dict[str, Any]]:
        if resource.name == "slow":
            begun.set()
            failing.wait(timeout=60)
            # Without this delay, the test would pass even if run_program did not wait for the creation.
            threading.Event().wait(0.1)
            created.set()
        return echo(resource)

    def program() -> None:
        def fail(_arn: str) -> None:
            begun.wait(timeout=60)
            failing.set()
            message = "no"
            raise LookupError(message)

        aws.sqs.Queue("slow")
        aws.sqs.Queue("quick").arn.apply(fail)

    with pytest.raises(LookupError):
        run(program, new_resource=new_resource)
    assert created.is_set()


def test_run_program_starts_no_waiting_creations_after_an_error_of_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The program has more resources than threads, so some wait for a thread when the program fails."""
    stopping, started = threading.Event(), list[str]()
    shutdown = ThreadPoolExecutor.shutdown

    def shut_down(executor: ThreadPoolExecutor, *, wait: bool = True, cancel_futures: bool = False) -> None:
        shutdown(executor, wait=False, cancel_futures=cancel_futures)
        stopping.set()  # The running creations end after the shutdown, and their threads could start waiting creations.
        shutdown(executor, wait=wait)

    def new_resource(resource: Recorded) -> tuple[str, dict[str, Any]]:
        started.append(resource.name)
        if resource.name != "quick":
            stopping.wait(timeout=60)
        return echo(resource)

    def program() -> None:
        def interrupt(_arn: str) -> None:
            raise KeyboardInterrupt

        aws.sqs.Queue("quick").arn.apply(interrupt)
        for number in range(2 * MAX_THREADS):
            aws.sqs.Queue(f"queue-{number}")

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shut_down)
    with pytest.raises(KeyboardInterrupt):
        run(program, new_resource=new_resource)
    assert "quick" in started
    assert len(started) <= 1 + MAX_THREADS  # The thread of the first creation can start another one.


def test_run_program_does_not_log_errors_of_the_program(log_text: io.StringIO) -> None:
    def program() -> None:
        aws.sqs.Queue.get("queue", "its-id")
        aws.sqs.Queue("other").arn.apply(lambda _arn: 1 / 0)

    # asyncio logs an unretrieved exception only when its task is deleted. Therefore the test must keep no reference to
    # the task. pytest.raises would keep one, and Pulumi keeps one until the next run.
    with contextlib.suppress(NotImplementedError, ZeroDivisionError):
        run(program)
    run(lambda: None)
    gc.collect()
    assert log_text.getvalue() == ""
