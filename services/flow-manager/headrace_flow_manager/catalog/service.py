"""What can be asked of the catalog. It is handed in once and stays as it is."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from headrace_core import Json
from headrace_core.errors import AlreadyExists, NotFound
from headrace_core.manifest import Manifest

from headrace_flow_manager.catalog.model import App, Bundle, CatalogEntry


class CatalogService:
    """Knows which components there are. Raises AlreadyExists when two of them answer to one name."""

    def __init__(
        self,
        entries: Sequence[CatalogEntry],
        apps: Mapping[str, Mapping[str, Json]],
        bundles: Mapping[str, Mapping[str, Json]],
    ) -> None:
        self._entries = tuple(sorted(entries, key=lambda entry: entry.type))
        self._by_name = _by_name(self._entries)
        self._apps = tuple(App(app_id, apps[app_id]) for app_id in sorted(apps))
        self._bundles = tuple(Bundle(name, str(bundles[name].get("version", ""))) for name in sorted(bundles))

    def under(self, selector: str = "", *, include_private: bool = False) -> Sequence[CatalogEntry]:
        """The components under a selector, by type. Either vendor's spelling of the utilities selects them."""
        return [
            entry for entry in self._entries if entry.is_under(selector) and (include_private or not entry.is_private)
        ]

    def get(self, component_type: str) -> CatalogEntry:
        """The component by any of its names. Raises NotFound."""
        entry = self._by_name.get(component_type)
        if entry is None:
            raise NotFound("component", component_type[:256])
        return entry

    def manifest(self, component_type: str) -> Manifest | None:
        """The manifest of a component by any of its names, or None."""
        entry = self._by_name.get(component_type)
        return None if entry is None else entry.parsed

    def is_private(self, component_type: str) -> bool:
        """Whether the component by any of its names is hidden from the designer; one there is not is not hidden."""
        entry = self._by_name.get(component_type)
        return entry is not None and entry.is_private

    @property
    def types(self) -> Sequence[str]:
        """Every canonical type there is."""
        return [entry.type for entry in self._entries]

    @property
    def quotas(self) -> Collection[str]:
        """The names of the quotas that components ask for."""
        asked = (entry.manifest.get("quota") for entry in self._entries)
        names = {each.get("manager") for each in asked if isinstance(each, dict)}
        return [name for name in names if isinstance(name, str) and name]

    @property
    def apps(self) -> Sequence[App]:
        """Services and modules, by id."""
        return self._apps

    @property
    def bundles(self) -> Sequence[Bundle]:
        """Installed bundles, by name."""
        return self._bundles


def _by_name(entries: Iterable[CatalogEntry]) -> Mapping[str, CatalogEntry]:
    found: dict[str, CatalogEntry] = {}
    for entry in entries:
        for name in entry.names:
            if found.setdefault(name, entry) is not entry:
                raise AlreadyExists(f"Two components answer to {name!r}. Rename one of them.")
    return found
