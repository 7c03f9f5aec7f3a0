"""What an archive is: a zip of JSON lines and contents, with a manifest behind them that has the sum of each.

    flows.ndjson      {"flow": …}, and behind each its {"version": …}, oldest first
    stores.ndjson     {"store": …}, and behind each its {"record": …}
    charts.ndjson     {"chart": …}
    aliases.ndjson    {"alias": …}
    files/1, …        contents
    files.ndjson      {"file": …}, naming the member that has the content
    settings.ndjson   {"settings": …}
    installation.ndjson  {"modifiers": …}, {"rules": …}, {"origins": …}; of an administrator who asked for it
    manifest.json     format, version, and for each member its name, bytes and SHA-256
    secrets           sealed under a pass phrase, with the manifest's bytes as associated data

Members come in this order; one without lines may be missing. A reader refuses a version above its own.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from headrace_core import Json, errors

FORMAT: Final = "headrace-archive"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
SECRETS: Final = "secrets"
MEDIA_TYPE: Final = "application/zip"

OWNED: Final = ("flows", "stores", "charts", "aliases", "files", "settings")
"""What a tenant owns, in the order in which it is written."""

INSTALLATION: Final = "installation"
"""What belongs to nobody but the installation: asked for by name, by administrators."""

KINDS: Final = (*OWNED, INSTALLATION)

MAX_MEMBERS: Final = 50_000
MAX_MANIFEST_BYTES: Final = 16 * 1024 * 1024
MAX_SECRETS_BYTES: Final = 64 * 1024 * 1024
MAX_LINE_BYTES: Final = 16 * 1024 * 1024
MAX_DEPTH: Final = 160
"""Deeper than any value that is kept, with the line around it."""

MAX_EXPANSION: Final = 8
"""How many times the longest archive that is taken its members may come to."""

FIELDS: Final[Mapping[str, Mapping[str, type | tuple[type, ...]]]] = {
    "flow": {"flowId": str, "record": dict, "version": int, "isActive": bool},
    "version": {"version": int, "label": str, "descriptor": dict},
    "store": {"storeId": str, "name": str},
    "record": {"key": str},
    "chart": {"chartId": str, "document": dict},
    "alias": {"id": str, "alias": str, "flowId": str, "componentId": str},
    "file": {"fileId": str, "filename": str, "contentType": str, "metadata": dict, "sha256": str, "member": str},
    "settings": {"metadata": dict},
    "modifiers": {"document": dict},
    "rules": {"type": str, "rules": list},
    "origins": {"vendor": str, "origins": list},
}
"""What every kind of line must have, by its one key."""

ID_FIELDS: Final[Mapping[str, str]] = {
    "flow": "flowId",
    "store": "storeId",
    "chart": "chartId",
    "alias": "id",
    "file": "fileId",
}
"""Where the id of a thing is; an archive has each thing once."""

LINES: Final[Mapping[str, tuple[str, ...]]] = {
    "flows": ("flow", "version"),
    "stores": ("store", "record"),
    "charts": ("chart",),
    "aliases": ("alias",),
    "files": ("file",),
    "settings": ("settings",),
    INSTALLATION: ("modifiers", "rules", "origins"),
}
"""Which lines are in the member of each kind, those that others belong to first."""

_CONTENT = re.compile(r"files/[1-9]\d{0,5}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Member:
    """A part of an archive and what it comes to."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest. `secrets` says how they were sealed; None where there are none or they were left out."""

    user_id: str
    exported: str
    members: Sequence[Member]
    secrets: Mapping[str, Json] | None
    secrets_left_out: int
    incomplete: Sequence[Json]

    def encoded(self) -> bytes:
        """The bytes that stand in the archive."""
        members: list[Json] = [
            {"name": each.name, "bytes": each.size_bytes, "sha256": each.sha256} for each in self.members
        ]
        return orjson.dumps(
            {
                "format": FORMAT,
                "version": VERSION,
                "userId": self.user_id,
                "exported": self.exported,
                "members": members,
                "secrets": None if self.secrets is None else dict(self.secrets),
                "secretsLeftOut": self.secrets_left_out,
                "incomplete": [*self.incomplete],
            },
            option=orjson.OPT_INDENT_2,
        )


def lines_of(kind: str) -> str:
    """The member with the lines of a kind."""
    return f"{kind}.ndjson"


def is_content(name: str) -> bool:
    """Whether a member may be the content of a file."""
    return _CONTENT.fullmatch(name) is not None


def is_member(name: str) -> bool:
    """Whether an archive may have a member of this name."""
    return name in {MANIFEST, SECRETS, *map(lines_of, KINDS)} or is_content(name)


def parse_manifest(text: bytes) -> Manifest:
    """The manifest in these bytes. Raises BadRequest when it is none, or one of a later version."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise refused("its manifest is no JSON") from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise refused("its manifest is of something else")
    if value.get("version") != VERSION:
        raise refused(f"it has version {str(value.get('version'))[:20]}, and this platform reads version {VERSION}")
    members, secrets, left_out = value.get("members"), value.get("secrets"), value.get("secretsLeftOut", 0)
    if not isinstance(members, list) or not isinstance(secrets, (dict, type(None))) or not isinstance(left_out, int):
        raise refused("its manifest is incomplete")
    return Manifest(
        user_id=str(value.get("userId", "")),
        exported=str(value.get("exported", "")),
        members=[_member(each) for each in members],
        secrets=secrets,
        secrets_left_out=left_out,
        incomplete=(),
    )


def refused(why: str) -> errors.BadRequest:
    """The error for what is no archive of ours, or was changed or cut off."""
    return errors.BadRequest(f"The archive cannot be read: {why}. Nothing was imported. Send the export as it came.")


def _member(given: Json) -> Member:
    if isinstance(given, dict):
        name, size, digest = given.get("name"), given.get("bytes"), given.get("sha256")
        if isinstance(name, str) and isinstance(size, int) and isinstance(digest, str) and _SHA256.fullmatch(digest):
            return Member(name, size, digest)
    raise refused("its manifest is incomplete")
