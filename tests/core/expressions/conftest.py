"""An environment for expressions, the same in every test."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest
from headrace_core import Json
from headrace_core.expressions import DEFAULT_LIMITS, MISSING, Environment, FlowValues, Limits, Missing

Outputs = Mapping[tuple[str, str], Json]
MakeEnvironment = Callable[..., Environment]


class Scope:
    """A scope over a plain mapping."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    def lookup(self, node_id: str, port: str) -> "Json | Missing":
        return self._outputs.get((node_id, port), MISSING)


@pytest.fixture
def environment() -> MakeEnvironment:
    def make(
        outputs: Outputs | None = None,
        *,
        content: Json = None,
        seed: bytes = b"step-1",
        limits: Limits = DEFAULT_LIMITS,
    ) -> Environment:
        flow = FlowValues("flow-1", "Orders", "user-1", "https://example.test/hook", {"team": "red"})
        now = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
        return Environment(Scope(outputs or {}), content, flow, now, seed, limits)

    return make
