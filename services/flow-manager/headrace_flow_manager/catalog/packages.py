"""The npm packages of a bundle: which it wants where, and the file that says which content of packages it has.

They are installed once, when the bundle is published, and kept as a content of their own. The bundle names it in a file
of its own files, so its content id holds for its packages too. Functions are pure.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from headrace_core import bundles
from headrace_core.bundle_rules import Finding
from headrace_core.bundles import PACKAGES, Files

Wanted = Mapping[str, Mapping[str, str]]
"""By folder of the bundle: packages with the versions that fit."""

BASE: Final[Mapping[str, str]] = {
    "ajv": "^8.17.0",
    "axios": "^1.7.0",
    "bluebird": "^3.7.2",
    "check-types": "^11.2.3",
    "cheerio": "^1.0.0",
    "content-type": "^1.0.5",
    "cron-parser": "^4.9.0",
    "csv-parse": "^5.5.0",
    "csv-stringify": "^6.5.0",
    "form-data": "^4.0.0",
    "html-entities": "^2.5.0",
    "iconv-lite": "^0.6.3",
    "joi": "^17.13.0",
    "json-pointer": "^0.6.2",
    "jsonata": "^2.0.5",
    "jsonwebtoken": "^9.0.2",
    "lodash": "^4.17.21",
    "mime-types": "^2.1.35",
    "moment": "^2.30.1",
    "moment-timezone": "^0.5.45",
    "node-fetch": "^2.7.0",
    "qs": "^6.13.0",
    "request": "^2.88.2",
    "request-promise": "^4.2.6",
    "uuid": "^9.0.1",
    "verror": "^1.10.1",
    "xml2js": "^0.6.2",
}
"""What connectors load without declaring it, because the engine that they were written for had it at hand."""

_NAME = re.compile(r"(@[\w.~-]+/)?[\w.~-]+", re.ASCII)
_RANGE = re.compile(r"(npm:(@[\w.~-]+/)?[\w.~-]+@)?[\w .*^~<>=|+-]*", re.ASCII)
_GITHUB = re.compile(
    r"(?:(?:git\+)?https://github\.com/|github:)([\w-]+)/([\w.-]+?)(?:\.git)?(?:#([\w.^~<>=:/-]+))?", re.ASCII
)
_LOADS = re.compile(r"""(?:\brequire\s*\(\s*|\bimport\s*\(\s*|\bfrom\s+)['"]([^'".][^'"]*)['"]""")


class NotInstalled(Exception):
    """The packages cannot be had."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(each.message for each in findings))
        self.findings = findings


class PackageSource(Protocol):
    """Gets packages."""

    async def pack(self, wanted: Wanted) -> bytes:
        """An archive (tar, gzip) with a `node_modules` in each of the folders. Raises NotInstalled."""
        ...


class NoPackages:
    """Of an installation that gets none."""

    async def pack(self, wanted: Wanted) -> bytes:
        raise NotInstalled(
            [
                Finding(f"{folder}/package.json", ".dependencies", "This installation gets no packages.")
                for folder in sorted(wanted)
            ]
        )


def wanted_by(files: Files) -> Wanted:
    """The packages of each package.json, and at the service those of `BASE` that are loaded without being declared."""
    found: dict[str, dict[str, str]] = {}
    if not any(path.endswith(".js") for path in files):
        return found
    for path in sorted(files):
        folder, _, name = path.rpartition("/")
        if name == "package.json":
            declared = _dependencies(files[path])
            if declared:
                found[folder] = declared
    [service] = bundles.services_in(files)
    home = bundles.folder_of(service)
    missing = {name: BASE[name] for name in sorted(_undeclared(files, found)) if name in BASE}
    if missing:
        found[home] = {**missing, **found.get(home, {})}
    return found


def findings(wanted: Wanted) -> list[Finding]:
    """What is wrong with the packages that are wanted: registered ones can be had, and repositories at GitHub."""
    found = []
    for folder, packages in wanted.items():
        for name, version in packages.items():
            is_known = _RANGE.fullmatch(version) or github(version) is not None
            if not _NAME.fullmatch(name) or not is_known:
                said = f"{version[:100]!r} is no version of a registered package."
                found.append(
                    Finding(
                        f"{folder}/package.json", f".dependencies.{name[:100]}", said, "Write a range such as ^1.2.0."
                    )
                )
    return found


def github(version: str) -> tuple[str, str, str] | None:
    """Owner, name and branch, tag or commit where the version is a repository at GitHub."""
    found = _GITHUB.fullmatch(version)
    if found is None or ".." in version:
        return None
    return found[1], found[2], (found[3] or "HEAD").removeprefix("semver:")


def request_id(wanted: Wanted) -> str:
    """The same for the same wishes."""
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()


def note(wanted: Wanted, content_id: str) -> bytes:
    """The file that a bundle keeps of its packages."""
    return json.dumps({"wanted": request_id(wanted), "content": content_id}, indent=1).encode() + b"\n"


def noted(files: Files) -> tuple[str, str]:
    """What the bundle's file says: which wishes, and the content they led to; "" where there is none."""
    for path, content in files.items():
        if path.endswith(f"/{PACKAGES}") and path.count("/") == bundles.SERVICE_DEPTH:
            said = bundles.read_object(content)
            return str(said.get("wanted", "")), str(said.get("content", ""))
    return "", ""


def without_note(files: Files) -> dict[str, bytes]:
    """The files as their author knows them."""
    return {path: content for path, content in files.items() if not path.endswith(f"/{PACKAGES}")}


def content_id(archive: bytes) -> str:
    """The hex SHA-256 of the archive."""
    return hashlib.sha256(archive).hexdigest()


def _dependencies(content: bytes) -> dict[str, str]:
    found = bundles.read_object(content).get("dependencies")
    return {name: str(version) for name, version in found.items()} if isinstance(found, dict) else {}


def _undeclared(files: Files, declared: Wanted) -> Iterator[str]:
    for path, content in files.items():
        if not path.endswith(".js") or "node_modules" in path:
            continue
        parts = path.split("/")
        known = {name for depth in range(len(parts)) for name in declared.get("/".join(parts[:depth]), {})}
        for loaded in _LOADS.findall(content.decode("utf-8", "replace")):
            name = "/".join(loaded.split("/")[: 2 if loaded.startswith("@") else 1])
            if name not in known:
                yield name
