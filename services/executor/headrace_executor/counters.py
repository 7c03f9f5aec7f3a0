"""What this executor counted since it started; the metrics read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Plain numbers, changed on the event loop alone."""

    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    committed: int = 0
    settled: int = 0
    claimed: int = 0
    fenced: int = 0
    shipped: int = 0
    log_drops: int = 0
