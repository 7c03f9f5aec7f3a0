"""Publishes connectors in Appmixer's layout, service by service, and loads each component where it would run."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from headrace_connectors import load_builtin
from headrace_core import bundles
from headrace_core.archives import LIMITS, write_archive
from headrace_core.errors import HeadraceError, NotFound
from headrace_executor.context import Doors
from headrace_executor.ports import PluginPlace, PublishedComponent, ServicePlugins
from headrace_executor.runners.plugins import PluginContext
from headrace_executor.runners.pool import Key, Runners
from headrace_executor.settings import RunnerSettings
from headrace_flow_manager.configuration import FlowManagerSettings
from headrace_flow_manager.npm import Npm
from headrace_sdk.errors import ComponentError

from tests.connectors.public.paths import is_plain, walk
from tests.executor.neighbours import MemoryFileStore, MemoryLocks, MemoryStoreService
from tests.executor.platform import HandedFlows, Platform, Rooms, platform
from tests.flow_manager.house import House, open_house
from tests.flow_manager.test_publishing import developer, hand_in, outcome

LEFT_OUT = frozenset({"node_modules", "artifacts", ".git"})
MODULES = ("/auth.js", "/quota.js", "/plugin.js")
AT_ONCE = 3
LOOK_SECONDS = 0.2
LOADING = RunnerSettings(most=3, hang_after=timedelta(seconds=60), start_within=timedelta(seconds=60))
TAKEN = "comes with Headrace"
LONGEST_WORDS = 160


@dataclass
class Row:
    """What became of one component."""

    type: str
    refused: str = ""  # why its manifest is not accepted
    failed: str = ""  # why its behaviour does not load
    verbs: tuple[str, ...] = ()
    is_walked: bool = False  # it needs no account and no package, and was called
    missed: str = ""  # what was wrong with that

    @property
    def is_builtin(self) -> bool:
        return TAKEN in self.refused

    @property
    def is_accepted(self) -> bool:
        return not self.refused or self.is_builtin

    @property
    def is_loaded(self) -> bool:
        return self.is_accepted and not self.is_builtin and not self.failed


@dataclass
class Table:
    """All of them, and what was said of packages."""

    rows: list[Row] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)  # by package.json: why its packages are not there
    modules: dict[str, str] = field(default_factory=dict)  # auth, quota and plugins: "" or why they do not load

    @property
    def accepted(self) -> float:
        return _share(row.is_accepted for row in self.rows)

    @property
    def loaded(self) -> float:
        return _share(row.is_loaded for row in self.rows if row.is_accepted and not row.is_builtin)

    @property
    def walked(self) -> float:
        return _share(not row.missed for row in self.rows if row.is_walked)

    def markdown(self) -> str:
        """For people."""
        walked = sum(row.is_walked for row in self.rows)
        builtin = sum(row.is_builtin for row in self.rows)
        lines = [
            f"{len(self.rows)} components, {builtin} of which come with Headrace.",
            f"Manifests accepted: {self.accepted:.1%}. Behaviours loaded, of those published: {self.loaded:.1%}.",
            f"Auth, quota and plugin modules loaded: {_share(not each for each in self.modules.values()):.1%}"
            f" of {len(self.modules)}.",
            f"Basic paths walked, of those that need no account and no package: {self.walked:.1%} of {walked}.",
            "",
            "| component | what is wrong |",
            "|---|---|",
        ]
        lines += [f"| {path} | packages: {said} |" for path, said in sorted(self.packages.items())]
        lines += [f"| {path} | {said} |" for path, said in sorted(self.modules.items()) if said]
        lines += [
            f"| {row.type} | {'refused: ' + row.refused if row.refused else row.failed} |"
            for row in sorted(self.rows, key=lambda each: each.type)
            if not row.is_loaded and not row.is_builtin
        ]
        lines += [f"| {row.type} | {row.missed} |" for row in self.rows if row.missed]
        reasons = Counter(re.sub(r"'[^']*'|\S+/\S+", "…", row.failed) for row in self.rows if row.failed)
        lines += ["", "| reason | components |", "|---|---|"]
        lines += [f"| {reason} | {count} |" for reason, count in reasons.most_common()]
        return "\n".join(lines) + "\n"


async def look_at(
    folder: Path, work: Path, say: Callable[[str], None], only: Sequence[str] = (), archives: str = ""
) -> Table:
    """Publish and load every service below the folder; `only` some, by name."""
    table = Table()
    flows, catalog = HandedFlows(), _Catalog()
    npm = Npm(archives=archives or FlowManagerSettings().github_archives, cache=work / "npm")
    async with (
        open_house(work, packages=npm, catalog=load_builtin(), clock=None) as house,
        platform(
            work,
            flows,
            shelf=_Source(house),
            runners=LOADING,
            rooms=Rooms(MemoryLocks(), MemoryStoreService(), MemoryFileStore()),
            catalog=catalog,
            retry_count=1,
        ) as here,
        asyncio.TaskGroup() as tasks,
    ):
        look = _Look(house, here, flows, catalog, table, say)
        for service, place in services(folder):
            if not only or service in only:
                tasks.create_task(look.at(service, place))
    return table


def services(folder: Path) -> Iterable[tuple[str, Path]]:
    """Each service by name with the folder that holds its vendor's."""
    root = folder / "src" if (folder / "src").is_dir() else folder
    for place in sorted(root.glob("*/*")):
        if place.is_dir() and any(place.rglob(bundles.COMPONENT)):
            yield f"{place.parent.name}.{place.name}", root


def files_of(root: Path, service: str) -> dict[str, bytes]:
    """The files of a service as a developer would pack them."""
    found = {}
    for file in (root / bundles.folder_of(service)).rglob("*"):
        path = file.relative_to(root)
        is_small = file.is_file() and file.stat().st_size <= LIMITS.entry_bytes
        if is_small and LEFT_OUT.isdisjoint(path.parts) and not path.name.startswith("."):
            found[path.as_posix()] = file.read_bytes()
    return found


class _Look:
    """Looks at one service after the other, a few at a time."""

    def __init__(
        self,
        house: House,
        here: Platform,
        flows: HandedFlows,
        catalog: _Catalog,
        table: Table,
        say: Callable[[str], None],
    ) -> None:
        self._house = house
        self._here = here
        self._flows = flows
        self._catalog = catalog
        self._table = table
        self._say = say
        self._room = asyncio.Semaphore(AT_ONCE)

    async def at(self, service: str, root: Path) -> None:
        async with self._room:
            given = files_of(root, service)
            files = dict(given)
            rows = {folder: Row(bundles.name_of(folder)) for folder in _components(files)}
            await _publish(self._house, service, files, rows, self._table)
            content = (await self._house.app.publishing._store.published()).contents.get(service, "")
            left = [folder for folder, row in rows.items() if not row.refused]
            self._catalog.publish(service, content, files, left)
            runners = self._here.app.runners
            for folder in left:
                await _load(runners, content, folder, rows[folder])
            if content:
                await _load_modules(runners, self._here.app.doors, content, files, self._table)
            for folder in left:
                if rows[folder].is_loaded and is_plain(given, folder):
                    await self._walk(rows[folder])
            self._table.rows += rows.values()
            loaded = sum(row.is_loaded for row in rows.values())
            self._say(f"{service}: {len(rows)} components, {len(left)} published, {loaded} loaded")

    async def _walk(self, row: Row) -> None:
        published = self._catalog.components[row.type]
        wrong = await walk(self._here, self._flows, published, frozenset(row.verbs))
        row.is_walked = wrong is not None
        row.missed = (wrong or "")[:LONGEST_WORDS]


class _Catalog:
    """Keeps `ports.Catalog` for what was published here."""

    def __init__(self) -> None:
        self.components: dict[str, PublishedComponent] = {}
        self._plugins: dict[str, ServicePlugins] = {}

    def publish(self, service: str, content: str, files: Mapping[str, bytes], folders: Iterable[str]) -> None:
        for folder in folders:
            manifest = json.loads(files[f"{folder}/{bundles.COMPONENT}"].decode("utf-8-sig"))
            name = bundles.name_of(folder)
            self.components[name] = PublishedComponent(name, manifest, content, folder, "javascript")
        places = [PluginPlace(path.rpartition("/")[0], "javascript") for path in files if path.endswith("/plugin.js")]
        self._plugins[service] = ServicePlugins(service, content, places, {})

    async def component(self, tenant_id: str, component_type: str, bundle_id: str = "") -> PublishedComponent:
        if component_type not in self.components:
            raise NotFound("component", component_type)
        return self.components[component_type]

    async def plugins(self, service: str, user_id: str | None) -> ServicePlugins:
        if service not in self._plugins:
            raise NotFound("plugin", service)
        return self._plugins[service]


async def _publish(house: House, service: str, files: dict[str, bytes], rows: Mapping[str, Row], table: Table) -> None:
    """Publish what is accepted, and note why the rest is not."""
    vendor = service.partition(".")[0]
    tenant = await developer(house, service.replace(".", "-").lower(), vendor)
    size = -1
    while any(path.endswith(f"/{bundles.COMPONENT}") for path in files):
        assert size != (size := sum(map(len, files.values()))), f"{service} is refused for ever."
        ticket = await hand_in(house, tenant, write_archive(files))
        while not (told := await outcome(house, tenant, ticket)).finished:
            await house.app.publishing.round()
            await asyncio.sleep(LOOK_SECONDS)
        if not told.error:
            return
        findings = list(told.findings)
        for finding in findings:
            said = " ".join(filter(None, (finding.data_path, finding.message)))[:LONGEST_WORDS]
            place = finding.file.rpartition("/")[0]
            if finding.file.endswith("/package.json"):
                table.packages[f"{finding.file} {finding.data_path}"] = said
                _without_dependency(files, finding.file, finding.data_path.removeprefix(".dependencies").strip("."))
            elif place in rows:
                rows[place].refused = said
                _drop(files, place)
            elif finding.file:
                files.pop(finding.file, None)
        if not any(finding.file for finding in findings):
            for row in rows.values():
                row.refused = row.refused or f"{told.error} {findings[0].message if findings else ''}"[:LONGEST_WORDS]
            return


async def _load(runners: Runners, content: str, folder: str, row: Row) -> None:
    try:
        found = await runners.describe(Key(row.type, content, language="javascript")._replace(tenant_id="t"), folder)
    except (ComponentError, HeadraceError, OSError) as error:
        row.failed = str(error).splitlines()[0][:LONGEST_WORDS]
    except Exception as error:  # what a component's module throws
        row.failed = f"{type(error).__name__}: {error}".splitlines()[0][:LONGEST_WORDS]
    else:
        row.verbs = tuple(sorted(found.verbs))
        if not found.verbs and not found.transforms:
            row.failed = "It exports no function."


async def _load_modules(runners: Runners, doors: Doors, content: str, files: Mapping[str, bytes], table: Table) -> None:
    for folder in sorted({path.rpartition("/")[0] for path in files if path.endswith(MODULES)}):
        context = PluginContext(doors, "t", ".".join(folder.split("/")[:2]))
        found = await runners.describe_folder(Key("t", content, language="javascript"), folder, context)
        for name in MODULES:
            if f"{folder}{name}" in files:
                failure = found.failures.get(name[1:])
                table.modules[f"{folder}{name}"] = failure.message[:LONGEST_WORDS] if failure else ""


class _Source:
    """Bundles as the flow manager gives them out."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def read(self, bundle_id: str) -> AsyncIterator[bytes]:
        async for piece in self._house.app.publishing.bundle(bundle_id):
            yield piece


def _components(files: Mapping[str, bytes]) -> list[str]:
    return sorted(path.rpartition("/")[0] for path in files if path.endswith(f"/{bundles.COMPONENT}"))


def _drop(files: dict[str, bytes], folder: str) -> None:
    for path in [each for each in files if each.startswith(f"{folder}/")]:
        if path.endswith((bundles.COMPONENT, f"{folder.rpartition('/')[2]}.js")):
            del files[path]


def _without_dependency(files: dict[str, bytes], path: str, name: str) -> None:
    """Leave one package out, or all where none is named."""
    described = json.loads(files.pop(path, b"{}"))
    if name:
        described["dependencies"].pop(name, None)
        files[path] = json.dumps(described).encode()


def _share(answers: Iterable[bool]) -> float:
    told = list(answers)
    return sum(told) / len(told) if told else 1.0
