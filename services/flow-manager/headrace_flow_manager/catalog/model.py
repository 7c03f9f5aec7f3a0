"""What the catalog knows of a component, an app and a bundle."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from headrace_core import Json
from headrace_core.flow import normalize_type
from headrace_core.manifest import Manifest, parse_manifest

_HEADRACE = "headrace."
_APPMIXER = "appmixer."
_SHARED = "headrace.utils."


@dataclass(frozen=True)
class CatalogEntry:
    """One component as published: its canonical type, its manifest and the other names it answers to."""

    type: str
    manifest: Mapping[str, Json]
    aliases: tuple[str, ...] = ()

    @cached_property
    def parsed(self) -> Manifest:
        """The manifest as values. Raises ValidationFailed when it breaks rules."""
        return parse_manifest(dict(self.manifest))

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
