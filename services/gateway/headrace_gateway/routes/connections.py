"""Connecting an account in a browser: a ticket, a page of ours, the service's pages, and back.

The first page says whose account it becomes and asks: who was lured to it would else give an account away. The one that
comes last tells the window that opened it, as the original's does, and holds nothing that others could use. A cookie of
the ticket, for these addresses alone, binds the way there to the way back.
"""

import base64
import html
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from headrace_core import Json, errors
from starlette.responses import Response

from headrace_gateway.call import Call, answer
from headrace_gateway.clients.accounts import Entered
from headrace_gateway.routes.accounts import FLOW_ID
from headrace_gateway.routing import Answer, Parameter, Policy, Route
from headrace_gateway.schemas import MOMENT, TEXT, YES_NO, an_object

COOKIE: Final = "headrace_connection"
SECONDS: Final = 900
MAX_FIELDS: Final = 100

_SCRIPT: Final = (
    "const {message, ticket} = document.body.dataset;"
    "if (window.opener) { window.opener.postMessage(message + '.' + ticket, '*'); window.close(); }"
)
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:4rem auto;padding:0 1rem}"
    "label{display:block;margin:1rem 0 .25rem}input,select{font:inherit;width:100%;padding:.4rem;box-sizing:border-box}"
    "button{font:inherit;margin-top:1.5rem;padding:.4rem 1.2rem}small{display:block;color:#555}"
)


def _digest(text: str) -> str:
    return base64.b64encode(sha256(text.encode()).digest()).decode()


_POLICY: Final = (
    f"default-src 'none'; script-src 'sha256-{_digest(_SCRIPT)}'; style-src 'sha256-{_digest(_STYLE)}'; "
    "form-action 'self' https: http:; frame-ancestors 'none'; base-uri 'none'"
)


async def open_ticket(call: Call) -> Response:
    return answer({"ticket": await call.clients.accounts.open_ticket(call.scope)})


async def get_ticket(call: Call) -> Response:
    return answer(await call.clients.accounts.ticket(call.scope, call.value("ticket")))


async def begin(call: Call) -> Response:
    url = await call.clients.accounts.begin(
        call.scope,
        call.value("ticket"),
        call.value("componentType"),
        base_url=_base(call),
        flow_id=call.text("flowId"),
        node_id=call.text("componentId"),
        account_id=call.text("accountId"),
    )
    return answer({"authUrl": url})


async def enter(call: Call) -> Response:
    entered = await call.clients.accounts.enter(call.text("key"), call.value("service"))
    response = _page(_form(entered))
    response.set_cookie(
        _cookie_of(entered.ticket),
        entered.browser_key,
        max_age=SECONDS,
        path=f"{urlsplit(_base(call)).path}/auth",
        secure=_base(call).startswith("https:"),
        httponly=True,
        samesite="lax",
    )
    return response


async def fill(call: Call) -> Response:
    ticket = call.text("ticket")
    if call.request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise errors.Forbidden("This form is filled on its own page alone. Open it again from where you began.")
    text = (await call.body()).decode("utf-8", "replace")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise errors.BadRequest(f"The form has more than {MAX_FIELDS} fields.") from None
    fields: dict[str, Json] = dict(pairs)
    try:
        url, error = await call.clients.accounts.fill(ticket, _browser_key(call, ticket), fields)
    except errors.Unauthenticated as refused:
        return _ending("", refused.message, status=401)
    except errors.Conflict as refused:
        return _ending(ticket, refused.message, status=409)
    return _redirect(url) if url else _ending(ticket, error)


async def finish(call: Call) -> Response:
    parameters: dict[str, Json] = {name: values[-1] for name, values in call.parameters.items()}
    browser_key = _browser_key(call, call.text("state").rpartition("~")[0])
    try:
        ticket, error = await call.clients.accounts.finish(call.value("service"), parameters, browser_key)
    except errors.Unauthenticated as refused:
        return _ending("", refused.message, status=401)
    return _ending(ticket, error)


def _base(call: Call) -> str:
    """Where callers reach the API."""
    own = f"{call.request.url.scheme}://{call.request.url.netloc}"
    return call.settings.public_url.rstrip("/") or own


def _cookie_of(ticket: str) -> str:
    """Connections of one browser do not disturb each other."""
    return f"{COOKIE}_{sha256(ticket.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _browser_key(call: Call, ticket: str) -> str:
    return call.request.cookies.get(_cookie_of(ticket), "")


def _redirect(url: str) -> Response:
    return Response(status_code=302, headers={"Location": url, "Referrer-Policy": "no-referrer"})


def _ending(ticket: str, error: str, status: int = 200) -> Response:
    """The page that tells the window that opened it."""
    message = f"appmixer.auth.{'failure' if error else 'success'}"
    words = f"The account was not connected: {error}" if error else "The account is connected. You may close this page."
    body = (
        f'<body data-message="{message}" data-ticket="{html.escape(ticket)}">'
        f"<p>{html.escape(words)}</p><script>{_SCRIPT}</script></body>"
    )
    response = _page(body, status)
    return response


def _page(body: str, status: int = 200) -> Response:
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Account</title>'
    text = f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head>{body}</html>'
    headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
    return Response(text, status, headers=headers, media_type="text/html; charset=utf-8")


def _form(page: Entered) -> str:
    shown = "".join(_field(name, each if isinstance(each, dict) else {}) for name, each in page.fields.items())
    action = html.escape(f"process-auth-data?ticket={quote(page.ticket, safe='')}")
    service, owner = html.escape(page.service), html.escape(page.owner)
    return (
        f"<body><h1>Connect {service}</h1>"
        f"<p>Flows of <strong>{owner}</strong> will act with your account at {service}.</p>"
        "<p>Somebody else sent you this address, or this is not you? Close this page.</p>"
        f'<form method="post" action="../{action}">{shown}<button>Connect</button></form></body>'
    )


def _field(name: str, field: dict[str, Json]) -> str:
    shown, label = html.escape(name), html.escape(str(field.get("name") or name))
    hint = f"<small>{html.escape(str(field['tooltip']))}</small>" if field.get("tooltip") else ""
    options = field.get("options")
    if isinstance(options, list) and options:
        listed = "".join(_option(each) for each in options)
        control = f'<select id="{shown}" name="{shown}">{listed}</select>'
    else:
        kind = "password" if field.get("type") == "password" else "text"
        value = html.escape(str(field.get("defaultValue") or ""))
        control = f'<input id="{shown}" name="{shown}" type="{kind}" value="{value}" autocomplete="off">'
    return f'<label for="{shown}">{label}</label>{control}{hint}'


def _option(option: Json) -> str:
    value = option.get("value") if isinstance(option, dict) else option
    label = (option.get("content") or option.get("label") or value) if isinstance(option, dict) else option
    return f'<option value="{html.escape(str(value))}">{html.escape(str(label))}</option>'


_TAG = "Accounts"
_HTML = "text/html"
_TICKET = an_object({"ticket": TEXT}, required=("ticket",))

ROUTES = (
    Route(
        method="POST",
        path="/auth/ticket",
        handler=open_ticket,
        policy=Policy.USER,
        tag=_TAG,
        summary="Begin to connect an account in a browser",
        answers=(Answer(200, "A ticket for one connection, good for a quarter of an hour.", _TICKET),),
        errors=(429,),
    ),
    Route(
        method="GET",
        path="/auth/{componentType}/auth-url/{ticket}",
        handler=begin,
        policy=Policy.USER,
        tag=_TAG,
        summary="The page to open for a ticket",
        description=(
            "For a component's type or a service. It works once. At the end it posts appmixer.auth.success.<ticket> or "
            "appmixer.auth.failure.<ticket> to the window that opened it."
        ),
        parameters=(
            Parameter("componentId", "A component that the account is assigned to."),
            FLOW_ID,
            Parameter("accountId", "An account that is connected anew, also with more scope."),
        ),
        answers=(Answer(200, "Its address.", an_object({"authUrl": TEXT}, required=("authUrl",))),),
        errors=(404, 409),
    ),
    Route(
        method="GET",
        path="/auth/status/{ticket}",
        handler=get_ticket,
        policy=Policy.USER,
        tag=_TAG,
        summary="How far a connection is",
        answers=(
            Answer(
                200,
                "Whether it is finished, and the account or the error that came of it.",
                an_object(
                    {
                        "accountId": {"type": ["string", "null"]},
                        "tokenId": {"type": ["string", "null"]},
                        "finished": YES_NO,
                        "updatedAt": MOMENT,
                        "error": TEXT,
                    },
                    required=("finished",),
                ),
            ),
        ),
        errors=(404,),
    ),
    Route(
        method="GET",
        path="/auth/{service}/start",
        handler=enter,
        policy=Policy.PUBLIC,
        tag=_TAG,
        summary="The page that a connection begins with",
        description=(
            "It says whose account it becomes and asks to go on, with a form where the service has fields. "
            "Its key comes from /auth/…/auth-url and works once."
        ),
        parameters=(Parameter("key", "The key.", required=True),),
        answers=(Answer(200, "A form.", TEXT, _HTML),),
        errors=(401, 409),
    ),
    Route(
        method="POST",
        path="/auth/process-auth-data",
        handler=fill,
        policy=Policy.PUBLIC,
        tag=_TAG,
        summary="Take the form of a connection's page",
        parameters=(Parameter("ticket", "The ticket.", required=True),),
        request={"type": "object", "additionalProperties": {"type": "string"}},
        request_media_type="application/x-www-form-urlencoded",
        answers=(
            Answer(200, "A page that says what came of it.", TEXT, _HTML),
            Answer(302, "To the service."),
            Answer(401, "A page: no connection of this browser waits for this form.", TEXT, _HTML),
            Answer(409, "A page: the service cannot be visited.", TEXT, _HTML),
        ),
        errors=(400, 403),
    ),
    Route(
        method="GET",
        path="/auth/{service}/callback",
        handler=finish,
        policy=Policy.PUBLIC,
        tag=_TAG,
        summary="Where a service sends the browser back to",
        description="Its answer counts once, and only in the browser that began.",
        parameters=(
            Parameter("state", "What the service was given."),
            Parameter("code", "What it gives for tokens."),
            Parameter("error", "Why it gives none."),
        ),
        answers=(
            Answer(200, "A page that says what came of it.", TEXT, _HTML),
            Answer(401, "A page: no connection of this browser waits for this answer.", TEXT, _HTML),
        ),
    ),
)
