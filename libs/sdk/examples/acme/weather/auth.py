"""Accounts are API keys."""

from collections.abc import Mapping
from typing import ClassVar

from headrace_sdk import ConnectionExpired, JsonObject
from headrace_sdk.auth import Auth, AuthContext, AuthType

from .api import URL


class Weather(Auth):
    """Checks a key by asking whose it is."""

    type: ClassVar[AuthType] = "apiKey"
    fields: ClassVar[Mapping[str, JsonObject]] = {
        "apiKey": {"type": "text", "name": "API key", "tooltip": "Your settings, under API."}
    }

    async def validate(self, context: AuthContext) -> None:
        answer = await context.http.get(f"{URL}/me", headers={"X-Key": context.text("apiKey")})
        if answer.status == 401:
            raise ConnectionExpired("acme:weather", "The weather service does not know this key.")
        answer.raise_for_status()

    async def request_profile_info(self, context: AuthContext) -> JsonObject:
        answer = await context.http.get(f"{URL}/me", headers={"X-Key": context.text("apiKey")})
        found = answer.raise_for_status().json()
        return found if isinstance(found, dict) else {}

    async def account_name_from_profile_info(self, context: AuthContext) -> str:
        return str(context.profile_info.get("name", "Weather"))
