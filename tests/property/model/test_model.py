"""Nothing lost, nothing doubled, whatever fails and in whatever order things arrive."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.model.machine import Histories

STEPS = 40

# Each part runs as many histories as the profile says: parts, so that several workers share the work.
PARTS = {"RoughOne": False, "RoughTwo": False, "CalmOne": True, "CalmTwo": True}


@pytest.mark.parametrize("part", PARTS)
def test_every_version_ends_as_its_one_right_row_or_as_a_message(part: str, request: pytest.FixtureRequest) -> None:
    tally: Counter[str] = Counter()
    # the class's name is what tells the parts apart where Hypothesis works without randomness
    histories = type(part, (Histories,), {"tally": tally, "few_faults": PARTS[part]})
    run_state_machine_as_test(histories, settings=settings(stateful_step_count=STEPS))
    request.node.user_properties.append(("histories", dict(tally)))
    assert tally["histories"] > 0
