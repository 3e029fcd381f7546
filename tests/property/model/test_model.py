"""Model test of the indexer: with random faults and event orders, no version is lost or reported twice."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.model.machine import Histories

STEPS = 40

# The model test has several parts, which pytest workers can run in parallel. Each part runs as many histories as the
# Hypothesis profile defines. The dictionary contains the value of `Histories.few_faults` for each part.
PARTS = {"RoughOne": False, "RoughTwo": False, "CalmOne": True, "CalmTwo": True}


@pytest.mark.parametrize("part", PARTS)
def test_every_version_in_a_history_has_a_correct_row_or_failure_message(
    part: str, request: pytest.FixtureRequest
) -> None:
    tally: Counter[str] = Counter()
    # Without randomness, Hypothesis derives the examples from the class name, so each part has its own class.
    histories = type(part, (Histories,), {"tally": tally, "few_faults": PARTS[part]})
    run_state_machine_as_test(histories, settings=settings(stateful_step_count=STEPS))
    request.node.user_properties.append(("histories", dict(tally)))
    assert tally["histories"] > 0
