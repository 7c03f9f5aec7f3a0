"""How accounts of a service are opened: what the `auth.py` of a service or module imports.

    type = "oauth2"                      # apiKey, pwd, oauth or oauth2

    async def profile(context: AuthContext) -> Json:
        answer = await context.http.request("GET", "https://api.example.com/me", headers=context.bearer)
        return answer.json()

    definition = {
        "scope": ["read"],
        "authUrl": "https://example.com/authorize",
        "requestAccessToken": "https://example.com/token",
        "refreshAccessToken": "https://example.com/token",
        "requestProfileInfo": profile,
        "accountNameFromProfileInfo": "email",
    }

A member is a function of the context, an address, a request (`{"method", "url", "headers", "json" or "data"}` with
`{{name}}` for what the context has), or, for what is read from the profile, a dotted path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from headrace_core import Json

from headrace_sdk.context import Http, Tcp
from headrace_sdk.errors import ConnectionExpired

__all__ = ["AuthContext", "InvalidToken"]


@dataclass(frozen=True)
class AuthContext(Mapping[str, Json]):
    """What a step knows, by the names of the map: fields of the account, clientId, callbackUrl, accessToken and so on.

    What is not there reads as None.
    """

    values_by_name: Mapping[str, Json]
    http: Http
    tcp: Tcp

    def __getitem__(self, name: str) -> Json:
        return self.values_by_name.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    @property
    def bearer(self) -> dict[str, str]:
        """The header that shows the account's token."""
        return {"Authorization": f"Bearer {self['accessToken'] or self['apiKey'] or ''}"}


class InvalidToken(ConnectionExpired):
    """The service does not accept what the account is opened with."""

    def __init__(self, message: str = "The service does not accept what the account is opened with.") -> None:
        super().__init__("", message)
