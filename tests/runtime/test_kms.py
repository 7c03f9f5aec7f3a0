"""Keys of secrets that a key service wrapped: opened at a start, read again while running, refused with clear words."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from headrace_core.errors import Conflict, ValidationFailed
from headrace_runtime import kms
from headrace_runtime.vault import key_reader, open_vault

PLACE = ("tenant", "service", "field")
TOKEN = "canary-token"


class Transit:
    """The transit engine of OpenBao with one key, as far as wrapping and opening data keys goes."""

    def __init__(self) -> None:
        self.cipher = AESGCM(secrets.token_bytes(32))
        self.passing: list[int] = []
        """Answers of a service that is not ready yet, given first."""
        self.asked: list[dict[str, str]] = []
        self.url = ""

    def datakey(self, size: int = 32) -> str:
        nonce, key = secrets.token_bytes(12), secrets.token_bytes(size)
        return "vault:v1:" + base64.b64encode(nonce + self.cipher.encrypt(nonce, key, None)).decode()

    def answer(self, path: str, headers: dict[str, str], body: Any) -> tuple[int, Any]:
        self.asked.append(headers)
        if self.passing:
            return self.passing.pop(0), {"errors": ["Vault is sealed"]}
        if headers.get("x-vault-token") != TOKEN or headers.get("x-vault-namespace", "") != "":
            return 403, {"errors": ["permission denied"]}
        if path != "/v1/transit/decrypt/headrace":
            return 404, {"errors": [f"no handler for route {path}"]}
        results = [self._opened(each["ciphertext"]) for each in body["batch_input"]]
        is_some = any("plaintext" in each for each in results)
        return 200 if is_some else 400, {"data": {"batch_results": results}}

    def _opened(self, text: str) -> dict[str, str]:
        try:
            data = base64.b64decode(text.removeprefix("vault:v1:"))
            return {"plaintext": base64.b64encode(self.cipher.decrypt(data[:12], data[12:], None)).decode()}
        except (InvalidTag, ValueError):
            return {"error": "cipher: message authentication failed"}


@contextmanager
def serving(transit: Transit) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, said = transit.answer(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing to the terminal of the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        transit.url = f"http://127.0.0.1:{server.server_port}/v1/transit/"
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def transit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Transit]:
    monkeypatch.setattr(kms, "_PAUSE", 0.001)
    engine = Transit()
    with serving(engine):
        yield engine


def environ(transit: Transit, *keys: str, **more: str) -> dict[str, str]:
    own = {"HEADRACE_VAULT_KEYS": ",".join(keys), "HEADRACE_KMS_URL": transit.url, "HEADRACE_KMS_TOKEN": TOKEN}
    return own | more


async def test_wrapped_keys_seal_and_open_beside_plain_ones(transit: Transit) -> None:
    plain, wrapped = base64.b64encode(b"o" * 32).decode(), transit.datakey()
    old = await open_vault({"HEADRACE_VAULT_KEYS": plain}, None)
    both = await open_vault(environ(transit, wrapped, plain), None)
    again = await open_vault(environ(transit, wrapped), None)

    assert old is not None and both is not None and again is not None
    assert both.open(old.seal(b"secret", PLACE), PLACE) == b"secret"
    assert again.open(both.seal(b"secret", PLACE), PLACE) == b"secret"
    with pytest.raises(Conflict):
        old.open(both.seal(b"secret", PLACE), PLACE)


async def test_keys_and_token_are_read_again_and_stay_when_the_service_is_away(
    transit: Transit, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys, token = tmp_path / "keys", tmp_path / "token"
    first, second = transit.datakey(), transit.datakey()
    keys.write_text(first)
    token.write_text(TOKEN)
    own = {
        "HEADRACE_KMS_URL": transit.url,
        "HEADRACE_VAULT_KEYS_FILE": str(keys),
        "HEADRACE_KMS_TOKEN_FILE": str(token),
    }
    vault = await open_vault(own, None)
    assert vault is not None
    sealed, read = vault.seal(b"secret", PLACE), key_reader(vault, own, None)

    keys.write_text(f"{second},{first}")
    token.write_text("expired")
    await read()
    assert vault.is_current(sealed) and vault.open(sealed, PLACE) == b"secret"
    assert "stay as they are" in caplog.text and "permission denied" in caplog.text

    token.write_text(TOKEN)
    await read()
    assert not vault.is_current(sealed) and vault.open(sealed, PLACE) == b"secret"
    assert TOKEN not in caplog.text


async def test_a_service_that_is_not_ready_yet_is_asked_again_and_one_that_stays_so_is_named(transit: Transit) -> None:
    transit.passing = [503, 472, 429]
    assert await open_vault(environ(transit, transit.datakey()), None) is not None
    assert len(transit.asked) == 4

    transit.passing = [503] * 4
    with pytest.raises(Conflict, match=r"HEADRACE_KMS_URL does not open .*: it answered 503: Vault is sealed"):
        await open_vault(environ(transit, transit.datakey()), None)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"HEADRACE_KMS_URL": ""}, "wrapped keys, which nothing here opens"),
        ({"HEADRACE_KMS_URL": "http://bao.example.com/v1/transit"}, "without TLS"),
        ({"HEADRACE_KMS_URL": "bao:8200"}, "no address"),
        ({"HEADRACE_KMS_TOKEN": ""}, "HEADRACE_KMS_TOKEN"),
        ({"HEADRACE_KMS_TOKEN": "other"}, "403: permission denied"),
        ({"HEADRACE_KMS_KEY": "a/../b"}, "404: no handler for route /v1/transit/decrypt/a%2F..%2Fb"),
        ({"HEADRACE_KMS_NAMESPACE": "team"}, "permission denied"),
        ({"HEADRACE_KMS_CA": "nowhere.pem"}, "HEADRACE_KMS_CA"),
    ],
)
async def test_what_cannot_be_is_said_so(transit: Transit, more: dict[str, str], words: str) -> None:
    with pytest.raises((Conflict, ValidationFailed), match=words) as refused:
        await open_vault(environ(transit, transit.datakey(), **more), None)
    assert TOKEN not in str(refused.value)


async def test_keys_that_are_damaged_or_of_another_length_are_refused(transit: Transit) -> None:
    good = transit.datakey()
    with pytest.raises(Conflict, match="message authentication failed"):
        await open_vault(environ(transit, good, good[:-8] + "AAAAAAA="), None)
    with pytest.raises(Conflict, match="400: cipher: message authentication failed"):
        await open_vault(environ(transit, "vault:v1:AAAA"), None)
    with pytest.raises(ValidationFailed, match="no 32 bytes"):
        await open_vault(environ(transit, transit.datakey(16)), None)
