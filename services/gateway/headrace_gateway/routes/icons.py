"""Icons of components, services and modules as pictures, for pages that show them without reading manifests."""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from headrace_core import Json, errors
from starlette.responses import Response

from headrace_gateway.call import Call
from headrace_gateway.routing import Answer, Policy, Route

_DATA = re.compile(r"data:(image/(?:svg\+xml|png|jpeg|gif|webp|x-icon))((?:;[\w=.-]+)*?)(;base64)?,", re.ASCII)
_HEADERS = {
    # A picture is no page: scripts in an SVG run nowhere, wherever it is opened.
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "private, max-age=300",
}


async def icon(call: Call) -> Response:
    selector = call.value("selector")
    found = await call.clients.catalog.components(call.scope, selector, include_private=True)
    shown = await call.gateway.guard.visible(call.caller, found)
    described: Json = next((manifest for name, manifest in shown if name == selector), None)
    if described is None:
        described = (await call.clients.catalog.apps(call.scope)).get(selector)
    text = described.get("icon") if isinstance(described, dict) else None
    kind, picture = picture_of(text) if isinstance(text, str) else ("", b"")
    if not kind:
        raise errors.NotFound("icon", selector[:256])
    return Response(picture, headers=_HEADERS, media_type=kind)


def picture_of(icon: str) -> tuple[str, bytes]:
    """The media type and the bytes of a data URI; nothing of any other text, or of one that holds no picture."""
    found = _DATA.match(icon)
    if found is None:
        return "", b""
    rest = icon[found.end() :]
    if not found[3]:
        return found[1], unquote_to_bytes(rest)
    try:
        return found[1], base64.b64decode(rest, validate=True)
    except (binascii.Error, ValueError):
        return "", b""


ROUTES = (
    Route(
        method="GET",
        path="/components/{selector}/icon",
        handler=icon,
        policy=Policy.USER,
        tag="Catalog",
        summary="The icon of a component, service or module",
        description="As a picture, where the manifest has it as a data URI. One that is a URL is fetched from there.",
        answers=(Answer(200, "The picture.", {"type": "string", "format": "binary"}, "image/*"),),
        errors=(404,),
    ),
)
