"""Accounts are API keys."""

from headrace_sdk.auth import AuthContext, InvalidToken

from .api import URL

type = "apiKey"


async def validate(context: AuthContext) -> None:
    """Check a key by asking whose it is."""
    answer = await context.http.get(f"{URL}/me", headers={"X-Key": str(context["apiKey"])})
    if answer.status == 401:
        raise InvalidToken("The weather service does not know this key.")
    answer.raise_for_status()


definition: dict[str, object] = {
    "auth": {"apiKey": {"type": "text", "name": "API key", "tooltip": "Your settings, under API."}},
    "validate": validate,
    "requestProfileInfo": {"method": "GET", "url": f"{URL}/me", "headers": {"X-Key": "{{apiKey}}"}},
    "accountNameFromProfileInfo": "name",
}
