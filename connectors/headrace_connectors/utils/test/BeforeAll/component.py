"""A test begins."""

import uuid
from datetime import UTC, datetime, timedelta

from headrace_sdk import Component, Context

from headrace_connectors.utils.test import rounds

_NAMESPACE = uuid.UUID("0f2f4c66-6f5a-5b1c-8d0e-2b1c9a4f7e21")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BeforeAll(Component):
    """Begins a round and sends its id. A step that is repeated begins the same round."""

    async def receive(self, context: Context) -> None:
        round_id = str(uuid.uuid5(_NAMESPACE, context.idempotency_key))
        await rounds.begin(context, round_id)
        now = (context.now - _EPOCH) // timedelta(milliseconds=1)
        await context.send_json({"now": now, "runId": round_id})
