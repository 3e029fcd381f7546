"""Model test of a lost table: after the recovery, the rows equal the bucket and no recorded deletion is missing."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.model.losses import Losses

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
