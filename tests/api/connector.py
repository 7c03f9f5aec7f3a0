"""A connector whose components act with accounts of a service of the tests, in Python and in JavaScript."""

from __future__ import annotations

import io
import json
import textwrap
import zipfile
from collections.abc import Mapping
from typing import Any

ICON = "data:image/png;base64,AA=="
VENDOR = "vault"
"""Whose connectors these are; a server mode that tests share keeps them."""

WORK = """
import base64

from headrace_sdk import Component, Context
from headrace_sdk.errors import HttpStatusError

class Work(Component):
    async def receive(self, context: Context) -> None:
        auth = context.auth
        context.log({{"used": auth, "config": context.config}})
        answer = await context.http.request(
            "GET", "{url}/work", params={{"n": str(context.content["n"])}}, headers={headers}
        )
        if answer.status >= 400:
            raise HttpStatusError(answer.status, f"refused {{auth}}")
        shown = auth.get("accessToken") or auth.get("apiKey")
        await context.send_json({{"done": answer.json()["done"], "with": shown}})
"""

BEARER = '{"Authorization": "Bearer " + str(auth["accessToken"])}'
X_KEY = '{"X-Key": str(auth["apiKey"])}'
BASIC = '{"Authorization": "Basic " + base64.b64encode((auth["username"] + ":" + auth["password"]).encode()).decode()}'

AUTH: Mapping[str, str] = {
    "key": """
type = "apiKey"
definition = {{
    "auth": {{"apiKey": {{"type": "text", "name": "API key", "tooltip": "Yours."}}}},
    "validate": {{"method": "GET", "url": "{url}/me", "headers": {{"X-Key": "{{{{apiKey}}}}"}}}},
    "requestProfileInfo": {{"method": "GET", "url": "{url}/me", "headers": {{"X-Key": "{{{{apiKey}}}}"}}}},
    "accountNameFromProfileInfo": "name",
}}
""",
    "pwd": """
import base64
type = "pwd"

async def validate(context):
    shown = base64.b64encode(f"{{context['username']}}:{{context['password']}}".encode()).decode()
    answer = await context.http.request("GET", "{url}/me", headers={{"Authorization": "Basic " + shown}})
    return answer.status == 200

definition = {{"validate": validate, "accountNameFromProfileInfo": lambda context: context["username"]}}
""",
    "oauth": """
type = "oauth2"
definition = {{
    "scope": ["read"],
    "scopeDelimiter": " ",
    "authUrl": "{url}/authorize",
    "requestAccessToken": "{url}/token",
    "refreshAccessToken": "{url}/token",
    "validateAccessToken": "{url}/me",
    "requestProfileInfo": "{url}/me",
    "accountNameFromProfileInfo": "email",
}}
""",
    "old": """
type = "oauth"
definition = {{
    "requestRequestToken": "{url}/oauth1/request",
    "authUrl": "{url}/oauth1/authorize",
    "requestAccessToken": "{url}/oauth1/access",
    "requestProfileInfo": "{url}/me",
    "accountNameFromProfileInfo": "email",
}}
""",
}


JS_WORK = """
module.exports = {{
    async receive(context) {{
        const {{ data }} = await context.httpRequest({{
            url: '{url}/work', params: {{ n: context.messages.in.content.n }}, headers: {headers}
        }});
        await context.sendJson({{ done: data.done, with: context.auth.accessToken || context.auth.apiKey }}, 'out');
    }}
}};
"""
JS_HEADERS = {
    "jskey": "{ 'X-Key': context.auth.apiKey }",
    "jsoauth": "{ Authorization: `Bearer ${context.auth.accessToken}` }",
}
JS_AUTH: Mapping[str, str] = {
    "jskey": """
module.exports = {{
    type: 'apiKey',
    definition: {{
        auth: {{ apiKey: {{ type: 'text', name: 'API key' }} }},
        validate: {{ url: '{url}/me', headers: {{ 'X-Key': '{{{{apiKey}}}}' }} }},
        requestProfileInfo: {{ url: '{url}/me', headers: {{ 'X-Key': '{{{{apiKey}}}}' }} }},
        accountNameFromProfileInfo: 'name'
    }}
}};
""",
    "jsoauth": """
module.exports = {{
    type: 'oauth2',
    definition: () => ({{
        scope: ['read'],
        scopeDelimiter: ' ',
        authUrl: '{url}/authorize',
        requestAccessToken: '{url}/token',
        refreshAccessToken: '{url}/token',
        async requestProfileInfo(context) {{
            const headers = {{ Authorization: `Bearer ${{context.accessToken}}` }};
            return (await context.httpRequest.get('{url}/me', {{ headers }})).data;
        }},
        accountNameFromProfileInfo: (context) => context.profileInfo.email
    }})
}};
""",
}

HEADERS: Mapping[str, str] = {"key": X_KEY, "pwd": BASIC, "oauth": BEARER, "old": "{}"}


def connector(kind: str, url: str) -> bytes:
    """The archive of `vault.<kind>`, whose component `vault.<kind>.core.Work` acts with an account of that kind."""
    return packed(service(kind, AUTH[kind].format(url=url), WORK.format(url=url, headers=HEADERS[kind])))


def javascript(kind: str, url: str) -> bytes:
    """The same in JavaScript, for the kinds of JS_AUTH."""
    files = service(kind, "", "", ["work"] if kind == "jsoauth" else [])
    del files[f"{VENDOR}/{kind}/auth.py"], files[f"{VENDOR}/{kind}/core/Work/component.py"]
    files[f"{VENDOR}/{kind}/auth.js"] = JS_AUTH[kind].format(url=url)
    files[f"{VENDOR}/{kind}/core/Work/Work.js"] = JS_WORK.format(url=url, headers=JS_HEADERS[kind])
    return packed(files)


def service(kind: str, auth: str, work: str, scope: list[str] | None = None) -> dict[str, str]:
    """The files of one service with one component."""
    name = f"{VENDOR}.{kind}.core.Work"
    need: dict[str, Any] = {"service": f"{VENDOR}:{kind}", "scope": scope or (["work"] if kind == "oauth" else [])}
    described = {
        "name": name,
        "icon": ICON,
        "auth": need,
        "inPorts": ["in"],
        "outPorts": ["out"],
        "effect": "idempotent",
    }
    told = {"name": f"{VENDOR}.{kind}", "label": kind, "category": "applications", "icon": ICON, "description": kind}
    root = f"{VENDOR}/{kind}"
    return {
        f"{root}/service.json": json.dumps(told),
        f"{root}/bundle.json": json.dumps({"name": f"{VENDOR}.{kind}", "version": "1.0.0"}),
        f"{root}/auth.py": textwrap.dedent(auth),
        f"{root}/core/Work/component.json": json.dumps(described),
        f"{root}/core/Work/component.py": textwrap.dedent(work),
    }


def packed(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def flow(kind: str, hook: str = "hook") -> dict[str, Any]:
    """A webhook whose `n` the component works with."""
    n = {"variable": f"$.{hook}.request.data.n", "functions": []}
    transform = {"type": "json2new", "modifiers": {"n": {"v": n}}, "lambda": {"n": "{{{v}}}"}}
    return {
        hook: {
            "type": "appmixer.utils.http.WebhookTrigger",
            "x": 0,
            "y": 0,
            "source": {},
            "config": {"properties": {"immediateResponse": True}},
        },
        "work": {
            "type": f"{VENDOR}.{kind}.core.Work",
            "x": 0,
            "y": 0,
            "source": {"in": {hook: ["request"]}},
            "config": {"transform": {"in": {hook: {"request": transform}}}},
        },
    }
