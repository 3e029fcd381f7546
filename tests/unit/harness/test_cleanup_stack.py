"""Tests of the cleanup stack, which deletes the resources of a deployment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from localstack.deployers.cleanup_stack import DELETION_TIMEOUT, CleanupStack
from localstack.deployers.resources.base import Removal
from localstack.errors import DeploymentError
from tests.support.clock import FakeClock
from tests.support.fakes import client_error


class FakeObjects:
    """Fake AWS resources in one cleanup stack.

    Attributes:
        errors: exception that the deletion of a resource raises, by name.
        delayed: number of checks during which a deleted resource still seems to exist, by name.
        recreated: names of resources that another process creates again after the first deletion.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cleanup_stack = CleanupStack(clock=self.clock, sleep=self.clock.sleep)
        self.existing: list[str] = []
        self.deleted: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.delayed: Counter[str] = Counter()
        self.recreated: set[str] = set()

    def create(self, *names: str, protected: bool = False, locked: bool = False) -> None:
        for name in names:
            self.existing.append(name)
            removal = Removal(
                delete=self._deletion(name, locked=locked),
                exists=partial(self._exists, name),
                unlock=partial(self.deleted.append, f"{name} unlocked") if locked else None,
            )
            self.cleanup_stack.add(name, removal, protected=protected)

    def _deletion(self, name: str, *, locked: bool) -> Callable[[], None]:
        def delete() -> None:
            if locked and f"{name} unlocked" not in self.deleted:
                raise client_error(400, "BucketNotEmpty")
            if name in self.errors:
                raise self.errors[name]
            if name not in self.existing:
                raise client_error(400, "ResourceInUseException")
            self.existing.remove(name)
            self.deleted.append(name)
            if name in self.recreated:
                self.recreated.remove(name)
                self.existing.append(name)

        return delete

    def _exists(self, name: str) -> bool:
        if self.delayed[name] > 0:
            self.delayed[name] -= 1
        elif name not in self.existing:
            raise client_error(400, "ResourceNotFoundException")
        return True


@pytest.fixture
def objects() -> FakeObjects:
    return FakeObjects()


def test_cleanup_stack_stops_at_a_failed_deletion_and_can_be_retried(objects: FakeObjects) -> None:
    objects.create("bucket", "table", "function")
    objects.errors["table"] = client_error(400, "AccessDenied", "DeleteTable")
    with pytest.raises(
        DeploymentError, match=r"could not delete table: .*AccessDenied.*This and 1 older resources still exist"
    ):
        objects.cleanup_stack.destroy()
    assert objects.existing == ["bucket", "table"]
    objects.errors.clear()
    objects.cleanup_stack.destroy()
    assert objects.existing == []


def test_cleanup_stack_waits_until_a_deleted_resource_disappears(objects: FakeObjects) -> None:
    objects.create("queue")
    objects.delayed["queue"] = 3
    objects.cleanup_stack.destroy()
    assert len(objects.clock.sleeps) == 3


def test_cleanup_stack_deletes_a_recreated_resource_again(objects: FakeObjects) -> None:
    objects.create("log group")
    objects.recreated.add("log group")
    objects.cleanup_stack.destroy()
    assert objects.deleted == ["log group", "log group"]
    assert objects.existing == []


def test_cleanup_stack_reports_a_resource_that_still_exists_at_the_timeout(objects: FakeObjects) -> None:
    objects.create("queue", "bucket")
    objects.delayed["queue"] = 1_000_000
    with pytest.raises(DeploymentError, match=r"these resources still exist 60 s after their deletion: queue$"):
        objects.cleanup_stack.destroy()
    assert objects.clock.now == pytest.approx(DELETION_TIMEOUT, abs=0.2)


def test_cleanup_stack_does_not_wait_for_resources_without_an_existence_check(objects: FakeObjects) -> None:
    objects.cleanup_stack.add("policy", Removal(delete=lambda: None))
    objects.cleanup_stack.destroy()
    assert objects.clock.sleeps == []


def test_rollback_deletes_protected_resources_and_continues_after_errors(objects: FakeObjects) -> None:
    objects.create("bucket", protected=True, locked=True)
    objects.create("table", "function")
    objects.errors["table"] = client_error(400, "AccessDenied", "DeleteTable")
    assert objects.cleanup_stack.roll_back() == [f"table: {objects.errors['table']}"]
    assert objects.deleted == ["function", "bucket unlocked", "bucket"]
    assert objects.existing == ["table"]
