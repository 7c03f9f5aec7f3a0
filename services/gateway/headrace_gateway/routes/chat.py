"""The page on which people talk to a flow, and the stream of its answers.

What they write goes to the webhook of the flow's chat trigger, like any event. Answers are kept by the component that
gives them; the stream tells those of one thread, whose id only its page knows, from the first one on.
"""

import asyncio
import base64
import contextlib
import html
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from hashlib import sha256
from typing import Final

from headrace_core import Json, errors
from headrace_core.flow import normalize_type
from starlette.responses import Response

from headrace_gateway.call import Call
from headrace_gateway.clients.executions import StaticCall
from headrace_gateway.errors import one_problem
from headrace_gateway.identity import Scope
from headrace_gateway.routing import Answer, Parameter, Policy, Route
from headrace_gateway.schemas import TEXT

TRIGGER: Final = "headrace.utils.chat.ChatTrigger"
ANSWERS: Final = "headrace.utils.chat.ChatSendMessage"
LOOK_AGAIN_SECONDS: Final = 20.0
"""After which a stream looks for answers that it may not have heard of."""

HISTORY_WITHIN: Final = 10.0

_ID: Final = re.compile(r"[\w-]{16,64}", re.ASCII)
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)

_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;margin:0;display:flex;flex-direction:column;height:100vh;color:#1f2933;
background:#f4f6f8}
header{display:flex;gap:.75rem;align-items:center;padding:.75rem 1rem;background:#fff;border-bottom:1px solid #d9e2ec}
header img{width:2.25rem;height:2.25rem;border-radius:50%;object-fit:cover}
h1{font-size:1rem;margin:0}
main{flex:1;overflow-y:auto;padding:1rem;display:flex;flex-direction:column;gap:.5rem}
p{margin:0;padding:.5rem .75rem;border-radius:12px;max-width:80%;white-space:pre-wrap;overflow-wrap:anywhere;
background:#fff;align-self:flex-start}
p.own{align-self:flex-end;background:var(--colour,#2f6f8f);color:#fff}
p.failed{align-self:center;background:none;color:#b42318}
form{display:flex;gap:.5rem;padding:.75rem;background:#fff;border-top:1px solid #d9e2ec}
textarea{flex:1;font:inherit;padding:.5rem;resize:none;border:1px solid #9fb3c8;border-radius:8px}
button{font:inherit;padding:0 1.25rem;border:0;border-radius:8px;background:var(--colour,#2f6f8f);color:#fff}
header,main,form{padding-inline:max(1rem,calc((100% - 48rem)/2))}
@media(prefers-color-scheme:dark){body{background:#16202a;color:#e4eaf0}
header,form,p,textarea{background:#22303d;color:inherit;border-color:#3b4d5e}
p.own{background:var(--colour,#2f6f8f);color:#fff}p.failed{background:none;color:#ff9c8f}}
"""

_SCRIPT: Final = """
'use strict';
const {flow, node, colour, root} = document.body.dataset;
const list = document.querySelector('main'), form = document.querySelector('form'), text = form.elements.content;
if (colour) document.body.style.setProperty('--colour', colour);
const fresh = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, '0')).join('');
const kept = (store, name) => { const key = `chat/${flow}/${node}/${name}`;
  try { if (!store.getItem(key)) store.setItem(key, fresh()); return store.getItem(key); } catch { return fresh(); } };
const threadId = kept(localStorage, 'thread'), sessionId = kept(sessionStorage, 'session');
const jwtToken = new URLSearchParams(location.hash.slice(1)).get('jwt') ?? undefined;
const shown = new Set(), mine = `chat/${flow}/${node}/${threadId}`;
const own = () => { try { return JSON.parse(localStorage.getItem(mine)) ?? []; } catch { return []; } };
const keep = said => { try { localStorage.setItem(mine, JSON.stringify([...own(), said].slice(-200))); } catch {} };
const show = (content, kind, at = new Date().toISOString()) => { const line = document.createElement('p');
  line.textContent = content; line.dataset.at = at; if (kind) line.className = kind;
  list.insertBefore(line, [...list.children].find(each => each.dataset.at > at) ?? null);
  list.lastElementChild.scrollIntoView(); };
for (const said of own()) show(said.content, 'own', said.at);
const stream = new EventSource(`${root}/chat/${flow}/${node}/stream?threadId=${threadId}`);
stream.addEventListener('message', event => { const said = JSON.parse(event.data);
  if (!shown.has(said.messageId)) { shown.add(said.messageId); show(said.content, '', said.at); } });
const send = async () => { const content = text.value.trim(), messageId = fresh();
  if (!content) return;
  const at = new Date().toISOString();
  text.value = ''; show(content, 'own', at); keep({content, at});
  try {
    const answer = await fetch(`${root}/flows/${flow}/components/${node}`, {method: 'POST',
      headers: {'Content-Type': 'application/json', 'Idempotency-Key': messageId},
      body: JSON.stringify({sessionId, threadId, messageId, content, jwtToken})});
    if (!answer.ok) show((await answer.json()).error ?? `Not sent: ${answer.status}`, 'failed');
  } catch { show('Not sent: there is no connection.', 'failed'); } };
form.addEventListener('submit', event => { event.preventDefault(); send(); });
text.addEventListener('keydown', event => {
  if (event.key === 'Enter' && !event.shiftKey) { event.preventDefault(); send(); } });
"""


def _digest(text: str) -> str:
    return base64.b64encode(sha256(text.encode()).digest()).decode()


_POLICY: Final = (
    f"default-src 'none'; script-src 'sha256-{_digest(_SCRIPT)}'; style-src 'sha256-{_digest(_STYLE)}'; "
    "connect-src 'self'; img-src https:; base-uri 'none'; form-action 'none'; frame-ancestors https: http:"
)


async def chat_page(call: Call) -> Response:
    _, properties = await _trigger(call)
    page = _page(call, properties)
    headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
    return Response(page, headers=headers, media_type="text/html; charset=utf-8")


async def chat_stream(call: Call) -> Response:
    tenant, _ = await _trigger(call)
    thread = call.text("threadId")
    if not _ID.fullmatch(thread):
        raise one_problem("threadId", "It is an id that a chat page made: 16 to 64 letters and digits.")
    if call.request.method == "HEAD":
        return Response(media_type="text/event-stream")
    told = _told(call, Scope(tenant, tenant), call.value("flowId"), thread)
    return call.gateway.live.open(f"chat of {call.address}", [("message", told)])


async def _trigger(call: Call) -> tuple[str, dict[str, Json]]:
    """Whose flow it is, and the properties of its chat trigger. Raises NotFound."""
    tenant, nodes = await call.clients.flows.running(call.value("flowId"))
    node = nodes.get(call.value("componentId"))
    if not isinstance(node, dict) or normalize_type(str(node.get("type"))) != TRIGGER:
        raise errors.NotFound("chat", call.value("componentId")[:100])
    config = node.get("config")
    properties = config.get("properties") if isinstance(config, dict) else None
    return tenant, properties if isinstance(properties, dict) else {}


async def _told(
    call: Call, scope: Scope, flow_id: str, thread: str
) -> AsyncGenerator[tuple[list[dict[str, Json]], int], None]:
    """The answers of the thread, those from before first, each once."""
    known: set[str] = set()
    async with aclosing(call.clients.executions.watch(scope, flow_id)) as happenings:
        heard = asyncio.create_task(anext(happenings))
        try:
            while True:
                fresh = [
                    each for each in await _history(call, scope, thread) if str(each.get("messageId")) not in known
                ]
                known.update(str(each.get("messageId")) for each in fresh)
                yield fresh, 0
                is_ours = False
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                        while not is_ours:
                            items, dropped = await asyncio.shield(heard)
                            heard = asyncio.create_task(anext(happenings))
                            is_ours = bool(dropped) or any(each.get("componentType") == ANSWERS for each in items)
        except StopAsyncIteration:
            return
        finally:
            heard.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration, errors.HeadraceError):
                await heard


async def _history(call: Call, scope: Scope, thread: str) -> list[dict[str, Json]]:
    asked = StaticCall(ANSWERS, "out", {}, {"historyOf": thread}, "", "", "")
    found = await call.clients.executions.call_component(scope, asked, HISTORY_WITHIN)
    messages = found.get("messages") if isinstance(found, dict) else None
    return [each for each in messages if isinstance(each, dict)] if isinstance(messages, list) else []


def _page(call: Call, properties: dict[str, Json]) -> str:
    name, greeting = str(properties.get("agentName") or "Chat"), str(properties.get("agentMessage") or "")
    avatar, colour = str(properties.get("agentAvatar") or ""), str(properties.get("chatTheme") or "")
    data = {
        "flow": call.value("flowId"),
        "node": call.value("componentId"),
        "colour": colour if _COLOUR.fullmatch(colour) else "",
        "root": call.request.scope.get("root_path", ""),
    }
    attributes = " ".join(f'data-{key}="{html.escape(str(value))}"' for key, value in data.items())
    picture = f'<img src="{html.escape(avatar)}" alt="">' if avatar.startswith("https://") else ""
    first = f"<p>{html.escape(greeting or 'Write a message to begin.')}</p>"
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    return (
        f'<!doctype html><html lang="en"><head>{head}<title>{html.escape(name)}</title><style>{_STYLE}</style></head>'
        f"<body {attributes}><header>{picture}<h1>{html.escape(name)}</h1></header>"
        f'<main aria-live="polite">{first}</main>'
        '<form><textarea name="content" rows="2" maxlength="20000" aria-label="Message" placeholder="Write a message"'
        f" required></textarea><button>Send</button></form><script>{_SCRIPT}</script></body></html>"
    )


ROUTES = (
    Route(
        method="GET",
        path="/chat/{flowId}/{componentId}",
        handler=chat_page,
        policy=Policy.PUBLIC,
        tag="Chat",
        summary="Open the page on which people talk to a flow",
        description="It is there while the flow runs. `#jwt=…` in its address is sent along with each message.",
        answers=(Answer(200, "The page.", TEXT, "text/html"),),
        errors=(404,),
    ),
    Route(
        method="GET",
        path="/chat/{flowId}/{componentId}/stream",
        handler=chat_stream,
        policy=Policy.PUBLIC,
        tag="Chat",
        summary="Follow the answers of one conversation",
        description="Server-sent events, `message` with {messageId, content, at}; those from before come first.",
        parameters=(Parameter("threadId", "The conversation, as its page made it.", TEXT, required=True),),
        answers=(Answer(200, "The stream.", TEXT, "text/event-stream"),),
        errors=(400, 404, 429),
    ),
)
