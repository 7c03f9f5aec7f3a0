"""What administrators do is put on record before it is done, with what was there before and after.

Who acts for others is on record, too: an administrator who acts on a user's behalf, or signed in as one. An act that
cannot be put on record is not done. How it ended is added afterwards; where a process dies in between, the record says
that nobody knows.
"""

import logging
from typing import TYPE_CHECKING

import orjson
from headrace_core import Json, errors
from headrace_core.ids import new_id
from headrace_runtime import logs
from starlette.responses import Response

from headrace_gateway import redacting
from headrace_gateway.bodies import is_json, media_type
from headrace_gateway.call import Call
from headrace_gateway.clients.audit import Act
from headrace_gateway.errors import status_of
from headrace_gateway.routing import Policy

if TYPE_CHECKING:
    from headrace_gateway.app import Gateway

_MAX_TEXT = 500
_SEALED = ("/service-config", "/config")
"""Everything there is sealed at rest, and no value of it is kept elsewhere: the trail says what changed, not how."""
_ASKED: dict[str, list[str]] = {"limit": ["1000"]}

logger = logging.getLogger(__name__)


def is_audited(call: Call, policy: Policy) -> bool:
    """Whether this call is an act for the trail. `policy` is the route's, with the settings applied."""
    if call.route.method == "GET" or call.known_caller is None:
        return False
    if call.caller.impersonator_id:
        return True
    return not call.flag("dryRun") and (policy is Policy.ADMIN or call.route.is_audited or bool(call.on_behalf_of))


class Auditor:
    """Carries acts out and keeps the trail of them."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway

    async def carry_out(self, call: Call) -> Response:
        """Do what is asked, on record. Raises what the handler raises, and Unavailable where no record can be made."""
        given = await _given(call)
        before = _own(given, await self._seen(call))
        act_id = await self._begin(call, before, given)
        try:
            response = await call.route.handler(call)
        except errors.HeadraceError as error:
            await self._end(act_id, status_of(error), None)
            raise
        except Exception:
            await self._end(act_id, 500, None)
            raise
        after = _own(given, await self._seen(call))
        if after is None and call.route.method != "DELETE":
            after = _said(response)
        await self._end(act_id, response.status_code, _shown(call, after, before))
        return response

    async def _begin(self, call: Call, before: Json, given: Json) -> str:
        caller, act_id = call.caller, new_id()
        actor_id = caller.impersonator_id or caller.user_id
        user = await self._gateway.clients.people.get(actor_id)
        act = Act(
            act_id=act_id,
            begun_at=self._gateway.clock.now(),
            actor_id=actor_id,
            actor=str(user.get("email") or user.get("username") or ""),
            address=call.address,
            request_id=logs.ensure_request_id(),
            action=f"{call.route.method} {call.route.path}",
            summary=call.route.summary,
            target=(", ".join(call.match.values.values()) or redacting.name_of(given))[:_MAX_TEXT],
            tenant_id=caller.user_id if caller.impersonator_id else call.on_behalf_of,
            before=_shown(call, before),
            given=_shown(call, given),
        )
        await self._gateway.clients.audit.begin(act)
        return act_id

    async def _end(self, act_id: str, status: int, after: Json) -> None:
        try:
            await self._gateway.clients.audit.end(act_id, status, after)
        except errors.HeadraceError as error:
            # It is done, and the record says that nobody knows: what the caller hears is what happened.
            logger.warning("How act %s ended could not be put on record: %s", act_id, error)

    async def _seen(self, call: Call) -> Json:
        """What is there now, as the route of the same path that reads shows it; None where there is none."""
        try:
            match = self._gateway.table.match("GET", call.request.scope["raw_path"])
        except errors.HeadraceError:
            return None
        if match.route.takes_rest or match.route.policy is Policy.PUBLIC or match.route.path != call.route.path:
            return None
        reading = Call(call.request, match, self._gateway, call.known_caller, _ASKED | _owner(call))
        try:
            return _said(await match.route.handler(reading))
        except errors.HeadraceError:
            return None


def _owner(call: Call) -> dict[str, list[str]]:
    return {"onBehalfOf": [call.on_behalf_of], "allTenants": ["true"]} if call.on_behalf_of else {}


def _own(given: Json, seen: Json) -> Json:
    """Of a list to which something is put by its name, what is there under that name."""
    name = redacting.name_of(given)
    return redacting.by_name(seen).get(name) if name and isinstance(seen, list) else seen


def _shown(call: Call, value: Json, before: Json = None) -> Json:
    is_sealed = call.route.path.startswith(_SEALED)
    return redacting.kept(redacting.hidden(value, all_values=is_sealed, before=before))


async def _given(call: Call) -> Json:
    """The JSON that came with the call; None where there is none, or where it is another kind of body."""
    if call.route.request is None or call.route.request_media_type != "application/json":
        return None
    media = media_type(call.header("content-type"))
    if media and not is_json(media):
        return None
    return _parsed(await call.body())


def _said(response: Response) -> Json:
    """The JSON of an answer; None where it is something else, or comes in pieces."""
    body = getattr(response, "body", b"")
    return _parsed(body) if response.media_type == "application/json" and isinstance(body, bytes) else None


def _parsed(text: bytes) -> Json:
    try:
        value: Json = orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None
    return value
