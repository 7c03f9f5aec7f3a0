"""A round of a test: from Before All to After All, over however many runs it takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headrace_sdk import Context, JsonObject, State
from headrace_sdk.reading import as_instant, as_object, iso

_KEY = "test round"


@dataclass(frozen=True, slots=True)
class Round:
    """The round that is on, and where a node keeps what belongs to it."""

    id: str
    started: datetime | None
    state: State


async def begin(context: Context, round_id: str) -> None:
    """Begin a round; what the one before collected no longer counts."""
    begun: JsonObject = {"runId": round_id, "started": iso(context.now)}
    await context.flow_state.set(_KEY, begun)


async def current(context: Context) -> Round:
    """The round that Before All began last. Without a Before All every run is a round of its own."""
    begun = as_object(await context.flow_state.get(_KEY))
    if not begun:
        return Round(context.run_id, None, context.run_state)
    return Round(str(begun["runId"]), as_instant(begun["started"]), context.state)


async def forget_others(test: Round) -> None:
    """Drop what the node kept for rounds before this one. Its keys end in the id of their round."""
    for key in await test.state.all():
        if not key.endswith(test.id):
            await test.state.unset(key)
