"""Flows that wait for accounts: which steps have none, and what they take along.

Such a flow says so in `needsAccounts`. Whoever asks here gets the same answer: a rollout that brings steps, an account
that is assigned, an owner who saves or starts the flow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed

from headrace_flow_manager.flows import needs, record
from headrace_flow_manager.flows.model import Flow
from headrace_flow_manager.flows.needs import FlowAccounts, Need, Settled
from headrace_flow_manager.flows.store import FlowStore


class Waiting:
    """Knows what flows wait for."""

    def __init__(self, store: FlowStore, accounts: FlowAccounts) -> None:
        self._store = store
        self._accounts = accounts

    async def settled(self, flow: Flow, descriptor: Mapping[str, Json]) -> Settled:
        """What the steps of a flow act with once it follows the descriptor; those that run already stay."""
        standing: frozenset[str] = frozenset()
        if flow.is_active:
            running = await self._store.version(flow.tenant_id, flow.flow_id, flow.running_version)
            standing = needs.of_one_kind(running.descriptor, descriptor)
        return needs.settled(await self._accounts.needs(replace(flow, descriptor=dict(descriptor))), standing)

    async def take_along(self, flow: Flow, descriptor: Mapping[str, Json]) -> Settled:
        """The same, with the accounts that are there assigned to the steps that come."""
        found = await self.settled(flow, descriptor)
        for node_id, account_id in found.accounts.items():
            await self._accounts.hand_over(flow.tenant_id, flow.flow_id, node_id, account_id)
        return found

    async def problems(self, flow: Flow) -> Sequence[Problem]:
        """The steps of a flow that waits for accounts which are still missing, each with what to do."""
        if not flow.needs_accounts:
            return ()
        return [_problem(flow, each) for each in (await self.settled(flow, flow.descriptor)).lacking]

    async def fit_to_start(self, flow: Flow) -> Flow:
        """The flow, which waits no more when all accounts are there. Raises ValidationFailed while one is missing."""
        if not flow.needs_accounts:
            return flow
        lacking = (await self.take_along(flow, flow.descriptor)).lacking
        if lacking:
            raise ValidationFailed([_problem(flow, each) for each in lacking])
        return replace(flow, record=record.parse_changes({}).waiting_for(()).applied(flow.record))


def _problem(flow: Flow, need: Need) -> Problem:
    node = flow.descriptor[need.node_id]
    label = node.get("label") if isinstance(node, dict) else None
    return Problem(
        f"flow.{need.node_id}",
        f"{label or need.node_id} waits for an account of {need.service}.",
        f"Connect one and assign it: PUT /auth/component/{need.node_id}/{{accountId}}?flowId={flow.flow_id}.",
        node=need.node_id,
        field="config.auth.accountId",
    )
