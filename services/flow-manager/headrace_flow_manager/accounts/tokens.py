"""Tokens that end: refreshed before, by one refresher at a time in the whole cluster, and never dropped half-way.

Who refreshes holds the account's turn, which is kept in the same database as the token: no other place decides who may
write it. The exchange runs in a task of its own, so that a caller who leaves does not cut it off between the
service's answer and our commit. It names itself after the token that it replaces: whoever goes on after a crash asks
under the same name, and the executor that did it gives the answer it still has instead of asking the service again.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, NotFound, Unavailable
from headrace_runtime.failpoints import failpoint

from headrace_flow_manager.accounts import model
from headrace_flow_manager.accounts.book import AccountBook
from headrace_flow_manager.accounts.model import Account, Tokens
from headrace_flow_manager.accounts.modules import AuthModules, Opening
from headrace_flow_manager.accounts.store import ABSENT, AccountNews, Broken, Rejected
from headrace_flow_manager.flows.turns import Turns

log = logging.getLogger(__name__)

PATIENCE: Final = timedelta(seconds=60)
KEEP_TRYING: Final = timedelta(minutes=5)
"""How long a token that a service already gave is tried to be kept while the database is away."""

AGAIN_AFTER: Final = timedelta(seconds=15)
"""When a service that could not be asked is asked again, as long as the token still holds."""


class TokenKeeper:
    """Gives accounts whose tokens hold."""

    def __init__(self, book: AccountBook, modules: AuthModules, turns: Turns, news: AccountNews, clock: Clock) -> None:
        self._book = book
        self._modules = modules
        self._turns = turns
        self._news = news
        self._clock = clock
        self._under_way: dict[str, asyncio.Task[Account]] = {}
        self._not_before: dict[str, float] = {}

    async def fresh(self, account: Account) -> Account:
        """The account with a token that holds for a while, or as its service no longer accepts it.

        Raises Unavailable when the token has ended and nobody can be asked now.
        """
        now = self._clock.now()
        if account.state == "invalid":
            return account
        if account.is_due(now):
            if not account.is_over(now) and self._is_too_soon(account.account_id):
                return account
            try:
                return await self._joined(account, rejected_token="")
            except HeadraceError as error:
                if not error.is_temporary or account.is_over(now):
                    raise
                self._not_before[account.account_id] = self._clock.monotonic() + AGAIN_AFTER.total_seconds()
                return account
        if account.is_over(now):
            return await self.refuse(account, "What it is opened with has ended, and cannot be renewed.")
        return account

    async def rejected(self, tenant: str, account_id: str, token_id: str, reason: str) -> bool:
        """The service did not accept this token. Whether there is another one to try with. Raises NotFound."""
        account = await self._book.get(tenant, account_id)
        if account.token_id != token_id:
            return account.state == "valid"
        if account.state == "invalid":
            return False
        if account.can_refresh and not account.was_rejected:
            return (await self._joined(account, rejected_token=token_id)).state == "valid"
        await self.refuse(account, reason or "Its service does not accept it any more.")
        return False

    async def refuse(self, account: Account, reason: str) -> Account:
        """Note that the service does not accept this token, and tell those who wait and those who watch."""
        token_id = account.token_id

        def change(kept: Account) -> Account:
            if kept.token_id != token_id or kept.state == "invalid":
                return kept
            return kept.refused(reason, self._clock.now())

        if account.state == "valid":
            await self._news.refusing(account, reason)
        after = await self._book.change(account.tenant_id, account.account_id, change)
        if after.state == "invalid" and account.state == "valid":
            await self._news.refused(after)
        return after

    async def settle(self) -> None:
        """Return when every exchange under way is over: a token on its way to us is kept before we stop."""
        while self._under_way:
            await asyncio.wait(list(self._under_way.values()))

    # The pieces.

    def _is_too_soon(self, account_id: str) -> bool:
        until = self._not_before.get(account_id, 0.0)
        if until > self._clock.monotonic():
            return True
        self._not_before.pop(account_id, None)
        return False

    async def _joined(self, account: Account, rejected_token: str) -> Account:
        """One exchange for all who ask here meanwhile. Who leaves leaves it going."""
        key = account.account_id
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._alone(account, rejected_token), name=f"refresh of {key}")
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._over(key, done))
        return await asyncio.shield(task)

    def _over(self, key: str, task: asyncio.Task[Account]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # who waits has heard it; nobody may wait any more

    async def _alone(self, account: Account, rejected_token: str) -> Account:
        async with self._turns.hold(f"account/{account.account_id}", PATIENCE):
            account = await self._book.get(account.tenant_id, account.account_id)
            is_wanted = account.token_id == rejected_token if rejected_token else account.is_due(self._clock.now())
            if account.state == "invalid" or not is_wanted:
                return account  # another was quicker
            return await self._exchange(account, was_rejected=bool(rejected_token))

    async def _exchange(self, account: Account, *, was_rejected: bool) -> Account:
        opening = await self._modules.opening(account.tenant_id, account.service)
        secrets = await self._book.open(account)
        failpoint("account.before_refresh")
        try:
            answer = await self._ask(account, opening, secrets)
        except Rejected as error:
            return await self.refuse(account, str(error))
        except Broken as error:
            raise Unavailable(f"{account.service} could not renew the account {account.label}: {error}") from None
        failpoint("account.after_refresh")
        kept = await self._keep(account, secrets, answer, was_rejected=was_rejected)
        failpoint("account.after_keep")
        return kept

    async def _ask(self, account: Account, opening: Opening, secrets: Mapping[str, Json]) -> Mapping[str, Json]:
        step = "validate" if account.auth_type == "pwd" else "refreshAccessToken"
        given: dict[str, Json] = {
            **secrets,
            "scope": list(account.scope),
            "profileInfo": dict(account.profile_info),
            "userId": account.tenant_id,
        }
        once = f"{account.account_id}/{account.token_id}"
        found = await self._modules.call(account.tenant_id, opening, step, given, once=once)
        if found is ABSENT or not isinstance(found, dict) or not (step == "validate" or found.get("accessToken")):
            raise Rejected(f"{account.service} gave no new token.")
        return found

    async def _keep(
        self, account: Account, secrets: Mapping[str, Json], answer: Mapping[str, Json], *, was_rejected: bool
    ) -> Account:
        """Keep what the service gave, however long that takes within reason: it gives it once."""
        tokens = tokens_of(account.auth_type, answer, secrets, self._clock)
        until = self._clock.monotonic() + KEEP_TRYING.total_seconds()
        pause = 0.05
        while True:
            try:
                sealed = await self._book.seal(account.tenant_id, account.account_id, tokens.secrets)
                after = model.with_tokens(account, sealed, tokens, self._clock.now(), was_rejected=was_rejected)

                def change(kept: Account, after: Account = after) -> Account:
                    return replace(after, display_name=kept.display_name)

                return await self._book.change(account.tenant_id, account.account_id, change)
            except NotFound:
                raise  # somebody deleted the account meanwhile
            except (HeadraceError, ConnectionError) as error:
                if self._clock.monotonic() >= until:
                    log.error("a new token of account %s could not be kept: %s", account.account_id, error)
                    raise
            await self._clock.sleep(pause)
            pause = min(pause * 2, 5.0)


def tokens_of(auth_type: str, answer: Mapping[str, Json], before: Mapping[str, Json], clock: Clock) -> Tokens:
    """What an account is opened with after an exchange. A refresh token that is not replaced stays good."""
    now = clock.now()
    if auth_type == "pwd":
        expires = model.expiry_of(answer.get("expires", answer.get("expDate")), now)
        return Tokens({**before, **answer}, expires, expires is not None)
    secrets = {**before, **{name: value for name, value in answer.items() if value is not None}}
    expires = model.expiry_of(answer.get("accessTokenExpDate"), now)
    secrets.pop("accessTokenExpDate", None)
    return Tokens(secrets, expires, auth_type == "oauth2" and bool(secrets.get("refreshToken")))
