"""What a tenant's flows are made of: how many run, and which apps they use."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from headrace_core import Json
from headrace_core.flow import normalize_type

from headrace_flow_manager.flows.model import Flow, Stage
from headrace_flow_manager.flows.store import FlowStore
from headrace_flow_manager.query import Condition, ListQuery, SortKey

AT_ONCE = 100

Apps = Callable[[str], Awaitable[Collection[str]]]
"""The ids of the apps that the catalog lists for a tenant."""


@dataclass(frozen=True, slots=True)
class Use:
    """Apps are named as the catalog lists them, else by vendor and service; each once, in order."""

    running_flows: int
    running_apps: Sequence[str]
    used_apps: Sequence[str]


class FlowUse:
    """Looks through the flows of a tenant."""

    def __init__(self, store: FlowStore, apps: Apps) -> None:
        self._store = store
        self._apps = apps

    async def of(self, tenant: str) -> Use:
        """What the flows use: those that run, by the version they run; all of them, by the one that is edited."""
        apps = frozenset(await self._apps(tenant))
        running_flows, after = 0, ""
        running: set[str] = set()
        used: set[str] = set()
        while flows := await self._page(tenant, after):
            for flow in flows:
                used.update(_apps_of(flow.descriptor, apps))
                if flow.stage is Stage.RUNNING:
                    running_flows += 1
                    running.update(_apps_of(await self._running_descriptor(tenant, flow), apps))
            after = flows[-1].flow_id
        return Use(running_flows, sorted(running), sorted(used | running))

    async def _page(self, tenant: str, after: str) -> Sequence[Flow]:
        later = (Condition("flowId", "greater", after),) if after else ()
        return (await self._store.page(tenant, ListQuery(later, sort=(SortKey("flowId"),), limit=AT_ONCE))).items

    async def _running_descriptor(self, tenant: str, flow: Flow) -> Mapping[str, Json]:
        if flow.running_version in (0, flow.version):
            return flow.descriptor
        return (await self._store.version(tenant, flow.flow_id, flow.running_version)).descriptor


def _apps_of(descriptor: Mapping[str, Json], apps: Collection[str]) -> Iterator[str]:
    for node in descriptor.values():
        kind = node.get("type") if isinstance(node, dict) else None
        if isinstance(kind, str) and kind:
            yield _app_of(normalize_type(kind), apps)


def _app_of(kind: str, apps: Collection[str]) -> str:
    parts = kind.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 1, -1))
    return next((name for name in names if name in apps), ".".join(parts[:2]))
