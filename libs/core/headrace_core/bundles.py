"""A bundle: the files of one service as they are published, and what lies where in them.

    acme/mail/service.json, bundle.json, auth.js, lib.js     the service, and what its components share
    acme/mail/core/module.json, quota.js                     a module of it
    acme/mail/core/Send/component.json, component.py         a component, in Python or as Send.js

Files of a service may name each other, so a service is kept and run whole. Its content id follows from its files
alone: the same files are the same bundle, wherever and whenever they were published. All functions are pure.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NoReturn

from headrace_core import Json

Files = Mapping[str, bytes]
"""Contents by path, as `archives.read_archive` gives them."""

Language = Literal["python", "javascript"]

COMPONENT: Final = "component.json"
SERVICE: Final = "service.json"
MODULE: Final = "module.json"
BUNDLE: Final = "bundle.json"
PYTHON: Final = "component.py"
QUOTAS: Final = ("quota.js", "quota.py")
PACKAGES: Final = "headrace-packages.json"
"""Which content of npm packages goes with the bundle: written at publishing, in the folder of the service."""

SERVICE_DEPTH = 2
QUOTA_DEPTHS = (2, 3)
COMPONENT_DEPTHS = (3, 4)
"""How many folders down a component lies: vendor/service/Component, or with a module in between."""


@dataclass(frozen=True, slots=True)
class BundledComponent:
    """A component of a bundle: its name as published, its manifest, its folder, and what it is written in."""

    type: str
    manifest: Mapping[str, Json]
    root: str
    language: Language


@dataclass(frozen=True, slots=True)
class Description:
    """What a bundle offers: components by their folder, and by name what the designer lists and what is versioned."""

    components: tuple[BundledComponent, ...]
    apps: Mapping[str, Mapping[str, Json]]
    bundles: Mapping[str, Mapping[str, Json]]
    quotas: Mapping[str, str] = field(default_factory=dict)
    """The sources of quota modules by the name of the quota, `vendor:service` or `vendor:service:module`."""


def content_id(files: Files) -> str:
    """The hex SHA-256 of the member list: for each file, by the bytes of its path, `<SHA-256> <bytes> <path>\\n`."""
    members = hashlib.sha256()
    for path, content in sorted((path.encode(), content) for path, content in files.items()):
        members.update(b"%b %d %b\n" % (hashlib.sha256(content).hexdigest().encode(), len(content), path))
    return members.hexdigest()


def service_of(selector: str) -> str:
    """The service that a type, module or service belongs to: `acme.mail` of `acme.mail.core.Send`."""
    return ".".join(selector.split(".")[:SERVICE_DEPTH])


def folder_of(selector: str) -> str:
    """Where what a selector names lies: `acme/mail/core` for `acme.mail.core`."""
    return selector.replace(".", "/")


def name_of(folder: str) -> str:
    """What lies in a folder, by name: the other way round."""
    return folder.replace("/", ".")


def services_in(files: Files) -> list[str]:
    """The services that files belong to, by name; "" stands for files that lie above all services."""
    folders = ("/".join(path.split("/")[:SERVICE_DEPTH]) if path.count("/") >= SERVICE_DEPTH else "" for path in files)
    return sorted({name_of(folder) for folder in folders})


def merged(former: Files, new: Files) -> dict[str, bytes]:
    """The service after its files `new` are published over what it was.

    A component that comes is replaced whole, and so is a module that comes with its module.json. Other files are
    replaced one by one, and what does not come stays: it is removed by name.
    """
    replaced = {_folder(path) for path in new if path.endswith((f"/{COMPONENT}", f"/{MODULE}"))}
    kept = {path: content for path, content in former.items() if not _is_within(path, replaced)}
    return {**kept, **new}


def without(files: Files, selector: str) -> dict[str, bytes]:
    """What is left when everything under a selector is gone: nothing where no component is left."""
    gone = {folder_of(selector)}
    left = {path: content for path, content in files.items() if not _is_within(path, gone)}
    return left if any(path.endswith(f"/{COMPONENT}") for path in left) else {}


def under(files: Files, selector: str) -> dict[str, bytes]:
    """The files that lie under a selector."""
    wanted = {folder_of(selector)}
    return {path: content for path, content in files.items() if _is_within(path, wanted)}


def describe(files: Files) -> Description:
    """What a bundle offers that has passed `bundle_rules.findings`. Raises ValueError where it has not."""
    components, apps, bundles, quotas = [], {}, {}, {}
    for path in sorted(files):
        folder, _, name = path.rpartition("/")
        if name == COMPONENT:
            language = language_of(files, folder)
            if language is None:
                raise ValueError(f"{folder} holds no code")
            components.append(BundledComponent(name_of(folder), read_object(files[path]), folder, language))
        elif name in (SERVICE, MODULE):
            apps[name_of(folder)] = read_object(files[path])
        elif name == BUNDLE:
            bundles[name_of(folder)] = read_object(files[path])
        elif name in QUOTAS and folder.count("/") + 1 in QUOTA_DEPTHS:
            quotas[folder.replace("/", ":")] = files[path].decode("utf-8-sig", "replace")
    return Description(tuple(components), apps, bundles, quotas)


def language_of(files: Collection[str], folder: str) -> Language | None:
    """What the component in a folder is written in; None when there is no code, or code in both languages."""
    found: list[Language] = []
    if f"{folder}/{PYTHON}" in files:
        found.append("python")
    if f"{folder}/{folder.rpartition('/')[2]}.js" in files:
        found.append("javascript")
    return found[0] if len(found) == 1 else None


def read_object(content: bytes) -> dict[str, Json]:
    """The JSON object of a file. Raises ValueError with what is wrong for people."""
    try:
        value: Json = json.loads(content.decode("utf-8-sig"), parse_constant=_no_number)
    except UnicodeDecodeError:
        raise ValueError("It is not UTF-8.") from None
    except RecursionError:
        raise ValueError("It is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"It is no JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from None
    if not isinstance(value, dict):
        raise ValueError("It is JSON, but no object.")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON.")


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _is_within(path: str, folders: Collection[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:depth]) in folders for depth in range(1, len(parts) + 1))
