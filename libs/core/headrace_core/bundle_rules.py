"""What is wrong with the files of a bundle, file by file, before it is published.

The rules are those of the public format: names match folders, manifests are whole, a component has its code, and the
auth and quota modules that it names are there. Whether code parses is found out by who runs it.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from headrace_core import Json, bundles
from headrace_core.bundles import BUNDLE, COMPONENT, COMPONENT_DEPTHS, MODULE, SERVICE, Files
from headrace_core.errors import Problem, ValidationFailed
from headrace_core.flow import kind_of
from headrace_core.manifest import parse_manifest
from headrace_core.quotas import parse_quota

MAX_JSON_BYTES: Final = 2 * 1024 * 1024
MAX_FINDINGS: Final = 200

_WORD = re.compile(r"\w[\w-]{0,63}", re.ASCII)
_VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){2}([-+][0-9A-Za-z.+-]{1,64})?", re.ASCII)
_ICON = re.compile(r"data:image/[\w.+-]+[;,]|https?://[^\s]", re.ASCII)
_EXAMPLE_ICON = "Write a data URI (data:image/svg+xml;base64,…) or the URL of a picture."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: in which file ("" for the archive), where in it, what, and what to do."""

    file: str
    data_path: str
    message: str
    fix: str = ""


def misplaced(files: Files, vendors: Collection[str]) -> list[Finding]:
    """Why an archive is no part of one service of these vendors; nothing when it is."""
    services = bundles.services_in(files)
    if "" in services:
        loose = next(path for path in files if path.count("/") < bundles.SERVICE_DEPTH)
        return [Finding(loose, "", "The file lies in no service.", "Files lie in vendor/service/…; pack them so.")]
    if len(services) > 1:
        named = ", ".join(services[:5])
        return [Finding("", "", f"The archive holds {len(services)} services: {named}.", "Publish each by itself.")]
    vendor, service = services[0].split(".", 1)
    odd = next((word for word in (vendor, service) if not _WORD.fullmatch(word)), None)
    if odd is not None:
        return [Finding("", "", f"{odd!r} is no name.", "Use letters, digits, _ and -.")]
    if vendor not in vendors:
        yours = ", ".join(sorted(vendors)[:10])
        return [Finding("", "", f"You are no developer of the vendor {vendor!r}.", f"Yours are: {yours}.")]
    return []


def findings(whole: Files, touched: Collection[str], taken: Callable[[str], bool]) -> list[Finding]:
    """Everything that is wrong with the `touched` files of a service, given all of its files; at most 200.

    `taken` says whether a component comes with Headrace, so that nobody else may publish one of its name.
    """
    found: list[Finding] = []
    for path in sorted(touched):
        found += _file(whole, path, taken)
    if not any(path.endswith(f"/{COMPONENT}") for path in whole):
        found.append(Finding("", "", "There is no component in it.", "A component has a component.json."))
    return found[:MAX_FINDINGS]


def _file(files: Files, path: str, taken: Callable[[str], bool]) -> Iterator[Finding]:
    folder, _, name = path.rpartition("/")
    if name == "quota.py":
        yield from _quota(files, path)
    rules = _RULES.get(name)
    if rules is None:
        return
    if len(files[path]) > MAX_JSON_BYTES:
        yield Finding(path, "", f"It has {len(files[path])} bytes, and {MAX_JSON_BYTES} are allowed.")
        return
    try:
        value = bundles.read_object(files[path])
    except ValueError as error:
        yield Finding(path, "", str(error), "Mend the file.")
        return
    for problem in rules(files, folder, value):
        where = problem.where.removeprefix("manifest.").removeprefix("manifest")
        yield Finding(path, f".{where}" if where else "", problem.message, problem.fix)
    if name == COMPONENT and taken(bundles.name_of(folder)):
        yield Finding(path, ".name", "A component of this name comes with Headrace.", "Choose another name.")


def _quota(files: Files, path: str) -> Iterator[Finding]:
    """Rules in Python are read and never run, so what cannot be read would limit nothing."""
    if path.removesuffix(".py") + ".js" in files:
        yield Finding(path, "", "There is a quota.js beside it.", "Keep one of them.")
    try:
        parse_quota(files[path].decode("utf-8-sig"))
    except UnicodeDecodeError:
        yield Finding(path, "", "It is not UTF-8.", "Save it as UTF-8.")
    except ValidationFailed as failed:
        for problem in failed.problems:
            where = "" if problem.where == "source" else f".{problem.where}"
            yield Finding(path, where, problem.message, problem.fix)


def _component(files: Files, folder: str, value: Mapping[str, Json]) -> Iterator[Problem]:
    depth = folder.count("/") + 1
    if depth not in COMPONENT_DEPTHS:
        yield Problem("", "A component does not lie here.", "Put it in vendor/service/module/Component.")
        return
    try:
        parse_manifest(dict(value))
    except ValidationFailed as failed:
        yield from (problem for problem in failed.problems if problem.severity == "error")
    yield from _named(folder, value)
    yield from _texts(value, ())
    if bundles.language_of(files, folder) is None:
        behaviour = f"{folder.rpartition('/')[2]}.js"
        both = f"{folder}/{bundles.PYTHON}" in files
        said = "There is code in both languages." if both else "There is no code beside it."
        yield Problem("", said, f"Put either {bundles.PYTHON} or {behaviour} into the folder.")
    yield from _needs(files, folder, value, "auth", "service")
    yield from _needs(files, folder, value, "quota", "manager")


def _app(files: Files, folder: str, value: Mapping[str, Json]) -> Iterator[Problem]:
    yield from _named(folder, value)
    yield from _texts(value, ("label", "category", "icon", "description"))
    for key, kind in (("private", bool), ("localization", dict), ("configuration", dict)):
        if key in value and not isinstance(value[key], kind):
            wanted = "true or false" if kind is bool else "an object"
            yield Problem(key, f"It is {kind_of(value[key])}.", f"Write {wanted}.")


def _service(files: Files, folder: str, value: Mapping[str, Json]) -> Iterator[Problem]:
    if folder.count("/") != 1:
        yield Problem("", "A service is not described here.", "Put service.json into vendor/service.")
        return
    yield from _app(files, folder, value)


def _module(files: Files, folder: str, value: Mapping[str, Json]) -> Iterator[Problem]:
    if folder.count("/") != 2:
        yield Problem("", "A module is not described here.", "Put module.json into vendor/service/module.")
        return
    yield from _app(files, folder, value)


def _bundle(files: Files, folder: str, value: Mapping[str, Json]) -> Iterator[Problem]:
    yield from _named(folder, value)
    if "version" not in value:
        yield Problem("version", "There is no version.", 'Write "version": "1.0.0".')
    yield from _texts(value, ())
    changelog = value.get("changelog", {})
    if not isinstance(changelog, dict):
        yield Problem("changelog", f"It is {kind_of(changelog)}.", 'Write {"1.0.0": ["What is new."]}.')


def _package(files: Files, folder: str, value: Mapping[str, Json]) -> Iterator[Problem]:
    dependencies = value.get("dependencies", {})
    if not isinstance(dependencies, dict) or not all(isinstance(each, str) for each in dependencies.values()):
        yield Problem("dependencies", "It is no object of versions.", 'Write {"package": "1.2.3"}.')


_RULES: Final[Mapping[str, Callable[[Files, str, Mapping[str, Json]], Iterator[Problem]]]] = {
    COMPONENT: _component,
    SERVICE: _service,
    MODULE: _module,
    BUNDLE: _bundle,
    "package.json": _package,
}


def _named(folder: str, value: Mapping[str, Json]) -> Iterator[Problem]:
    expected = bundles.name_of(folder)
    if value.get("name") != expected:
        shown = str(value.get("name", ""))[:200]
        said = f"The name is {shown!r}, and the folder is {folder}." if shown else "There is no name."
        yield Problem("name", said, f"Write {expected!r}, or move the folder.")


def _texts(value: Mapping[str, Json], needed: tuple[str, ...]) -> Iterator[Problem]:
    for key in needed:
        if key not in value:
            yield Problem(key, f"There is no {key}.", "Write some text.")
        elif not isinstance(value[key], str):
            yield Problem(key, f"It is {kind_of(value[key])}.", "Write text.")
    icon, version = value.get("icon"), value.get("version")
    if isinstance(icon, str) and icon and not _ICON.match(icon):
        yield Problem("icon", "It is no picture.", _EXAMPLE_ICON)
    if version is not None and not (isinstance(version, str) and _VERSION.fullmatch(version)):
        yield Problem("version", f"{str(version)[:40]!r} is no semantic version.", "Write 1.0.0 or the like.")


def _needs(files: Files, folder: str, value: Mapping[str, Json], kind: str, key: str) -> Iterator[Problem]:
    """A module of this service that the manifest names and that is not there. Those of others are looked for later."""
    use = value.get(kind)
    named = use.get(key) if isinstance(use, dict) else None
    if not isinstance(named, str) or not named:
        return
    home, own = named.replace(":", "/"), "/".join(folder.split("/")[: bundles.SERVICE_DEPTH])
    if not f"{home}/".startswith(f"{own}/") or any(f"{home}/{kind}.{ending}" in files for ending in ("js", "py")):
        return
    yield Problem(
        f"{kind}.{key}", f"There is no {kind}.js in {home}.", f"Publish it with {home}, or name another {key}."
    )
