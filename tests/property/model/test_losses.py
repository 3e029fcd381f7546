"""Model test of a lost table: after the recovery, the rows equal the bucket and no recorded deletion is missing."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.model.losses import Losses
from tests.property.model.restoring import restore
from tests.property.model.stack import ModelStack

STEPS = 40
EXAMPLES_PER_LOSS = 25
"""Number of examples of the Hypothesis profile for each loss: in the profile `nightly`, each part runs 100 losses."""
MIN_LOSSES = 5

# The test has two parts, which pytest workers can run in parallel. The values are those of `Histories.few_faults`.
PARTS = {"RoughLosses": False, "CalmLosses": True}


@pytest.mark.parametrize("part", PARTS)
def test_recovered_table_equals_the_bucket_and_has_every_recorded_deletion(
    part: str, request: pytest.FixtureRequest
) -> None:
    losses = max(MIN_LOSSES, settings().max_examples // EXAMPLES_PER_LOSS)
    tally: Counter[str] = Counter()
    # Without randomness, Hypothesis derives the examples from the class name, so each part has its own class.
    histories = type(part, (Losses,), {"tally": tally, "few_faults": PARTS[part]})
    run_state_machine_as_test(histories, settings=settings(stateful_step_count=STEPS, max_examples=losses))
    request.node.user_properties.append(("losses", dict(tally)))
    assert tally["losses"] == tally["histories"] > 0


def test_audit_records_the_deletion_of_a_version_whose_deletion_event_was_lost_after_the_backup() -> None:
    """The restored row is live. No event about the deletion exists, so only the audit can find it."""
    stack = ModelStack(suspended=False, unnamed=())
    stack.bucket.upload("a.txt")
    stack.deliver_all()
    [(address, backup)] = stack.dynamodb.rows.items()
    stack.dynamodb.rows.clear()
    stack.delivery.connected = False
    [version] = stack.bucket.versions["a.txt"]
    stack.bucket.delete_version(version)
    report = restore({address: backup}, stack.dynamodb, clock=stack.clock, now=stack.now().timestamp())
    assert (report.copied, stack.dynamodb.rows) == (1, {address: backup})
    assert stack.audit() == 1
    stack.deliver_all()
    [row] = stack.rows().values()
    assert (row["deleted_by"], row["uploaded_at"]) == ("tapstack:audit", backup["uploaded_at"]["S"])
    assert stack.audit() == 0
