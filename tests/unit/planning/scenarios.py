"""Small questions whose answers are known without a simulation."""

from __future__ import annotations

from typing import Any

from operations.planning.scenario import Latencies, StackSettings

OWN_MS, HEAD_MS, WRITE_MS, DELIVERY_MS = 10, 30, 8, 700
SERVICE_MS = OWN_MS + HEAD_MS + WRITE_MS

# Nothing varies, and nothing is ever started cold: what is left is arithmetic.
EXACT = Latencies(
    delivery=(DELIVERY_MS, DELIVERY_MS),
    head=(HEAD_MS, HEAD_MS),
    write=(WRITE_MS, WRITE_MS),
    init=(0, 0),
    cpu_ms=OWN_MS,
)


def settings(**changed: Any) -> StackSettings:
    return StackSettings(**{"latencies": EXACT, "memory_mb": 1769, **changed})
