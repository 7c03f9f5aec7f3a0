"""How accounts of a service are opened: one class that extends `Auth`, in `auth.py` beside its `service.json`.

from headrace_sdk.auth import Auth, AuthContext

class Crm(Auth):
    type = "apiKey"
    fields = {"apiKey": {"type": "text", "name": "API key", "tooltip": "Settings → API."}}

    async def validate(self, context: AuthContext) -> None:
        answer = await context.http.get("https://crm.example.com/me", headers={"X-Key": context.text("apiKey")})
        answer.raise_for_status()
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal, TypeAlias

from headrace_core import Json

from headrace_sdk.context import Http, JsonObject
from headrace_sdk.errors import CancelError

AuthType: TypeAlias = Literal["apiKey", "pwd", "oauth2"]


class AuthContext(Mapping[str, Json]):
    """What is known while an account is opened, by name: the fields that a person filled in, and of OAuth 2 `clientId`,
    `clientSecret`, `callbackUrl`, `ticket`, `scope`, `authorizationCode`, `accessToken`, `refreshToken`, `profileInfo`.
    """

    def __init__(self, given: Mapping[str, Json], http: Http) -> None:
        self._given = given
        self.http = http

    def text(self, name: str) -> str:
        """The text of that name. Raises `CancelError` where it is not there."""
        found = self._given.get(name)
        if not isinstance(found, str) or not found:
            raise CancelError(f"There is no {name}: fill it in, or ask an administrator to configure the service.")
        return found

    @property
    def client_id(self) -> str:
        return self.text("clientId")

    @property
    def client_secret(self) -> str:
        return self.text("clientSecret")

    @property
    def callback_url(self) -> str:
        return self.text("callbackUrl")

    @property
    def ticket(self) -> str:
        """Names the attempt; it goes along as `state` of OAuth 2."""
        return self.text("ticket")

    @property
    def scope(self) -> list[str]:
        """What is asked for: the module's own scope and that of all its components."""
        found = self._given.get("scope")
        return [str(each) for each in found] if isinstance(found, list) else []

    @property
    def authorization_code(self) -> str:
        return self.text("authorizationCode")

    @property
    def access_token(self) -> str:
        return self.text("accessToken")

    @property
    def refresh_token(self) -> str:
        return self.text("refreshToken")

    @property
    def profile_info(self) -> JsonObject:
        found = self._given.get("profileInfo")
        return found if isinstance(found, dict) else {}

    def __getitem__(self, name: str) -> Json:
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


class Auth:
    """Opens accounts. One instance serves one attempt, so it may keep something between the steps of it.

    What is refused is raised: `CancelError` or `ConnectionExpired` with words for who connects the account.
    """

    type: ClassVar[AuthType] = "apiKey"

    fields: ClassVar[Mapping[str, JsonObject]] = {}
    """The form of `apiKey` and `pwd`: by name {"type": "text" or "password", "name", "tooltip"}."""

    fields_before: ClassVar[Mapping[str, JsonObject]] = {}
    """What is asked before somebody is sent to the far side, for instance the domain of a shop."""

    scope: ClassVar[Sequence[str]] = ()
    """What OAuth 2 always asks for; the scopes of components come on top."""

    scope_delimiter: ClassVar[str] = ","

    async def validate(self, context: AuthContext) -> JsonObject | None:
        """Check what was filled in; with `pwd`, return the token that stands for it."""
        return None

    async def request_profile_info(self, context: AuthContext) -> JsonObject | None:
        """Who the account is at the far side."""
        return None

    async def account_name_from_profile_info(self, context: AuthContext) -> str | None:
        """What people call the account."""
        return None

    async def email_from_profile_info(self, context: AuthContext) -> str | None:
        return None

    async def auth_url(self, context: AuthContext) -> str | None:
        """Where somebody is sent to agree."""
        return None

    async def request_access_token(self, context: AuthContext) -> JsonObject | None:
        """Redeem `authorization_code`: {"accessToken", "refreshToken"?, "accessTokenExpDate"?}."""
        return None

    async def refresh_access_token(self, context: AuthContext) -> JsonObject | None:
        """The same by `refresh_token`."""
        return None

    async def validate_access_token(self, context: AuthContext) -> None:
        """Raise where the token is not accepted any more."""
