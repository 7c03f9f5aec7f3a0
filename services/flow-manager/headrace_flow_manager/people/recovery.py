"""A forgotten password: a code by mail, then a new password by the code.

Whether an address belongs to somebody is found out behind the answer, so that neither its words nor its time tell.
"""

import asyncio
import logging
import secrets
from typing import Final

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, RateLimited, Unauthenticated, Unsupported

from headrace_flow_manager.mail import Mail
from headrace_flow_manager.people import model
from headrace_flow_manager.people.model import AttemptKey, PeopleRules, User
from headrace_flow_manager.people.passwords import Passwords
from headrace_flow_manager.people.service import hash_of
from headrace_flow_manager.people.store import PeopleStore

log = logging.getLogger(__name__)

MAX_WAITING: Final = 100
TRIES: Final = 3
_CODE_BYTES: Final = 32
_SUBJECT: Final = "A new password"


class Recovery:
    """Mails codes and redeems them. `run` does the mailing."""

    def __init__(
        self, store: PeopleStore, passwords: Passwords, mail: Mail | None, rules: PeopleRules, clock: Clock
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._mail = mail
        self._rules = rules
        self._clock = clock
        self._waiting: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING)

    async def ask(self, email: str, address: str) -> None:
        """Have a code mailed if the address is a user's. The same for one that is nobody's.

        Raises Unsupported where no mail goes out, RateLimited after too many attempts for one address or from one.
        """
        if self._mail is None:
            raise Unsupported(
                "This installation sends no mail: HEADRACE_SMTP_URL is not set. An administrator can set your password."
            )
        key = model.login_key(email[: model.MAX_NAME + 1])
        await self._claim(AttemptKey("forgot", key, self._rules.attempts_per_login), address)
        try:
            self._waiting.put_nowait(key)
        except asyncio.QueueFull:
            raise RateLimited("Too many people have forgotten their passwords at once.") from None

    async def redeem(self, code: str, password: str, address: str) -> User:
        """Set the password of whom the code was mailed to and end all their tokens.

        Raises Unauthenticated for a code that is none, ValidationFailed for the password, RateLimited.
        """
        model.refuse(model.check_password(password))
        await self._claim(None, address)
        hashed = await self._passwords.hash(password)
        user = await self._store.redeem(hash_of(code), hashed, self._clock.now())
        if user is None:
            raise Unauthenticated("The code is unknown, was used, or is too old. Ask for a new one.")
        await self._store.forgive([AttemptKey("login", key, 0) for key in user.logins])
        return user

    async def run(self) -> None:
        """Mail what is asked for, until cancelled."""
        while True:
            key = await self._waiting.get()
            try:
                await self._answer(key)
            except HeadraceError as error:
                log.warning("a code for a new password could not be mailed: %s", error)

    async def _answer(self, key: str) -> None:
        found = await self._store.credentials_of_login(key)
        if found is None or not found.user.active or model.login_key(found.user.email) != key:
            return
        code = secrets.token_urlsafe(_CODE_BYTES)
        await self._store.put_code(found.user.user_id, hash_of(code), self._clock.now() + self._rules.reset_lifetime)
        await self._send(found.user.email, self._letter(found.user, code))

    async def _send(self, to: str, text: str) -> None:
        assert self._mail is not None, "nothing waits where no mail goes out"
        for attempt in range(TRIES):
            try:
                return await self._mail.send(to, _SUBJECT, text)
            except HeadraceError as error:
                if not error.is_temporary or attempt == TRIES - 1:
                    raise
                await self._clock.sleep(2.0**attempt)

    def _letter(self, user: User, code: str) -> str:
        minutes = round(self._rules.reset_lifetime.total_seconds() / 60)
        how = self._rules.reset_url.replace("{code}", code) if self._rules.reset_url else f"Code: {code}"
        return (
            f"Somebody asked for a new password for {user.username}.\n\n{how}\n\n"
            f"It can be used once, within {minutes} minutes. If it was not you, do nothing: your password stays.\n"
        )

    async def _claim(self, own: AttemptKey | None, address: str) -> None:
        now = self._clock.now()
        keys = [AttemptKey("forgot address", address, self._rules.attempts_per_address)]
        until = await self._store.claim_attempt([own, *keys] if own else keys, now, self._rules.attempts_window)
        if until is not None:
            raise RateLimited("Too many attempts. Wait a little and try again.", retry_after=until - now)
