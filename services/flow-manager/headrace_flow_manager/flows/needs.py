"""The accounts that the steps of an instance need once it follows a new version, and those it has for them.

A step that comes with the version takes the account that the other steps of its service act with. Where there is none,
somebody has to connect one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from headrace_core import Json

from headrace_flow_manager.flows.model import Flow


@dataclass(frozen=True, slots=True)
class Need:
    """A step that acts with an account of this service; `account_id` is "" while it has none."""

    node_id: str
    service: str
    account_id: str


class FlowAccounts(Protocol):
    """The accounts of flows."""

    async def needs(self, flow: Flow) -> Sequence[Need]:
        """The steps of the flow, as its descriptor says here, that act with accounts."""
        ...

    async def hand_over(self, tenant: str, flow_id: str, node_id: str, account_id: str) -> None:
        """Let the step use the account, which another step of the flow uses already."""
        ...


@dataclass(frozen=True, slots=True)
class Settled:
    """Accounts for steps that come, by step, and the steps that have none to act with."""

    accounts: Mapping[str, str]
    lacking: tuple[Need, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The services of which an account is missing, each once."""
        return tuple(dict.fromkeys(each.service for each in self.lacking))


def settled(needs: Sequence[Need], standing: Collection[str]) -> Settled:
    """What the steps that are not `standing` act with. Of several accounts of a service none is guessed."""
    accounts: dict[str, str] = {}
    lacking: list[Need] = []
    for need in needs:
        if need.account_id or need.node_id in standing:
            continue
        held = {each.account_id for each in needs if each.service == need.service and each.account_id}
        if len(held) == 1:
            accounts[need.node_id] = held.pop()
        else:
            lacking.append(need)
    return Settled(accounts, tuple(lacking))


def of_one_kind(before: Mapping[str, Json], after: Mapping[str, Json]) -> frozenset[str]:
    """The steps of both descriptors that have the same type in both."""
    return frozenset(node_id for node_id, node in after.items() if _type_of(before.get(node_id)) == _type_of(node))


def _type_of(node: Json) -> Json:
    return node.get("type") if isinstance(node, dict) else None
