"""More ways on which an executor calls an address that somebody chose: of accounts, and of webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from headrace_executor.runners.pool import Key

from tests.chaos.confined import NODE, Confined, Language
from tests.executor.platform import webhook

AT_ONCE = 16
FOLDER = "acme/keys"
MEMBERS = ("requestAccessToken", "refreshAccessToken", "requestProfileInfo", "validateAccessToken", "fetched")

Seen = dict[str, str]

PYTHON = """
type = "oauth2"


async def fetched(context):
    return (await context.http.get(context["place"])).raise_for_status().text


definition = {
    "requestAccessToken": "{{place}}",
    "refreshAccessToken": "{{place}}",
    "requestProfileInfo": "{{place}}",
    "validateAccessToken": {"method": "GET", "url": "{{place}}"},
    "fetched": fetched,
}
"""
JAVASCRIPT = """
module.exports = {
    type: 'oauth2',
    definition: {
        requestAccessToken: '{{place}}',
        refreshAccessToken: '{{place}}',
        requestProfileInfo: '{{place}}',
        validateAccessToken: { method: 'GET', url: '{{place}}' },
        fetched: async (context) => (await context.httpRequest.get(context.place)).data
    }
};
"""
FILES: Mapping[Language, tuple[str, str]] = {"python": ("auth.py", PYTHON), "javascript": ("auth.js", JAVASCRIPT)}


async def accounts(here: Confined, language: Language, urls: Sequence[str]) -> Seen:
    """What accounts are opened, renewed and looked at with: each member of an auth module at each address."""
    file, code = FILES[language]
    content = here.shelf.put({f"{FOLDER}/{file}": code})
    key, runners = Key("t", content, language=language), here.here.app.runners

    async def call(url: str) -> Seen:
        seen = {}
        for member in MEMBERS:
            try:
                await runners.call_auth(key, FOLDER, member, {"place": url, "accessToken": "a", "refreshToken": "r"})
                seen[f"{member} {url}"] = "200"
            except Exception as error:  # as the module's call fails
                seen[f"{member} {url}"] = type(error).__name__
        return seen

    return await _all(call, urls)


async def webhooks(here: Confined, urls: Sequence[str]) -> Seen:
    """What a flow tells others: by sending to their webhooks, and by handing out its own."""
    variables = {"url": {"v": {"variable": "$.hook.request.data"}}}
    filled = {"type": "json2new", "modifiers": variables, "lambda": {"url": "{{{v}}}"}}
    post = {
        "type": "appmixer.utils.http.Post",
        "source": {"in": {"hook": ["request"]}},
        "config": {"transform": {"in": {"hook": {"request": filled}}}},
    }
    here.flows.put("out", {"hook": webhook(), NODE: post})

    async def call(url: str) -> Seen:
        sent = await _outcome(here, "out", "hook", "webhook", {"method": "POST", "data": url})
        flow_id = f"register {url}"
        properties = {"onStartRequestUrl": url, "onStartRequestMethod": "POST"}
        node = {"type": "appmixer.utils.http.DynamicWebhook", "source": {}, "config": {"properties": properties}}
        here.flows.put(flow_id, {NODE: node})
        registered = await _outcome(here, flow_id, NODE, "@start", None)
        return {f"webhook {url}": sent, f"registration {url}": registered}

    return await _all(call, urls)


async def _outcome(here: Confined, flow_id: str, node: str, port: str, content: Any) -> str:
    run_id, _ = await here.here.send(flow_id, node, content, port=port)
    detail = await here.here.rest(run_id, within=60)
    own = next(step for step in detail.steps if step.node_id == NODE)
    return str((own.error or {}).get("name", "")) or "200"


async def _all(call: Callable[[str], Awaitable[Seen]], urls: Sequence[str]) -> Seen:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(url: str) -> Seen:
        async with room:
            return await call(url)

    found: Seen = {}
    for seen in await asyncio.gather(*map(one, urls)):
        found |= seen
    return found
