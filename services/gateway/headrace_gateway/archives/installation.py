"""Brings back what is set for a user or, by an administrator, for the installation; secrets among it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from headrace_core import Json
from headrace_core.expressions import default_modifiers

from headrace_gateway.access import Rule
from headrace_gateway.archives import layout
from headrace_gateway.archives.verdicts import Decision, differing
from headrace_gateway.archives.work import Work, an_object
from headrace_gateway.clients.people import UserChanges
from headrace_gateway.identity import Scope


async def bring_settings(work: Work) -> None:
    """What the user's host keeps at the user."""
    people, tenant = work.clients.people, work.tenant
    async for _, given in work.archive.lines("settings"):
        changes = UserChanges(metadata=an_object(given["metadata"]))
        decision = _against(work, "settings", tenant, (await people.get(tenant))["metadata"] or None, changes.metadata)
        await work.do(decision, lambda: people.update(tenant, changes))  # noqa: B023 # awaited before the next


async def bring(work: Work) -> None:
    """Modifiers, access rules and origins."""
    settings, scope = work.clients.settings, work.scope
    async for what, given in work.archive.lines(layout.INSTALLATION):
        if what == "modifiers":
            await _bring_modifiers(work, an_object(given["document"]))
        elif what == "rules":
            kind, rules = str(given["type"]), _rules(given["rules"])
            decision = _against(work, what, kind, await settings.rules(kind) or None, rules)
            await _installed(work, decision, lambda: settings.put_rules(scope, kind, rules))  # noqa: B023 # as above
        else:
            vendor, origins = str(given["vendor"]), _texts(given["origins"])
            decision = _against(work, what, vendor, (await settings.origins()).get(vendor), origins)
            await _installed(work, decision, lambda: settings.put_origins(scope, vendor, origins))  # noqa: B023 # as above


async def bring_secrets(work: Work) -> None:
    """What the pass phrase opened; without one it is left out, and that is said."""
    if work.secrets is None:
        if work.archive.manifest.secrets is not None or work.archive.manifest.secrets_left_out:
            work.report.secrets = "leftOut"
        return
    settings, scope = work.clients.settings, work.scope
    work.report.secrets = "imported" if work.terms.is_admin else "leftOut"
    services = {str(now["serviceId"]): now for now in await _known(work, settings.services)}
    keys = {str(now["key"]): now for now in await _known(work, settings.config)}
    for each in work.secrets:
        if "service" in each:
            document = an_object(each["service"])
            service_id = str(document.get("serviceId", ""))
            decision = _against(work, "service", service_id, services.get(service_id), document)
            await _installed(work, decision, lambda: settings.put_service(scope, service_id, document))  # noqa: B023
        elif "config" in each:
            item = an_object(each["config"])
            key, value = str(item.get("key", "")), item.get("value")
            decision = _against(work, "config", key, keys.get(key), {"key": key, "value": value})
            await _installed(work, decision, lambda: settings.put_config(scope, key, value))  # noqa: B023


async def _bring_modifiers(work: Work, document: dict[str, Json]) -> None:
    modifiers, now = work.clients.modifiers, await work.clients.modifiers.get()
    decision = _against(work, "modifiers", "", None if now == default_modifiers() != document else now, document)
    await _installed(work, decision, lambda: modifiers.put(work.scope, document))


async def _known(work: Work, ask: Callable[[Scope], Awaitable[list[dict[str, Json]]]]) -> list[dict[str, Json]]:
    return await ask(work.scope) if work.terms.is_admin else []


def _against(work: Work, kind: str, item_id: str, now: object, given: object) -> Decision:
    """What becomes of something that is never copied: it is made, is there already, or is set otherwise."""
    decision = Decision(kind, item_id, "created", item_id)
    if now == given or (now is None and not given):
        return replace(decision, verdict="unchanged")
    if now is None:
        return decision
    return differing(work.terms.on_conflict, decision, "It is set otherwise here.")


async def _installed(work: Work, decision: Decision, write: Callable[[], Awaitable[object]]) -> None:
    if not work.terms.is_admin:
        decision = replace(decision, verdict="leftOut", why="It is the installation's, for administrators to import.")
    await work.do(decision, write)


def _texts(value: Json) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _rules(value: Json) -> list[Rule]:
    given = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    return [
        Rule(
            str(each.get("role", "")),
            str(each.get("resource", "")),
            tuple(_texts(each.get("action"))),
            tuple(_texts(each.get("attributes"))),
        )
        for each in given
    ]
