"""Pages that a component shows to people: small, without scripts, every word escaped.

The gateway puts answers of flows into a sandbox: they run no script, load nothing, and send forms to this installation
only.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from headrace_core import Json
from headrace_sdk import Context, JsonObject
from headrace_sdk.reading import as_object

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; background: #f4f6f8; margin: 0 }
main { max-width: 34rem; margin: 3rem auto; padding: 2rem; background: #fff; border-radius: 8px }
h1 { font-size: 1.4rem; margin: 0 0 1rem }
label { display: block; margin: 1rem 0 }
label span { display: block; font-weight: 600 }
small { color: #52606d }
input:not([type=checkbox]):not([type=color]) { width: 100%; box-sizing: border-box; padding: .5rem; font: inherit }
button { padding: .6rem 1.4rem; margin: 1rem .5rem 0 0; font: inherit; border-radius: 6px; border: 1px solid #2f6f8f }
button.first { background: #2f6f8f; color: #fff }
p.said { white-space: pre-wrap }
"""
FORM = '<form method="post" action="?">'
"""A form that is sent to where its page came from, whatever that is called from outside, without the page's query."""

_END_OF_STYLE = re.compile(r"</\s*style", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came to the webhook of a node."""

    method: str
    query: JsonObject
    data: JsonObject

    @property
    def is_read(self) -> bool:
        return self.method in ("GET", "HEAD")


def asked(content: Json) -> Asked:
    """The request in what arrived on port "webhook"."""
    given = as_object(content)
    parts = {name: part if isinstance(part, dict) else {} for name in ("query", "data") for part in (given.get(name),)}
    return Asked(str(given.get("method") or "GET").upper(), parts["query"], parts["data"])


def words(text: str) -> str:
    """The text as part of a page, between tags or within an attribute in double quotes."""
    return html.escape(text, quote=True)


async def show(context: Context, title: str, inside: str, *, status: int = 200, style: str = "") -> None:
    """Answer with a page. `inside` is HTML whose words were escaped; `style` is CSS that comes after our own."""
    added = _END_OF_STYLE.sub("", style)
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f"<title>{words(title)}</title><style>{STYLE}{added}</style></head>\n"
        f"<body><main><h1>{words(title)}</h1>\n{inside}\n</main></body></html>\n"
    )
    await context.response(page, status, HEADERS)


async def say(context: Context, title: str, text: str, *, status: int = 200, style: str = "") -> None:
    """Answer with a page of words."""
    await show(context, title, f'<p class="said">{words(text)}</p>', status=status, style=style)
