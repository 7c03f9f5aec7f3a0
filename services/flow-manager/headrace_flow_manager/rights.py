"""Components that rules withhold: the one place where rules, people, groups, flows and the catalog meet.

A flow that runs though its owner may not use a component of it is stopped. Who changes rules or roles wakes the round
that looks for such flows; every process looks again by itself, so that whoever dies in between only makes it later.
"""

import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from headrace_core import Json
from headrace_core.access import ADMIN, Rule, allows_component, group_role
from headrace_core.errors import Forbidden, HeadraceError, NotFound, Problem

from headrace_flow_manager.catalog.service import Catalog, CatalogService
from headrace_flow_manager.flows.lifecycle import Lifecycle
from headrace_flow_manager.flows.store import FlowDirectory
from headrace_flow_manager.groups.store import GroupStore
from headrace_flow_manager.people.store import PeopleStore
from headrace_flow_manager.settings.access import AccessRules, Withheld, check_rules

log = logging.getLogger(__name__)

LOOK_AGAIN: Final = timedelta(seconds=60)
"""How long a flow runs on at most whose owner lost a right while whoever took it away died."""

MOST_SHOWN: Final = 1_000
_AT_ONCE: Final = 100
_COMPONENTS: Final = "components"


class ComponentRights:
    """Keeps `flows.store.Rights` by the rules and the roles there are now."""

    def __init__(self, access: AccessRules, people: PeopleStore, groups: GroupStore, catalog: CatalogService) -> None:
        self._access = access
        self._people = people
        self._groups = groups
        self._catalog = catalog

    async def rules(self) -> Sequence[Rule]:
        """The rules about components."""
        return await self._access.get(_COMPONENTS)

    async def catalog(self) -> Catalog:
        """Every component there is now."""
        return await self._catalog.now()

    async def roles(self, user_id: str) -> Collection[str]:
        """The roles of a user. Somebody there is not has an administrator's: their flows are being removed."""
        try:
            scopes = (await self._people.get(user_id)).scopes
        except NotFound:
            return (ADMIN,)
        return (*scopes, *map(group_role, await self._groups.of_user(user_id)))

    async def check(self, user_id: str, component_type: str) -> None:
        """Raise Forbidden where the rules do not let this user use the component."""
        rules = await self.rules()
        if rules and not allows_component(
            rules,
            await self.roles(user_id),
            component_type,
            is_private=(await self._catalog.now()).is_private(component_type),
        ):
            said = f"The rules of this installation do not let you use {component_type[:200]}."
            raise Forbidden(said)

    async def problems(self, tenant: str, descriptor: Mapping[str, Json]) -> Sequence[Problem]:
        rules = await self.rules()
        if not rules:
            return []
        withheld = set(_withheld(rules, await self.roles(tenant), descriptor, await self._catalog.now()))
        return [
            Problem(
                f"flow.{node_id}",
                f"The rules of this installation do not let the owner of this flow use {name[:200]}.",
                "Take it out, or ask an administrator.",
                node=node_id,
            )
            for node_id, node in descriptor.items()
            if (name := _type_of(node)) in withheld
        ]


class Withdrawal:
    """Stops flows whose owners lost a right, and tells beforehand which those would be."""

    def __init__(self, rights: ComponentRights, directory: FlowDirectory, lifecycle: Lifecycle) -> None:
        self._rights = rights
        self._directory = directory
        self._lifecycle = lifecycle

    async def round(self) -> bool:
        """Stop every such flow. One that cannot be stopped now is stopped in the next round."""
        rules = await self._rights.rules()
        async for each in self._running(rules):
            await self._stop(each)
        return False

    async def preview(self, rules: Sequence[Rule]) -> tuple[Sequence[Withheld], bool]:
        """The flows that these rules would stop, some at most, and whether there are more. Raises ValidationFailed."""
        check_rules(_COMPONENTS, rules)
        found: list[Withheld] = []
        async for each in self._running(rules):
            if len(found) == MOST_SHOWN:
                return found, True
            found.append(each)
        return found, False

    async def _running(self, rules: Sequence[Rule]) -> AsyncIterator[Withheld]:
        """The running flows that hold what the rules withhold from their owners."""
        after, known = "", dict[str, Collection[str]]()
        while rules and (page := await self._directory.active(after, _AT_ONCE)):
            catalog = await self._rights.catalog()
            for flow in page:
                if flow.tenant_id not in known:
                    known[flow.tenant_id] = await self._rights.roles(flow.tenant_id)
                components = _withheld(rules, known[flow.tenant_id], flow.descriptor, catalog)
                if components:
                    yield Withheld(flow.flow_id, flow.tenant_id, flow.name, components)
            after = page[-1].flow_id

    async def _stop(self, withheld: Withheld) -> None:
        flow_id, names = withheld.flow_id, ", ".join(withheld.components)[:1_000]
        said = f"It was stopped: the rules of this installation do not let its owner use {names}."
        find = partial(self._directory.find, flow_id)
        try:
            await self._lifecycle.stop(flow_id, find, error=said)
        except NotFound:
            return  # its owner was quicker
        except HeadraceError as error:
            log.warning("flow %s is stopped later, though its owner may not use %s: %s", flow_id, names, error)
            return
        log.info("flow %s is stopped: its owner may not use %s", flow_id, names)


def _withheld(
    rules: Sequence[Rule], roles: Collection[str], descriptor: Mapping[str, Json], catalog: Catalog
) -> Sequence[str]:
    """The components in a descriptor that these roles may not use, by name."""
    names = {name for node in descriptor.values() if (name := _type_of(node))}
    return sorted(
        name for name in names if not allows_component(rules, roles, name, is_private=catalog.is_private(name))
    )


def _type_of(node: Json) -> str:
    found = node.get("type") if isinstance(node, dict) else None
    return found if isinstance(found, str) else ""
