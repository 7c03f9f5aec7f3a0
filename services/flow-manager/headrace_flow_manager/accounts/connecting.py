"""Connecting an account: from the ticket, over the service's own pages, to an account that is kept and assigned.

The address that the SDK opens is one of ours. It works once, gives the browser a key, and asks whoever sits there
whether the account is to become that user's, with a form where the service has fields. Nobody is sent on unasked: an
address that somebody was lured to would else put their account into a stranger's hands. The service sends the browser
back with a state; state, browser and ticket have to belong together, and the state is spent before its code is
exchanged. What may be shown of a failure is on the ticket.
"""

import base64
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Conflict, HeadraceError, NotFound, Unauthenticated
from headrace_core.ids import derive_id

from headrace_flow_manager.accounts import tickets
from headrace_flow_manager.accounts.book import AccountBook
from headrace_flow_manager.accounts.model import Account
from headrace_flow_manager.accounts.modules import AuthModules, Opening, needs_registration
from headrace_flow_manager.accounts.service import AccountService, NewAccount
from headrace_flow_manager.accounts.store import ABSENT, Broken, Rejected
from headrace_flow_manager.accounts.tickets import Ticket, TicketBook
from headrace_flow_manager.accounts.tokens import tokens_of

log = logging.getLogger(__name__)

_SEPARATOR: Final = "~"
MAX_FIELDS: Final = 100


@dataclass(frozen=True, slots=True)
class Entered:
    """What a browser shows: whose account it becomes, and a form of these fields."""

    ticket: Ticket
    owner: str
    browser_key: str
    fields: Mapping[str, Json]


class Connecting:
    """Takes people through connections."""

    def __init__(
        self,
        book: AccountBook,
        tickets: TicketBook,
        modules: AuthModules,
        accounts: AccountService,
        address_of: Callable[[str], Awaitable[str]],
        clock: Clock,
        *,
        believes_all: bool = False,
    ) -> None:
        """`believes_all` breaks it on purpose, for the chaos tests: whose answer it is does not matter."""
        self._believes_all = believes_all
        self._book = book
        self._address_of = address_of
        self._tickets = tickets
        self._modules = modules
        self._accounts = accounts
        self._clock = clock

    async def open(self, tenant: str) -> Ticket:
        """A new ticket of a user. Raises RateLimited."""
        return await self._tickets.open(tenant)

    async def get(self, tenant: str, ticket: str) -> Ticket:
        """How far it is. Raises NotFound. One whose time is over has failed."""
        found = await self._tickets.get(tenant, ticket)
        if found.stage not in ("done", "failed") and self._tickets.is_late(found):
            return replace(found, stage="failed", error="Its time is over. Begin a new connection.")
        return found

    async def begin(
        self,
        tenant: str,
        ticket: str,
        subject: str,
        *,
        base_url: str,
        flow_id: str = "",
        node_id: str = "",
        account_id: str = "",
    ) -> str:
        """The address of the page that goes on with it. Raises NotFound, Conflict, Unavailable."""
        before = await self._tickets.get(tenant, ticket)
        if before.stage not in ("open", "begun") or self._tickets.is_late(before):
            raise Conflict("The ticket was used, or its time is over. Open another one: POST /auth/ticket.")
        choice = await self._accounts.choice(tenant, subject, flow_id, node_id)
        opening = await self._modules.opening(tenant, choice.service)
        if needs_registration(opening, await self._modules.config(choice.service)):
            raise Conflict(
                f"{choice.service} is not configured: an administrator stores its clientId and clientSecret first "
                "(POST /service-config)."
            )
        scope = choice.scope
        if account_id:
            scope = tuple(dict.fromkeys((*scope, *(await self._book.get(tenant, account_id)).scope)))
        link = tickets.new_secret()
        begun = replace(
            before,
            stage="begun",
            service=choice.service,
            flow_id=flow_id,
            node_id=node_id,
            account_id=account_id,
            scope=scope,
            base_url=base_url,
            link_hash=tickets.hashed(link),
        )
        moved = await self._tickets.move(before, begun)
        return f"{base_url}/auth/{quote(moved.segment, safe='')}/start?{urlencode({'key': ticket + _SEPARATOR + link})}"

    async def enter(self, key: str, segment: str) -> Entered:
        """Open the page, once. Raises Unauthenticated for a link that is none, Unavailable, Conflict."""
        name, _, link = key.rpartition(_SEPARATOR)
        ticket = await self._tickets.usable(name, "begun")
        if ticket.segment != segment or not tickets.is_of(link, ticket.link_hash):
            raise _not_yours()
        browser = tickets.new_secret()
        entered = replace(ticket, stage="entered", link_hash="", browser_hash=tickets.hashed(browser))
        ticket = await self._move_once(ticket, entered)
        opening = await self._modules.opening(ticket.tenant_id, ticket.service)
        fields = opening.before if opening.auth_type in ("oauth", "oauth2") else opening.fields
        owner = await self._address_of(ticket.tenant_id)
        return Entered(ticket, owner or ticket.tenant_id, browser, fields)

    async def fill(self, name: str, browser_key: str, values: Mapping[str, Json]) -> tuple[str, str]:
        """Take what a person wrote: where the browser goes on, or "" and why there is no account. Raises as enter."""
        ticket = await self._tickets.usable(name, "entered")
        if not tickets.is_of(browser_key, ticket.browser_hash) or ticket.state_hash:
            raise _not_yours()
        opening = await self._modules.opening(ticket.tenant_id, ticket.service)
        is_visit = opening.auth_type in ("oauth", "oauth2")
        fields = opening.before if is_visit else opening.fields
        given = {key: value for key, value in values.items() if key in fields and len(fields) <= MAX_FIELDS}
        if is_visit:
            return await self._address(ticket, opening, given), ""
        ticket = await self._move_once(ticket, replace(ticket, stage="finishing"))
        try:
            account = await self._accounts.create(ticket.tenant_id, NewAccount(ticket.service, given))
            await self._done(ticket, account)
        except HeadraceError as error:
            return "", await self._failed(ticket, error.message)
        return "", ""

    async def finish(self, segment: str, parameters: Mapping[str, Json], browser_key: str) -> tuple[str, str]:
        """What a service sent the browser back with, taken once: the ticket, and why there is no account.

        Raises Unauthenticated when state, browser and service do not belong together; nothing is exchanged then.
        """
        state = str(parameters.get("state") or "")
        name, _, secret = state.rpartition(_SEPARATOR)
        ticket = await self._tickets.usable(name, "entered")
        is_ours = tickets.is_of(secret, ticket.state_hash) and tickets.is_of(browser_key, ticket.browser_hash)
        if ticket.segment != segment or not (is_ours or self._believes_all):
            raise _not_yours()
        ticket = await self._move_once(ticket, replace(ticket, stage="finishing", state_hash="", browser_hash=""))
        try:
            account = await self._exchanged(ticket, parameters)
            await self._done(ticket, account)
        except (Rejected, Broken) as error:
            return ticket.ticket, await self._failed(ticket, f"{ticket.service} gave no account: {error}")
        except HeadraceError as error:
            return ticket.ticket, await self._failed(ticket, error.message)
        return ticket.ticket, ""

    # The pieces.

    async def _address(self, ticket: Ticket, opening: Opening, pre: Mapping[str, Json]) -> str:
        """The service's own page for this connection."""
        verifier, state = tickets.new_secret(), ticket.ticket + _SEPARATOR + tickets.new_secret()
        private: dict[str, Json] = {"pre": dict(pre), "codeVerifier": verifier}
        given: dict[str, Json] = {
            **pre,
            "callbackUrl": ticket.callback_url,
            "ticket": state,
            "scope": list(ticket.scope),
            "userId": ticket.tenant_id,
            "codeChallenge": _challenge(verifier),
            "codeChallengeMethod": "S256",
        }
        session = _session(ticket)
        try:
            if opening.auth_type == "oauth":
                # A service of OAuth 1.0a sends no state back, so ours travels in the address that it comes back to.
                given["callbackUrl"] = f"{ticket.callback_url}?{urlencode({'state': state})}"
                token = await self._modules.call(
                    ticket.tenant_id, opening, "requestRequestToken", given, session=session
                )
                private |= token if isinstance(token, dict) else {}
                given |= private
            address = await self._modules.call(ticket.tenant_id, opening, "authUrl", given, session=session)
        except (Rejected, Broken) as error:
            await self._failed(ticket, f"{ticket.service} cannot be visited: {error}")
            raise Conflict(f"{ticket.service} cannot be visited: {error}") from None
        if address is ABSENT or not isinstance(address, str) or urlsplit(address).scheme not in ("http", "https"):
            await self._failed(ticket, f"The auth module of {ticket.service} gives no address.")
            raise Conflict(f"The auth module of {ticket.service} gives no address to go to.")
        if _takes_challenge(opening):
            address = _with(address, code_challenge=str(given["codeChallenge"]), code_challenge_method="S256")
        sealed = await self._tickets.seal(ticket, private)
        await self._move_once(
            ticket, replace(ticket, state_hash=tickets.hashed(state.rpartition(_SEPARATOR)[2]), sealed=sealed)
        )
        return address

    async def _exchanged(self, ticket: Ticket, parameters: Mapping[str, Json]) -> Account:
        """The account that the service's answer opens."""
        said = parameters.get("error_description") or parameters.get("error")
        if said:
            raise Rejected(str(said)[:500])
        private = await self._tickets.private(ticket)
        pre = private.pop("pre", {})
        pre = pre if isinstance(pre, dict) else {}
        opening = await self._modules.opening(ticket.tenant_id, ticket.service)
        given: dict[str, Json] = {
            **pre,
            **private,
            "callbackUrl": ticket.callback_url,
            "ticket": str(parameters["state"]),
            "scope": list(ticket.scope),
            "userId": ticket.tenant_id,
            "query": dict(parameters),
        }
        if opening.auth_type == "oauth":
            if not parameters.get("oauth_token") or parameters["oauth_token"] != private.get("requestToken"):
                raise Rejected("the answer is one to another request")
            given["oauthVerifier"] = parameters.get("oauth_verifier")
        elif not parameters.get("code"):
            raise Rejected("there is no code in its answer")
        else:
            given["authorizationCode"] = parameters["code"]
        session = _session(ticket)
        answer = await self._modules.call(ticket.tenant_id, opening, "requestAccessToken", given, session=session)
        if answer is ABSENT or not isinstance(answer, dict) or not answer.get("accessToken"):
            raise Rejected("there is no access token in its answer")
        granted = _granted(answer, ticket.scope)
        tokens = tokens_of(opening.auth_type, answer, pre, self._clock)
        profile = await self._accounts.profile(ticket.tenant_id, opening, {**given, **tokens.secrets})
        name = await self._accounts.name(ticket.tenant_id, opening, tokens.secrets, profile)
        return await self._accounts.keep(
            ticket.tenant_id, opening, tokens, granted, name, profile, account_id=ticket.account_id
        )

    async def _done(self, ticket: Ticket, account: Account) -> None:
        if ticket.node_id:
            try:
                await self._accounts.assign(ticket.tenant_id, ticket.flow_id, ticket.node_id, account.account_id)
            except NotFound:
                log.info("component %s is not saved yet: nothing is assigned to it", ticket.node_id)
        done = replace(
            ticket, stage="done", account_id=account.account_id, token_id=account.token_id, sealed="", error=""
        )
        await self._tickets.move(ticket, done)

    async def _failed(self, ticket: Ticket, reason: str) -> str:
        words = reason[: tickets.MAX_TEXT] or "It failed."
        try:
            await self._tickets.move(ticket, replace(ticket, stage="failed", error=words, sealed=""))
        except Conflict:
            log.info("ticket of %s went on elsewhere", ticket.tenant_id)
        return words

    async def _move_once(self, before: Ticket, after: Ticket) -> Ticket:
        try:
            return await self._tickets.move(before, after)
        except Conflict:
            raise _not_yours() from None


def _not_yours() -> Unauthenticated:
    return Unauthenticated("This link or answer belongs to no connection that is under way. Begin a new one.")


def _session(ticket: Ticket) -> str:
    return derive_id("connection", ticket.ticket)


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def _takes_challenge(opening: Opening) -> bool:
    """Whether the exchange sends the verifier: where it is ours to write, or the module says so."""
    return opening.auth_type == "oauth2" and (
        opening.forms.get("requestAccessToken") == "url" or opening.described.get("pkce") is True
    )


def _with(address: str, **parameters: str) -> str:
    """The address with these parameters, where it does not have them."""
    parts = urlsplit(address)
    query = parse_qsl(parts.query, keep_blank_values=True)
    known = {name for name, _ in query}
    query += [(name, value) for name, value in parameters.items() if name not in known]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _granted(answer: Mapping[str, Json], asked: tuple[str, ...]) -> tuple[str, ...]:
    """The scope that the service granted, where it says; else what was asked for."""
    said = answer.get("scope")
    if isinstance(said, list):
        return tuple(str(each) for each in said)
    if isinstance(said, str) and said:
        return tuple(said.replace(",", " ").split())
    return asked
