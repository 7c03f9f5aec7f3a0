"""Modifiers that encode texts: digests, Base64 and URLs."""

import base64
import hashlib
import re
import urllib.parse

from headrace_core.expressions.environment import Evaluation, ModifierFailed, Value
from headrace_core.expressions.modifiers.registry import Argument, Arguments, modifier
from headrace_core.expressions.values import text_of

# What JavaScript's encodeURIComponent and encodeURI leave alone, besides letters and digits.
_COMPONENT_SAFE = "-_.!~*'()"
_URI_SAFE = _COMPONENT_SAFE + ";/?:@&=+$,#"

_BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")

_COMPONENT = Argument("component", "boolean")


def _bytes(value: Value, ev: Evaluation) -> bytes:
    # Lone surrogates come in through "\ud800" in JSON; JavaScript writes U+FFFD for them.
    return text_of(value, ev).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


@modifier("md5", "MD5", "The MD5 digest in hexadecimal. Not for secrets.", category="text", returns="string")
def md5(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return hashlib.md5(_bytes(value, ev), usedforsecurity=False).hexdigest()


@modifier("sha1", "SHA-1", "The SHA-1 digest in hexadecimal. Not for secrets.", category="text", returns="string")
def sha1(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return hashlib.sha1(_bytes(value, ev), usedforsecurity=False).hexdigest()


@modifier("sha256", "SHA-256", "The SHA-256 digest in hexadecimal.", category="text", returns="string")
def sha256(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return hashlib.sha256(_bytes(value, ev)).hexdigest()


@modifier("sha512", "SHA-512", "The SHA-512 digest in hexadecimal.", category="text", returns="string")
def sha512(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return hashlib.sha512(_bytes(value, ev)).hexdigest()


@modifier("base64", "Base64", "The text in Base64.", category="text", returns="string")
def base64_text(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    content = _bytes(value, ev)
    ev.claim(len(content) * 4 // 3 + 4)
    return base64.b64encode(content).decode("ascii")


@modifier(
    "encodeUrl",
    "Encode URL",
    "The text made fit for a URL; as a component, also the characters that part a URL are encoded.",
    _COMPONENT,
    category="text",
    returns="string",
)
def encode_url(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    content = _bytes(value, ev)
    ev.claim(len(content) * 3)
    return urllib.parse.quote(content, safe=_COMPONENT_SAFE if arguments.flag(0, "component") else _URI_SAFE)


@modifier(
    "decodeUrl",
    "Decode URL",
    "The text that was encoded for a URL; unless it is a component, encoded separators stay as they are.",
    _COMPONENT,
    category="text",
    returns="string",
)
def decode_url(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    text = ev.searchable(text_of(value, ev))
    if _BROKEN_ESCAPE.search(text):
        raise ModifierFailed("the text has a % that encodes nothing")
    if not arguments.flag(0, "component"):
        # decodeURI keeps the escapes of what encodeURI would have left alone.
        for separator in ";/?:@&=+$,#":
            escape = f"%{ord(separator):02X}"
            text = text.replace(escape, "%25" + escape[1:]).replace(escape.lower(), "%25" + escape[1:].lower())
    return urllib.parse.unquote(text, errors="strict")
