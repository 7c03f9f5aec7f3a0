"""The built user interface: the files of the SDK, and the one page whose addresses people open in a browser.

A build is read whole when the gateway starts. Without one everything else works, and pages say how to make it.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headrace_core import errors
from starlette.responses import Response
from starlette.types import Scope

from headrace_gateway import heads

_PAGES = re.compile(
    rb"/(?:(?:flows|runs|stores|people-tasks|connectors|insights|integrations)(?:/[^/]+)?|accounts|files|logs)/?\Z"
)
"""Addresses inside the page: for who asks for HTML and is no client with a token. Some are endpoints for all others."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types svelte-trusted-html"
)

OFFICE = b"/backoffice"
OFFICE_POLICY = CONTENT_SECURITY_POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'")

_CHECKOUT = Path(__file__).resolve().parents[3] / "ui" / "dist"
_INSTALLED = Path(__file__).resolve().parent / "ui_dist"  # `ui/wheel.py` puts it there
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HASHED = re.compile(r"-[\w-]{8}\.js\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class File:
    """One file of the build, as it is and compressed."""

    content: bytes
    compressed: bytes
    etag: str
    media_type: str
    is_immutable: bool


class Ui:
    """What was built, in memory."""

    def __init__(self, folder: str = "") -> None:
        home = Path(folder) if folder else _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT
        page = home / "index.html"
        self._page = page.read_bytes() if page.is_file() else b""
        office = home / "backoffice.html"
        self._office = office.read_bytes() if office.is_file() else b""
        self._files: Mapping[str, File] = {
            path.name: _file(path) for path in sorted((home / "sdk").glob("*")) if path.suffix in _TYPES
        }

    @property
    def is_built(self) -> bool:
        """Whether there is a page to show."""
        return bool(self._page)

    def page(self) -> Response:
        """The page at every address that people open."""
        headers = {
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Cache-Control": "no-cache",
            "Vary": "Accept, Authorization",
        }
        return Response(self._page, headers=headers, media_type="text/html; charset=utf-8")

    @staticmethod
    def is_of_office(scope: Scope) -> bool:
        """Whether a page of the Backoffice is asked for: each has an address of its own."""
        path: bytes = scope["raw_path"]
        return scope["method"] in ("GET", "HEAD") and (path == OFFICE or path.startswith(OFFICE + b"/"))

    def office(self) -> Response:
        """The Backoffice at every address of its own. It holds no data: the API gives that to administrators alone.

        Raises NotFound where it was not built.
        """
        if not self._office:
            raise errors.NotFound("file", "backoffice.html; `make ui` builds the user interface")
        headers = {
            "Content-Security-Policy": OFFICE_POLICY,
            "X-Frame-Options": "SAMEORIGIN",
            "Cache-Control": "no-cache",
        }
        return Response(self._office, headers=headers, media_type="text/html; charset=utf-8")

    def file(self, name: str, scope: Scope) -> Response | None:
        """A file of the SDK, compressed where the caller takes it; None where there is no such file."""
        found = self._files.get(name)
        if found is None:
            return None
        kept = "public, max-age=31536000, immutable" if found.is_immutable else "public, no-cache"
        headers = {
            "Cache-Control": kept,
            "ETag": found.etag,
            "Vary": "Accept-Encoding",
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        if found.etag in [each.strip() for each in heads.text_header(scope, b"if-none-match").split(",")]:
            return Response(status_code=304, headers=headers)
        if takes_gzip(heads.text_header(scope, b"accept-encoding")):
            return Response(
                found.compressed, headers={**headers, "Content-Encoding": "gzip"}, media_type=found.media_type
            )
        return Response(found.content, headers=headers, media_type=found.media_type)


def is_page(raw_path: bytes) -> bool:
    """Whether the page has this address."""
    return _PAGES.match(raw_path) is not None


def takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header names gzip, and not with a weight of nothing."""
    for part in accepted.lower().split(","):
        name, *options = [each.strip() for each in part.split(";")]
        if name == "gzip":
            return not any(re.fullmatch(r"q=0(\.0*)?", option) for option in options)
    return False


def prefers_html(accept: str) -> bool:
    """Whether text/html comes with a greater weight than application/json, or the same and earlier."""
    weights: dict[str, tuple[float, int]] = {}
    for place, part in enumerate(accept.lower().split(",")[:20]):
        kind, *options = [each.strip() for each in part.split(";")]
        weights.setdefault(kind, (_weight(options), -place))
    return weights.get("text/html", (0.0, 0)) > weights.get("application/json", (0.0, 0))


def _file(path: Path) -> File:
    content = path.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    is_immutable = _HASHED.search(path.name) is not None
    return File(content, gzip.compress(content, 9, mtime=0), etag, _TYPES[path.suffix], is_immutable)


def _weight(options: list[str]) -> float:
    for option in options:
        if option.startswith("q="):
            text = option[2:6]
            return float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else 0.0
    return 1.0
