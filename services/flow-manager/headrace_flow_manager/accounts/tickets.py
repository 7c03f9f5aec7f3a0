"""Tickets of connections: each is one way of one person through one service's pages, and each step of it is done once.

Three things have to come together at the end, and none of them can be derived from another: the ticket that a
signed-in user opened, the state that the service sends back, and the key that the browser got when it entered. Only
hashes of the last two are kept.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Literal

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Conflict, NotFound, RateLimited, Unauthenticated
from headrace_core.ids import new_id

from headrace_flow_manager import json_text
from headrace_flow_manager.accounts.keys import DataKeys
from headrace_flow_manager.entries import Entry, EntryStore
from headrace_flow_manager.scope import EVERY_TENANT

LIFETIME: Final = timedelta(minutes=15)
REMEMBERED: Final = timedelta(days=1)
"""How long the outcome of a connection can be asked for."""

MAX_OPEN: Final = 50
MAX_TEXT: Final = 2_000
_SECRET_BYTES: Final = 32

Stage = Literal["open", "begun", "entered", "finishing", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """How far a connection is. `private` is sealed: what has to be known again at the next step."""

    ticket: str
    tenant_id: str
    stage: Stage
    service: str = ""
    flow_id: str = ""
    node_id: str = ""
    account_id: str = ""
    scope: tuple[str, ...] = ()
    base_url: str = ""
    link_hash: str = ""
    state_hash: str = ""
    browser_hash: str = ""
    token_id: str = ""
    error: str = ""
    sealed: str = ""
    opened_at: datetime
    updated_at: datetime

    @property
    def segment(self) -> str:
        """The service's name in addresses of pages."""
        return segment_of(self.service)

    @property
    def callback_url(self) -> str:
        """Where the service sends the browser back to."""
        return f"{self.base_url}/auth/{self.segment}/callback"


def segment_of(service: str) -> str:
    """The service's name in addresses: without its vendor and module."""
    return service.split(":")[1] if ":" in service else service


def new_secret() -> str:
    """A secret that nobody guesses and that any address may hold."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hashed(secret: str) -> str:
    """What of a secret is kept."""
    return sha256(b"headrace connection" + secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_of(secret: str, kept: str) -> bool:
    """Whether this is the secret of that hash."""
    return bool(kept) and hmac.compare_digest(hashed(secret), kept)


class TicketBook:
    """Keeps tickets."""

    def __init__(self, store: EntryStore, keys: DataKeys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock

    async def open(self, tenant: str) -> Ticket:
        """A new ticket. Raises RateLimited when the user has many that are not over."""
        now = self._clock.now()
        kept = [_ticket(each) for each in await self._store.all("ticket", tenant)]
        if sum(each.opened_at > now - LIFETIME and each.stage not in ("done", "failed") for each in kept) >= MAX_OPEN:
            raise RateLimited(f"{MAX_OPEN} connections are open. Finish one of them.", retry_after=LIFETIME)
        ticket = Ticket(ticket=f"{tenant}:{new_id()}", tenant_id=tenant, stage="open", opened_at=now, updated_at=now)
        await self._store.add(_entry(ticket))
        return ticket

    async def get(self, tenant: str, name: str) -> Ticket:
        """The user's ticket, over or not. Raises NotFound."""
        try:
            return _ticket(await self._store.get("ticket", tenant, name))
        except NotFound:
            raise NotFound("ticket", name[:100]) from None

    async def usable(self, name: str, stage: Stage) -> Ticket:
        """A ticket for who comes without having signed in: at this stage, in time. Raises Unauthenticated."""
        try:
            ticket = _ticket(await self._store.get("ticket", EVERY_TENANT, name))
        except NotFound:
            raise _invalid() from None
        if ticket.stage != stage or self.is_late(ticket):
            raise _invalid()
        return ticket

    def is_late(self, ticket: Ticket) -> bool:
        """Whether its time is over."""
        return self._clock.now() >= ticket.opened_at + LIFETIME

    async def move(self, before: Ticket, after: Ticket) -> Ticket:
        """Take the next step. Of two who try the same, one does; the other's raises Conflict."""
        after = replace(after, updated_at=self._clock.now())
        if not await self._store.replace(_entry(before), _entry(after)):
            raise Conflict("This connection went on elsewhere. Begin a new one.")
        return after

    async def seal(self, ticket: Ticket, private: Mapping[str, Json]) -> str:
        """What has to be known again, as it may be kept."""
        data = json_text.encode(dict(private)).encode()
        return await self._keys.seal(ticket.tenant_id, data, ("ticket", ticket.ticket))

    async def private(self, ticket: Ticket) -> dict[str, Json]:
        """What was sealed with the ticket."""
        if not ticket.sealed:
            return {}
        data = await self._keys.open(ticket.tenant_id, ticket.sealed, ("ticket", ticket.ticket))
        return json_text.decode_object(data, "ticket")

    async def prune(self) -> bool:
        """Forget tickets that are long over."""
        before = self._clock.now() - REMEMBERED
        for entry in await self._store.all("ticket", EVERY_TENANT):
            if _ticket(entry).opened_at < before:
                await self._store.delete("ticket", entry.owner, entry.entry_id)
        return False


def _invalid() -> Unauthenticated:
    return Unauthenticated("This link or answer belongs to no connection that is under way. Begin a new one.")


def _entry(ticket: Ticket) -> Entry:
    value: dict[str, Json] = {
        "stage": ticket.stage,
        "service": ticket.service,
        "flowId": ticket.flow_id,
        "nodeId": ticket.node_id,
        "accountId": ticket.account_id,
        "scope": list(ticket.scope),
        "baseUrl": ticket.base_url,
        "link": ticket.link_hash,
        "state": ticket.state_hash,
        "browser": ticket.browser_hash,
        "tokenId": ticket.token_id,
        "error": ticket.error[:MAX_TEXT],
        "sealed": ticket.sealed,
        "openedAt": ticket.opened_at.isoformat(),
    }
    return Entry("ticket", ticket.ticket, ticket.ticket, ticket.tenant_id, value, ticket.tenant_id, ticket.updated_at)


def _ticket(entry: Entry) -> Ticket:
    value = entry.value
    scope = value["scope"]
    return Ticket(
        ticket=entry.entry_id,
        tenant_id=entry.owner,
        stage=_stage(value["stage"]),
        service=str(value["service"]),
        flow_id=str(value["flowId"]),
        node_id=str(value["nodeId"]),
        account_id=str(value["accountId"]),
        scope=tuple(str(each) for each in scope) if isinstance(scope, list) else (),
        base_url=str(value["baseUrl"]),
        link_hash=str(value["link"]),
        state_hash=str(value["state"]),
        browser_hash=str(value["browser"]),
        token_id=str(value["tokenId"]),
        error=str(value["error"]),
        sealed=str(value["sealed"]),
        opened_at=datetime.fromisoformat(str(value["openedAt"])),
        updated_at=entry.changed_at,
    )


def _stage(value: Json) -> Stage:
    match value:
        case "open" | "begun" | "entered" | "finishing" | "done":
            return value
        case _:
            return "failed"
