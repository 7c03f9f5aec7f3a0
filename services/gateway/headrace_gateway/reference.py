"""Pages for people: what this is, and every endpoint. One style sheet, no scripts, nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from itertools import groupby

import orjson

from headrace_gateway.openapi import operation_id
from headrace_gateway.routing import Route

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --dim: #666; --accent: #0b7285; }
@media (prefers-color-scheme: dark) { :root { --dim: #a0a0a0; --accent: #66d9e8; } }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 6rem; }
h1 { font-size: 1.9rem; margin: 0 0 .25rem; } h2 { margin: 2.5rem 0 .75rem; font-size: 1.3rem; }
a { color: var(--accent); } .dim { color: var(--dim); }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 1rem 0; }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .4rem 0; padding: .5rem .8rem; }
summary { cursor: pointer; display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; }
summary b { font: 600 .8rem ui-monospace, monospace; min-width: 3.6rem; color: var(--accent); }
code, pre { font: .875rem/1.45 ui-monospace, monospace; }
pre { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .8rem; }
p code, td code { overflow-wrap: anywhere; } summary code { min-width: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: .925rem; }
td, th { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
h3 { font-size: .95rem; margin: .9rem 0 .25rem; }
"""
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def landing_page(version: str) -> str:
    """The page at the root."""
    return _document(
        "Headrace",
        f"""<h1>Headrace</h1>
<p class="dim">Version {escape(version)}. Flows that survive any crash.</p>
<p>This address speaks the Headrace REST API. The designer is not built here: <code>make ui</code> does that.</p>
<ul>
<li><a href="/docs/api">API reference</a>, also as <a href="/openapi.json">OpenAPI 3.1</a></li>
<li><a href="/health/ready">Is it ready?</a></li>
</ul>
<h2>Sign in</h2>
<p>Trade a name and password for a token, then send the token with every request.</p>
<pre>BASE=http://127.0.0.1:2200   # the address of this page
curl -s $BASE/user/auth -H 'content-type: application/json' \\
  -d '{{"email": "you@example.com", "password": "…"}}'
curl -s $BASE/flows -H 'authorization: Bearer TOKEN'</pre>
<p>The first administrator is made when the platform first starts: its password is
<code>HEADRACE_ADMIN_PASSWORD</code>, or stands once in the start-up message.</p>""",
    )


def reference_page(routes: Sequence[Route]) -> str:
    """Every endpoint, by noun, in the table's order."""
    groups = [(tag, list(members)) for tag, members in groupby(routes, key=lambda route: route.tag)]
    links = "".join(f'<a href="#{_anchor(tag)}">{escape(tag)}</a>' for tag in dict.fromkeys(tag for tag, _ in groups))
    sections = "".join(_section(tag, members) for tag, members in groups)
    return _document(
        "Headrace API",
        f"""<h1>Headrace API</h1>
<p class="dim">JSON over HTTP. Also as <a href="/openapi.json">OpenAPI 3.1</a>.</p>
<p>Sign in with <code>POST /user/auth</code>; send <code>Authorization: Bearer …</code> from then on. Errors have one
shape: <code>{{statusCode, error, message, code, problems?, requestId}}</code>. Webhooks:
<code>ANY /flows/{{flowId}}/components/{{componentId}}</code>.</p>
<nav>{links}</nav>{sections}""",
    )


def _section(tag: str, routes: Sequence[Route]) -> str:
    return f'<h2 id="{_anchor(tag)}">{escape(tag)}</h2>' + "".join(map(_entry, routes))


def _entry(route: Route) -> str:
    parts = [
        f'<details id="{escape(operation_id(route))}"><summary><b>{route.method}</b>'
        f"<code>{escape(route.path)}</code> <span>{escape(route.summary)}</span></summary>",
        f'<p>{escape(route.description)} <span class="dim">For: {escape(route.policy.value)}</span></p>',
    ]
    if route.parameters:
        rows = "".join(
            f"<tr><td><code>{escape(each.name)}</code></td><td>{escape(each.place)}</td>"
            f"<td>{escape(each.description)}{' Required.' if each.required else ''}</td></tr>"
            for each in route.parameters
        )
        parts.append(f"<h3>Parameters</h3><table>{rows}</table>")
    if route.request is not None:
        shown = orjson.dumps(route.request, option=orjson.OPT_INDENT_2).decode()
        parts.append(f"<h3>Body <code>{escape(route.request_media_type)}</code></h3><pre>{escape(shown)}</pre>")
    statuses = [f"<tr><td>{each.status}</td><td>{escape(each.description)}</td></tr>" for each in route.answers]
    failures = ", ".join(str(status) for status in sorted(route.errors))
    if failures:
        statuses.append(f"<tr><td>{failures}</td><td>Errors.</td></tr>")
    parts.append(f"<h3>Answers</h3><table>{''.join(statuses)}</table></details>")
    return "".join(parts)


def _anchor(tag: str) -> str:
    return escape(tag.lower().replace(" ", "-"))


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>"
    )
