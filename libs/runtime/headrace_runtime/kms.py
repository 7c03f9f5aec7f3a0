"""Keys from outside that a key management service keeps: here they are wrapped, and it opens them.

The service is the transit engine of OpenBao or HashiCorp Vault: `POST <engine>/decrypt/<key>` with a `batch_input` of
ciphertexts. It is asked at a start and when keys are read again, never for a secret: what it opened stays in memory, so
a service that is down stops nobody who already runs.
"""

import base64
import binascii
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

import httpx
from headrace_core.errors import Conflict, Problem, ValidationFailed

from headrace_runtime.settings import setting

WRAPPED: Final = "vault:"
"""How a key begins that the service wrapped."""

_TRIES: Final = 4
_PAUSE: Final = 0.5
_PASSING: Final = frozenset({412, 429, 472, 473, 500, 502, 503})
"""Answers of a service that is sealed, on standby, or not up to date, which pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsSettings:
    """Where the keys of secrets are opened that are kept wrapped."""

    url: str = setting(
        "",
        env="HEADRACE_KMS_URL",
        help="Address of the transit engine of OpenBao or Vault that opens wrapped keys of HEADRACE_VAULT_KEYS, such "
        "as https://bao.example.com:8200/v1/transit.",
    )
    key: str = setting("headrace", env="HEADRACE_KMS_KEY", help="Name of the key in the engine that wrapped them.")
    token: str = setting(
        "",
        env="HEADRACE_KMS_TOKEN",
        help="Token that may decrypt with it. Its file is read again with the keys, so an agent may renew it.",
        secret=True,
    )
    namespace: str = setting("", env="HEADRACE_KMS_NAMESPACE", help="Namespace of the engine, where it has one.")
    ca: Path | None = setting(
        None, env="HEADRACE_KMS_CA", help="Certificates in PEM that its own is signed with; the system's when not set."
    )
    timeout: timedelta = setting(
        timedelta(seconds=5),
        env="HEADRACE_KMS_TIMEOUT",
        help="How long one try may take.",
        minimum=timedelta(milliseconds=100),
        maximum=timedelta(minutes=1),
    )


class KeyService(Protocol):
    """Opens keys that it wrapped: the port behind which other services can stand."""

    def unwrap(self, wrapped: Sequence[str]) -> Sequence[bytes]:
        """The keys, in their order. Blocks within a deadline. Raises Conflict, which says what to do."""
        ...


class TransitEngine:
    """Keeps `KeyService` with the transit engine of OpenBao or Vault."""

    def __init__(self, settings: KmsSettings) -> None:
        """Raises ValidationFailed for an address that is none, or that would send the token in the clear."""
        place = urlsplit(settings.url)
        if place.scheme not in ("https", "http") or not place.hostname or place.query or place.fragment:
            raise _refused("HEADRACE_KMS_URL", "is no address of an engine", "https://host:8200/v1/transit")
        if place.scheme == "http" and place.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise _refused("HEADRACE_KMS_URL", "would send the token without TLS", "https://host:8200/v1/transit")
        if not settings.token:
            raise _refused("HEADRACE_KMS_TOKEN", "is not set", "a token that may decrypt, or HEADRACE_KMS_TOKEN_FILE")
        self._settings = settings

    def unwrap(self, wrapped: Sequence[str]) -> Sequence[bytes]:
        """As `KeyService` says. Tries again while the service is away, sealed or on standby."""
        own = self._settings
        headers = {"X-Vault-Token": own.token, "X-Vault-Request": "true"}
        if own.namespace:
            headers["X-Vault-Namespace"] = own.namespace
        url = f"{own.url.rstrip('/')}/decrypt/{quote(own.key, safe='')}"
        asked = {"batch_input": [{"ciphertext": each} for each in wrapped]}
        with httpx.Client(verify=self._trust(), timeout=own.timeout.total_seconds(), trust_env=False) as client:
            answer = self._ask(client, url, headers, asked)
        return _keys_of(answer, len(wrapped))

    def _ask(self, client: httpx.Client, url: str, headers: dict[str, str], asked: object) -> httpx.Response:
        said = ""
        for number in range(_TRIES):
            if number:
                time.sleep(_PAUSE * 2 ** (number - 1))
            try:
                answer = client.post(url, headers=headers, json=asked)
            except httpx.TransportError as error:
                said = str(error) or type(error).__name__
                continue
            if answer.status_code == httpx.codes.OK:
                return answer
            said = f"it answered {answer.status_code}: {_words_of(answer)}"
            if answer.status_code not in _PASSING:
                break
        raise Conflict(f"The key service at HEADRACE_KMS_URL does not open the keys of HEADRACE_VAULT_KEYS: {said}.")

    def _trust(self) -> ssl.SSLContext | bool:
        if self._settings.ca is None:
            return True
        try:
            return ssl.create_default_context(cafile=self._settings.ca)
        except OSError as error:
            raise _refused("HEADRACE_KMS_CA", f"cannot be read ({error})", "a file of certificates in PEM") from None


def open_key_service(settings: KmsSettings) -> KeyService | None:
    """The service that is set; None without one. Raises ValidationFailed as `TransitEngine`."""
    return TransitEngine(settings) if settings.url else None


def _keys_of(answer: httpx.Response, count: int) -> Sequence[bytes]:
    try:
        results: list[dict[str, Any]] = answer.json()["data"]["batch_results"]
        if len(results) != count:
            raise ValueError(f"{len(results)} results for {count} keys")
        wrong = next((str(each["error"]) for each in results if each.get("error")), "")
        if wrong:
            raise Conflict(f"The key service does not open a key of HEADRACE_VAULT_KEYS: {wrong}.")
        return [base64.b64decode(each["plaintext"], validate=True) for each in results]
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise Conflict(f"The answer of the service at HEADRACE_KMS_URL is not a transit engine's: {error}.") from None


def _words_of(answer: httpx.Response) -> str:
    try:
        said = answer.json()
        words = said.get("errors") or [each["error"] for each in said["data"]["batch_results"]]
        return "; ".join(map(str, words))[:200]
    except (ValueError, KeyError, TypeError, AttributeError):
        return answer.reason_phrase


def _refused(env: str, what: str, fix: str) -> ValidationFailed:
    return ValidationFailed([Problem(env, f"It {what}.", f"Set it to {fix}.")])
