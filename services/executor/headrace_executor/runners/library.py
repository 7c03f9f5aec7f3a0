"""The components that a flow version may use: the built-in ones, and published ones at the content of its pins."""

from __future__ import annotations

from collections import OrderedDict

from headrace_core.errors import HeadraceError, NotFound, Problem, Unavailable, ValidationFailed
from headrace_core.expressions import Json
from headrace_core.flow import Flow, normalize_type, parse_descriptor
from headrace_core.manifest import parse_manifest
from headrace_sdk.errors import CancelError, TransientError

from headrace_executor.plan import ComponentEntry, Components, manifest_of, properties_of
from headrace_executor.ports import FlowSource, PublishedComponent
from headrace_executor.retry import CutShort, describe
from headrace_executor.runners.client import Description
from headrace_executor.runners.pool import Key, Runners
from headrace_executor.runners.remote import RemoteComponent, traits_of

MAX_DESCRIPTIONS = 10_000
TRIES = 2


class Library:
    """Keeps `plans.Library`. What a component is never changes with one content, so it is asked once."""

    def __init__(self, builtin: Components, runners: Runners, timeout: float) -> None:
        self._builtin = builtin
        self._runners = runners
        self._timeout = timeout
        self._known: OrderedDict[tuple[str, str], Description] = OrderedDict()

    async def components_for(self, source: FlowSource) -> Components:
        published = [each for each in source.components if self._builtin.find(each.type) is None]
        if not published:
            return self._builtin
        flow = parse_descriptor(source.descriptor)
        entries: list[ComponentEntry] = []
        problems: list[Problem] = []
        for each in published:
            try:
                entries.append(await self._entry(source, flow, each))
            except (TransientError, Unavailable) as error:
                raise Unavailable(f"{each.type} cannot be looked at now: {error}") from error
            except Exception as error:  # of somebody else's component
                problems += _problems(flow, each.type, describe(error))
        if problems:
            raise ValidationFailed(problems)
        return self._builtin.and_also(entries)

    async def component(self, tenant_id: str, published: PublishedComponent) -> ComponentEntry:
        """One component for who calls it by itself. Raises CancelError where it cannot be loaded, Unavailable."""
        found = self._builtin.find(published.type)
        if found is not None:
            return found
        nowhere = FlowSource("", tenant_id, False, 0, "", {}, {})
        return await self._entry(nowhere, parse_descriptor({}), published)

    async def transform(self, entry: ComponentEntry, name: str, value: Json) -> Json:
        """The value as a transform of the component leaves it: by name, or as `./file#name`."""
        component = entry.component
        if isinstance(component, RemoteComponent):
            return await component.transform(name, value)
        # Built-in ones have their transforms by name, whichever file the original keeps them in.
        found = component.transforms.get(name.rpartition("#")[2])
        if found is None:
            said = f"There is no transform {name[:200]!r}."
            raise ValidationFailed([Problem("transform", said, "Name one that the component has.")])
        return found(value)

    async def _entry(self, source: FlowSource, flow: Flow, published: PublishedComponent) -> ComponentEntry:
        if not published.language:
            raise CancelError(
                "It is written in a language of another release, and this one runs Python and JavaScript."
            )
        key = Key(source.tenant_id, published.bundle_id, language=published.language)
        description = await self._describe(key, published.root)
        component = RemoteComponent(self._runners, key, published.root, description, self._timeout)
        entry = ComponentEntry(
            published.type,
            parse_manifest(dict(published.manifest)),
            component,
            traits_of(description, published.bundle_id),
        )
        if description.has_schedule:
            await self._learn_schedules(flow, entry, component, key, published.root)
        return entry

    async def _describe(self, key: Key, root: str) -> Description:
        known = self._known.get((key.bundle_id, root))
        if known is None:
            known = self._known[key.bundle_id, root] = await self._asked(key, root)
            if len(self._known) > MAX_DESCRIPTIONS:
                self._known.popitem(last=False)
        return known

    async def _asked(self, key: Key, root: str) -> Description:
        for _ in range(TRIES - 1):
            try:
                return await self._runners.describe(key, root)
            except CutShort:
                continue  # it may have been a neighbour that ended the process
        try:
            return await self._runners.describe(key, root)
        except CutShort as error:
            raise CancelError(f"Loading it ends the process: {error}") from None
        except NotFound:
            raise CancelError(f"Its bundle {key.bundle_id} is not there any more.") from None

    async def _learn_schedules(
        self, flow: Flow, entry: ComponentEntry, component: RemoteComponent, key: Key, root: str
    ) -> None:
        wanted = normalize_type(entry.type)
        for node in flow.nodes.values():
            if normalize_type(node.type) != wanted:
                continue
            properties = properties_of(node, manifest_of(node, entry.manifest))
            try:
                component.learn_schedule(properties, await self._runners.schedule(key, root, properties))
            except (CancelError, HeadraceError) as error:
                component.learn_schedule(properties, error)


def _problems(flow: Flow, component_type: str, reason: str) -> list[Problem]:
    wanted = normalize_type(component_type)
    return [
        Problem(
            f"flow.{node.id}.type",
            f"{component_type} cannot be loaded: {reason}",
            "Publish a version that can be loaded, and save the flow again.",
            node=node.id,
            field="type",
        )
        for node in flow.nodes.values()
        if normalize_type(node.type) == wanted
    ] or [Problem("flow", f"{component_type} cannot be loaded: {reason}")]
