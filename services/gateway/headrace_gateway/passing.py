"""What others answer, flows and plugins, as far as it may go out in their name."""

import re
from collections.abc import Iterable

from headrace_core import Json

from headrace_gateway.errors import Headers

MAX_ANSWER_HEADERS = 50

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
_HEADER_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# What belongs to the connection, to us, or to the origin as a whole is not a flow's to say.
_KEPT_BACK = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "date",
        "server",
        "set-cookie",
        "strict-transport-security",
        "service-worker-allowed",
        "clear-site-data",
        "alt-svc",
        "x-request-id",
        "x-headrace-run-id",
        "x-content-type-options",
        "content-security-policy",
    }
)
# Answers come from flows, on the API's own origin: a browser may show them send their forms here, and never run them.
SANDBOX = (
    b"content-security-policy",
    b"sandbox allow-forms; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self';"
    b" base-uri 'none'",
)


def clean_headers(given: dict[str, Json]) -> Headers:
    """The headers of a flow's answer that may go out: well-formed, without line breaks, none of the connection's."""
    return list(_clean(given))[:MAX_ANSWER_HEADERS]


def _clean(given: dict[str, Json]) -> Iterable[tuple[bytes, bytes]]:
    for name, value in given.items():
        if not _HEADER_NAME.match(name) or name.lower() in _KEPT_BACK or name.lower().startswith("access-control-"):
            continue
        if isinstance(value, (str, int, float)):
            text = str(value)
            if not _HEADER_CONTROL.search(text) and len(text) <= 8192:
                yield name.lower().encode(), text.encode("latin-1", "replace")
