"""What becomes of a request when the answer sends it elsewhere. Pure decisions."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from headrace_core.errors import BadRequest

from headrace_runtime.egress import urls
from headrace_runtime.egress.policy import EgressRefused
from headrace_runtime.egress.urls import Target

Headers = tuple[tuple[str, str], ...]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REFUSED_METHODS = frozenset({"CONNECT", "TRACE", "TRACK"})

# The connection's own headers: a request that could set them could pose as two.
_OURS = frozenset(
    {"connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "expect"}
)
_CREDENTIALS = frozenset({"authorization", "cookie", "cookie2", "proxy-authorization", "www-authenticate"})
_CREDENTIAL_WORDS = ("api-key", "apikey", "auth", "credential", "password", "secret", "session", "signature", "token")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that may be sent: every part of it was checked."""

    method: str
    target: Target
    headers: Headers
    content: bytes | None


def request(method: str, url: str, headers: Iterable[tuple[str, str]], content: bytes | None) -> Request:
    """Check a request. Headers that belong to the connection are passed over. Raises BadRequest."""
    if not _TOKEN.fullmatch(method) or method.upper() in _REFUSED_METHODS:
        raise BadRequest(f"{method[:20]!r} is no method that can be sent.")
    kept = tuple((name, value) for name, value in headers if _checked(name, value).lower() not in _OURS)
    return Request(method.upper(), urls.parse(url), kept, content)


def after(request: Request, status: int, location: str | None) -> Request | None:
    """The request that a redirect asks for; None when the answer is no redirect.

    Credentials stay with their origin. Raises EgressRefused for a redirect from https to http, BadRequest for one
    that leads to no proper URL.
    """
    if location is None or not is_redirect(status, location):
        return None
    target = urls.join(request.target, _as_sent(location))
    if request.target.scheme == "https" and target.scheme == "http":
        raise EgressRefused(f"{request.target.host} redirects from https to http, which is not followed.")
    moved = _as_get(request) if _turns_into_get(status, request.method) else request
    headers = moved.headers if target.origin == request.target.origin else without_credentials(moved.headers)
    return replace(moved, target=target, headers=headers)


def is_redirect(status: int, location: str | None) -> bool:
    """Whether the answer sends the request elsewhere."""
    return status in _REDIRECTS and bool(location)


def without_credentials(headers: Headers) -> Headers:
    """The headers less those that may say who is asking."""
    return tuple((name, value) for name, value in headers if not _is_credential(name.lower()))


def _as_sent(location: str) -> str:
    """The text of a header that was read as Latin-1 and that servers mean as UTF-8."""
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location


def _checked(name: str, value: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise BadRequest(f"{name[:40]!r} is no name for a header.")
    if _BAD_VALUE.search(value):
        raise BadRequest(f"The header {name} holds a line break or another control character.")
    return name


def _is_credential(name: str) -> bool:
    return name in _CREDENTIALS or any(word in name for word in _CREDENTIAL_WORDS)


def _turns_into_get(status: int, method: str) -> bool:
    return (status == 303 and method not in ("GET", "HEAD")) or (status in (301, 302) and method == "POST")


def _as_get(request: Request) -> Request:
    headers = tuple(pair for pair in request.headers if not pair[0].lower().startswith("content-"))
    return replace(request, method="GET", headers=headers, content=None)
