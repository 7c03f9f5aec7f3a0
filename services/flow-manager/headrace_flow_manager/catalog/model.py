"""What the catalog knows of a component, an app and a bundle."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from headrace_core import Json
from headrace_core.bundles import Description, Files, Language
from headrace_core.flow import normalize_type
from headrace_core.manifest import Manifest, parse_manifest
from headrace_core.sources import named_types

AUTH_MODULES: Mapping[str, Language] = {"auth.js": "javascript", "auth.py": "python"}
"""Files that say how accounts are opened, and what they are written in."""

PLUGIN_MODULES: Mapping[str, Language] = {"plugin.js": "javascript", "routes.py": "python"}
"""Files that answer HTTP requests and have jobs, and what they are written in."""

PLUGIN_SLASHES = (1, 2)
"""In the path of a folder that may have one: vendor/service, vendor/service/module."""

_HEADRACE = "headrace."
_APPMIXER = "appmixer."
_SHARED = "headrace.utils."


@dataclass(frozen=True)
class CatalogEntry:
    """One component as published: its canonical type, its manifest and the other names it answers to.

    One that vendors published has a place: the content it lies in, its folder there, and what it is written in.
    """

    type: str
    manifest: Mapping[str, Json]
    aliases: tuple[str, ...] = ()
    bundle_id: str = ""
    root: str = ""
    language: Language | None = None

    @cached_property
    def parsed(self) -> Manifest:
        """The manifest as values. Raises ValidationFailed when it breaks rules."""
        return parse_manifest(dict(self.manifest))

    @cached_property
    def sources(self) -> frozenset[str]:
        """The types of the components that its forms and ports are made by."""
        return named_types(self.manifest)

    @property
    def version(self) -> str:
        """The component's version; may be empty."""
        version = self.manifest.get("version")
        return version if isinstance(version, str) else ""

    @property
    def is_private(self) -> bool:
        """Whether the designer hides it."""
        return self.manifest.get("private") is True

    @property
    def names(self) -> tuple[str, ...]:
        """Every spelling of its type; the shared utilities go by the name of either vendor."""
        canonical = normalize_type(self.type)
        names = (self.type, canonical, *self.aliases)
        if canonical.startswith(_SHARED):
            names += (_APPMIXER + canonical[len(_HEADRACE) :],)
        return tuple(dict.fromkeys(names))

    @property
    def vendor(self) -> str:
        """Whose it is."""
        return self.type.partition(".")[0]

    def is_shown_to(self, vendors: Collection[str]) -> bool:
        """Whether somebody of those vendors may see it: what was published as private is its vendor's alone."""
        return not self.bundle_id or not self.is_private or self.vendor in vendors

    def is_under(self, selector: str) -> bool:
        """Whether the selector is empty, one of its names, or the beginning of one up to a dot."""
        return not selector or any(f"{name}.".startswith(f"{selector}.") for name in self.names)


@dataclass(frozen=True, slots=True)
class App:
    """A service or module as the designer lists it."""

    app_id: str
    description: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Bundle:
    """One publishable unit."""

    name: str
    version: str


def description_to_json(description: Description) -> dict[str, Json]:
    """What a bundle offers, as it is kept."""
    return {
        "components": [
            {"type": each.type, "manifest": dict(each.manifest), "root": each.root, "language": each.language}
            for each in description.components
        ],
        "apps": {name: dict(app) for name, app in description.apps.items()},
        "bundles": {name: dict(bundle) for name, bundle in description.bundles.items()},
        "quotas": dict(description.quotas),
    }


def auths_in(files: Files) -> dict[str, Json]:
    """What a bundle's auth modules are written in, by the services whose accounts they open."""
    return {
        folder.replace("/", ":"): AUTH_MODULES[name]
        for folder, _, name in (path.rpartition("/") for path in sorted(files))
        if name in AUTH_MODULES
    }


def plugins_in(files: Files) -> dict[str, Json]:
    """What a bundle's plugins are written in, by their folders: of a service, or of a module."""
    return {
        folder: PLUGIN_MODULES[name]
        for folder, _, name in (path.rpartition("/") for path in sorted(files))
        if name in PLUGIN_MODULES and folder.count("/") in PLUGIN_SLASHES
    }


@dataclass(frozen=True, slots=True)
class PluginModule:
    """Where a plugin lies."""

    bundle_id: str
    folder: str
    language: str

    @property
    def service(self) -> str:
        """The service that it is of, by name."""
        return ".".join(self.folder.split("/")[:2])


@dataclass(frozen=True, slots=True)
class AuthModule:
    """Where the auth module of a service lies."""

    service: str
    bundle_id: str
    folder: str
    language: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What a kept content offers."""

    entries: tuple[CatalogEntry, ...]
    apps: Mapping[str, Mapping[str, Json]]
    bundles: Mapping[str, Mapping[str, Json]]
    quotas: Mapping[str, str]
    packages: str = ""  # the content of npm packages that goes with it
    auths: Mapping[str, AuthModule] = field(default_factory=dict)  # by service
    plugins: tuple[PluginModule, ...] = ()


def offer_of(content_id: str, kept: Mapping[str, Json]) -> Offer:
    """The offer whose description `description_to_json` wrote."""
    components = kept.get("components")
    entries = (
        _entry(content_id, each)
        for each in (components if isinstance(components, list) else [])
        if isinstance(each, dict)
    )
    kept_auths = kept.get("auths")
    auths = {
        service: AuthModule(service, content_id, service.replace(":", "/"), str(language))
        for service, language in (kept_auths.items() if isinstance(kept_auths, dict) else ())
    }
    kept_plugins = kept.get("plugins")
    plugins = (
        PluginModule(content_id, folder, str(language))
        for folder, language in (kept_plugins.items() if isinstance(kept_plugins, dict) else ())
    )
    quotas = kept.get("quotas")
    return Offer(
        tuple(entries),
        _objects(kept.get("apps")),
        _objects(kept.get("bundles")),
        {name: str(source) for name, source in (quotas if isinstance(quotas, dict) else {}).items()},
        str(kept.get("packages", "")),
        auths,
        tuple(plugins),
    )


def _entry(content_id: str, kept: Mapping[str, Json]) -> CatalogEntry:
    manifest = kept["manifest"]
    return CatalogEntry(
        normalize_type(str(kept["type"])),
        manifest if isinstance(manifest, dict) else {},
        bundle_id=content_id,
        root=str(kept["root"]),
        language="python" if kept["language"] == "python" else "javascript",
    )


def _objects(kept: Json) -> dict[str, Mapping[str, Json]]:
    found = kept if isinstance(kept, dict) else {}
    return {name: value for name, value in found.items() if isinstance(value, dict)}
