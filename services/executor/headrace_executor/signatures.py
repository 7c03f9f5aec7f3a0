"""Webhooks that believe only who signs: a node says by which scheme, and which account has the secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from headrace_core.clock import Clock
from headrace_core.webhook_signatures import SERVICE, refusal, verify

from headrace_executor.plan import Plan
from headrace_executor.ports import Accounts
from headrace_executor.service import Event

WEBHOOK = "webhook"


class Signatures:
    """Keeps `service.Doorkeeper`. What a node asks for and cannot be had is a refusal, never an open door."""

    def __init__(self, accounts: Accounts, clock: Clock, *, believes_all: bool = False) -> None:
        """`believes_all` breaks it on purpose, for the chaos tests."""
        self._accounts = accounts
        self._clock = clock
        self._believes_all = believes_all

    async def admit(self, plan: Plan, event: Event) -> Event:
        node = plan.nodes.get(event.node_id)
        auth = None if node is None else node.node.config.auth
        if event.port != WEBHOOK or not isinstance(auth, Mapping) or "scheme" not in auth:
            return event
        scheme = str(auth["scheme"])
        if self._believes_all:
            return event
        if event.signed is None:
            raise refusal()
        found = await self._accounts.credentials(
            plan.tenant_id, plan.flow_id, event.node_id, SERVICE, str(auth.get("accountId") or "")
        )
        secret = (found.auth or {}).get("secret")
        signed_id = verify(scheme, secret if isinstance(secret, str) else "", event.signed, self._clock.now())
        # Only what is signed tells events apart: other ids in the same request can be anybody's.
        return replace(event, event_id=f"{scheme}:{signed_id}")
