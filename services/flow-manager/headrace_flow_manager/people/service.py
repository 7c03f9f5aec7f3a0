"""What can be done with users and tokens."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Forbidden, NotFound, Problem, RateLimited, Unauthenticated
from headrace_core.ids import derive_id, new_id, new_user_id

from headrace_flow_manager.happenings import Announce, Happening, nobody_hears
from headrace_flow_manager.people import model
from headrace_flow_manager.people.model import AttemptKey, PeopleRules, Personal, Token, User, UserChange
from headrace_flow_manager.people.passwords import Passwords
from headrace_flow_manager.people.store import PeopleStore, TokenLookup
from headrace_flow_manager.query import ListQuery, Page

_TOKEN_BYTES = 32
_WRONG = "This sign-in name and password do not fit together."


class PeopleService:
    """Keeps users, their passwords and their tokens. `roles_changed` hears when somebody got other roles."""

    def __init__(
        self,
        store: PeopleStore,
        passwords: Passwords,
        rules: PeopleRules,
        clock: Clock,
        roles_changed: Callable[[], None],
        announce: Announce = nobody_hears,
    ) -> None:
        self._announce = announce
        self._roles_changed = roles_changed
        self._store = store
        self._passwords = passwords
        self._rules = rules
        self._clock = clock

    async def sign_up(self, username: str, email: str, password: str, metadata: Mapping[str, Json]) -> tuple[User, str]:
        """Make a user and sign them in. Raises ValidationFailed, or AlreadyExists when the name is taken."""
        username = username or email
        self._check_new(username, email, password)
        model.check_metadata(metadata)
        user = User(new_user_id(), username, email, self._clock.now(), metadata=metadata)
        token, kept = self._new_token(user)
        hashed = await self._passwords.hash(password)
        await self._announce([_created(user)])
        await self._store.add(user, hashed, kept)
        return user, token

    async def sign_in(self, login: str, password: str, address: str) -> tuple[User, str, datetime]:
        """Trade a name and password for a token and the time it ends.

        Raises Unauthenticated, the same after the same time, for a wrong password, an unknown name and a user who
        may not sign in. Raises RateLimited after too many attempts for the name or from the address.
        """
        key = model.login_key(login[: model.MAX_NAME + 1])
        attempts = self._attempts_of("login", key, address)
        await self._claim(attempts)
        found = await self._store.credentials_of_login(key)
        fits = await self._passwords.fits(password[: model.MAX_PASSWORD + 1], found.password_hash if found else None)
        if found is None or not fits or not found.user.active:
            raise Unauthenticated(_WRONG)
        if self._passwords.is_outdated(found.password_hash):
            renewed = await self._passwords.hash(password)
            await self._store.renew_hash(found.user.user_id, found.password_hash, renewed)
        token, kept = self._new_token(found.user)
        await self._store.add_token(kept, self._rules.tokens_per_user)
        await self._store.forgive(attempts)
        return found.user, token, kept.expires_at

    async def sign_in_as(self, user_id: str, actor_id: str) -> tuple[User, str, datetime]:
        """A token by which an administrator speaks for a user, and when it ends. Raises NotFound and Forbidden."""
        actor, user = await self._store.get(actor_id), await self._store.get(user_id)
        if not actor.is_administrator:
            raise Forbidden("Only administrators sign in as somebody else.")
        if user.is_administrator or not user.active:
            raise Forbidden("Nobody signs in as an administrator, or as a user who may not sign in.")
        token, made = self._new_token(user)
        kept = replace(made, expires_at=made.created_at + model.IMPERSONATION_LIFETIME, impersonator_id=actor.user_id)
        await self._store.add_token(kept, self._rules.tokens_per_user)
        return user, token, kept.expires_at

    async def sign_out(self, token: str) -> None:
        """End a token. Ending it again changes nothing."""
        await self._store.remove_token(hash_of(token))

    async def sign_out_everywhere(self, user_id: str) -> int:
        """End all tokens of a user; how many there were."""
        return await self._store.remove_tokens(user_id)

    async def create_personal(
        self, user_id: str, name: str, scopes: tuple[str, ...], expires_at: datetime | None, allowed: frozenset[str]
    ) -> tuple[Token, str]:
        """Make a personal token; what is kept of it, and its secret.

        It never carries more than the roles in `allowed`, those its maker speaks with. Raises NotFound,
        ValidationFailed, or Conflict when the user has as many as one may have.
        """
        now = self._clock.now()
        user = await self._store.get(user_id)
        allowed &= frozenset(user.scopes)
        problems = model.check_personal(name, scopes, allowed)
        if expires_at is not None and expires_at <= now:
            problems.append(Problem("expiresAt", "This time has passed.", "Name one to come.", field="expiresAt"))
        model.refuse(problems)
        if not scopes and allowed != frozenset(user.scopes):
            scopes = tuple(each for each in user.scopes if each in allowed)
        secret = model.PERSONAL_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
        personal = Personal(new_id(), name, scopes)
        token = Token(hash_of(secret), user_id, now, expires_at or now + model.PERSONAL_LIFETIME, personal)
        await self._store.add_personal(token, model.MAX_PERSONAL_TOKENS)
        return token, secret

    async def personal_tokens(self, user_id: str) -> Sequence[Token]:
        """The user's personal tokens that have not ended, oldest first."""
        now = self._clock.now()
        return [each for each in await self._store.personal_tokens(user_id) if each.expires_at > now]

    async def revoke_personal(self, user_id: str, token_id: str) -> None:
        """End a personal token of the user. Raises NotFound."""
        if not await self._store.remove_personal(user_id, token_id):
            raise NotFound("token", token_id[: model.MAX_NAME])

    async def get(self, user_id: str) -> User:
        """The user. Raises NotFound."""
        return await self._store.get(user_id)

    async def page(self, query: ListQuery) -> Page[User]:
        """A page of users."""
        return await self._store.page(query)

    async def update(self, user_id: str, change: UserChange) -> User:
        """Change the given fields. Raises NotFound, ValidationFailed, AlreadyExists, or Conflict for the last admin."""
        problems = model.check_name("email", change.email or "")
        problems += model.check_list("scopes", change.scopes or ())
        problems += model.check_list("vendors", change.vendors or ())
        model.refuse(problems)
        model.check_metadata(change.metadata or {})
        user = await self._store.update(user_id, change)
        if change.scopes is not None:
            self._roles_changed()
        return user

    async def change_password(self, user_id: str, old: str, new: str, keep_token: str) -> None:
        """Replace one's own password and end all other tokens. Raises Forbidden when the old one is wrong."""
        model.refuse(model.check_password(new, "newPassword"))
        attempts = [AttemptKey("change", user_id, self._rules.attempts_per_login)]
        await self._claim(attempts)
        kept = await self._store.credentials(user_id)
        if not await self._passwords.fits(old[: model.MAX_PASSWORD + 1], kept.password_hash):
            raise Forbidden("The old password is wrong.")
        await self._store.set_password(user_id, await self._passwords.hash(new), hash_of(keep_token))
        await self._store.forgive(attempts)

    async def reset_password(self, login: str, password: str) -> None:
        """Set somebody's password and end all their tokens. Raises NotFound."""
        model.refuse(model.check_password(password))
        found = await self._store.credentials_of_login(model.login_key(login))
        if found is None:
            raise NotFound("user", login[: model.MAX_NAME])
        await self._store.set_password(found.user.user_id, await self._passwords.hash(password), None)
        await self._store.forgive([AttemptKey("login", key, 0) for key in found.user.logins])

    async def ensure_administrator(self, email: str, password: str) -> User | None:
        """Make the first administrator if there is no user yet, and return them; otherwise change nothing."""
        if not await self._store.is_empty():
            return None
        self._check_new(email, email, password)
        user = User(new_user_id(), email, email, self._clock.now(), scopes=(model.USER, model.ADMIN))
        return user if await self._store.add_first(user, await self._passwords.hash(password)) else None

    async def prune(self) -> bool:
        """Take away what has expired."""
        await self._store.prune(self._clock.now(), self._rules.attempts_window)
        return False

    def _check_new(self, username: str, email: str, password: str) -> None:
        problems = model.check_name("username", username) + model.check_name("email", email)
        if not username:
            problems.append(Problem("username", "There is no sign-in name.", "Give a username or a mail address."))
        model.refuse(problems + model.check_password(password))

    def _attempts_of(self, kind: str, key: str, address: str) -> list[AttemptKey]:
        return [
            AttemptKey(kind, key, self._rules.attempts_per_login),
            AttemptKey("address", address, self._rules.attempts_per_address),
        ]

    async def _claim(self, attempts: list[AttemptKey]) -> None:
        now = self._clock.now()
        until = await self._store.claim_attempt(attempts, now, self._rules.attempts_window)
        if until is not None:
            raise RateLimited("Too many attempts. Wait a little and try again.", retry_after=until - now)

    def _new_token(self, user: User) -> tuple[str, Token]:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        now = self._clock.now()
        return token, Token(hash_of(token), user.user_id, now, now + self._rules.token_lifetime)


class Authenticator:
    """Says whose token it is."""

    def __init__(self, tokens: TokenLookup, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock

    async def authenticate(self, token: str) -> tuple[User, datetime, str]:
        """The user with the roles the token carries, when it ends, and which administrator speaks for them, if any.

        Raises Unauthenticated when it is unknown, expired or ended.
        """
        asked = hash_of(token)
        found = await self._tokens.find(asked)
        if found is None:
            raise Unauthenticated()
        user, kept = found
        is_valid = hmac.compare_digest(kept.token_hash, asked) and user.active and kept.expires_at > self._clock.now()
        if not is_valid:
            raise Unauthenticated("The token has ended. Log in again.")
        return kept.limits(user), kept.expires_at, kept.impersonator_id


def _created(user: User) -> Happening:
    data: dict[str, Json] = {"userId": user.user_id, "username": user.username, "email": user.email}
    name = derive_id("user.created", user.user_id)
    return Happening(name, "user.created", user.user_id, user.created_at, data, "user exists", user.user_id)


def hash_of(token: str) -> bytes:
    """What is kept of a token. It has 256 random bits, so one plain SHA-256 is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
