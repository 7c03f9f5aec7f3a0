"""Revisions of what can be edited, as ETags: whoever decides on what they read says which revision that was."""

import re
from collections.abc import Mapping
from typing import Final

from headrace_core import Json
from headrace_core.errors import ValidationFailed

from headrace_gateway.call import Call
from headrace_gateway.errors import one_problem
from headrace_gateway.routing import Parameter

IF_MATCH: Final = Parameter(
    "If-Match", "ETag that it had when this was decided: 409 if it has another now.", place="header"
)

_TAG = re.compile(r'(?:W/)?"([0-9a-f]{32})"\Z', re.ASCII)
_ETAG = re.compile(r'(?:W/)?"(\d{1,18})"\Z', re.ASCII)


def etag_of(record: Mapping[str, Json]) -> dict[str, str]:
    """The header that tells a record's revision."""
    return {"ETag": f'"{record["revision"]}"'}


def tagged(tag: str) -> dict[str, str]:
    """The header that tells the tag of something that counts no revisions."""
    return {"ETag": f'"{tag}"'}


def expected_tag(call: Call) -> str:
    """The tag that the If-Match header names; empty where there is none or any will do. Raises ValidationFailed."""
    if_match = call.header("if-match")
    if if_match in {"", "*"}:
        return ""
    found = _TAG.match(if_match)
    if not found:
        raise _no_etag()
    return found[1]


def _no_etag() -> ValidationFailed:
    return one_problem("If-Match", "This is no ETag of ours.", "Send back the ETag that came with what you read.")


def expected_revision(call: Call) -> int:
    """The revision that the If-Match header names; 0 where there is none or any will do. Raises ValidationFailed."""
    if_match = call.header("if-match")
    if if_match in {"", "*"}:
        return 0
    found = _ETAG.match(if_match)
    if not found or int(found[1]) == 0:
        raise _no_etag()
    return int(found[1])
