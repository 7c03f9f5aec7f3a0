"""Packages of published JavaScript, by npm. No install script runs; of the bundle only names and ranges are read."""

import asyncio
import contextlib
import json
import os
import re
import signal
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from headrace_core.bundle_rules import Finding
from headrace_runtime import nodejs, packages_archive
from headrace_runtime.nodejs import find_npm

from headrace_flow_manager.catalog.packages import NotInstalled, Wanted, github

WITHIN = timedelta(minutes=4)
LONGEST_WORDS = 600

_COMMAND = (
    "install",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-bin-links",
    "--no-package-lock",
    "--no-update-notifier",
    "--omit=dev",
    "--omit=optional",
    "--allow-git=none",
    "--allow-file=none",
    "--allow-directory=none",
    "--allow-remote=root",
    "--loglevel=error",
)
_LENIENT = "--force"  # what packages want beside them is there, in versions that they did not ask for
_LEFT_OUT = re.compile(r"\.(map|d\.ts|d\.mts|d\.cts|md|markdown|flow|node)$", re.IGNORECASE)
"""Nothing that a program loads; and compiled code, which the runner does not load either."""


class Npm:
    """Installs with the npm that is there.

    `binary` names another one than the path has. Repositories at GitHub are had as archives, from `archives`.
    Downloads are kept in `cache`, else only as long as they are needed.
    """

    def __init__(self, binary: str = "", archives: str = "", cache: Path | None = None) -> None:
        self._binary = binary
        self._archives = archives.rstrip("/")
        self._cache = cache

    async def pack(self, wanted: Wanted) -> bytes:
        """See `PackageSource.pack`."""
        npm = find_npm(self._binary)
        if npm is None:
            raise NotInstalled([_finding(folder, _no_npm(packages)) for folder, packages in sorted(wanted.items())])
        with tempfile.TemporaryDirectory(prefix="headrace-packages-") as home:
            work = Path(home, "work")
            problems = []
            async with asyncio.timeout(WITHIN.total_seconds() * 2):
                for folder, packages in sorted(wanted.items()):
                    place = work / folder
                    place.mkdir(parents=True, exist_ok=True)
                    said = await self._install(npm, place, packages, self._cache or Path(home, "cache"))
                    if said:
                        problems.append(_finding(folder, f"Its packages cannot be had: {said}", _named(said, packages)))
            if problems:
                raise NotInstalled(problems)
            return await asyncio.to_thread(_archive, work, sorted(wanted))

    async def _install(self, npm: nodejs.Npm, place: Path, packages: Mapping[str, str], cache: Path) -> str:
        """What went wrong; "" when nothing did."""
        described = {"name": "bundle", "version": "1.0.0", "private": True, "dependencies": self._resolved(packages)}
        (place / "package.json").write_text(json.dumps(described))
        said = await _run(npm, [*_COMMAND, f"--cache={cache}"], place)
        if "ERESOLVE" in said:
            said = await _run(npm, [*_COMMAND, _LENIENT, f"--cache={cache}"], place)
        return said

    def _resolved(self, packages: Mapping[str, str]) -> dict[str, str]:
        """The packages with addresses of archives for repositories."""
        found = {}
        for name, version in packages.items():
            repository = github(version)
            if repository is not None:
                owner, project, ref = repository
                version = f"{self._archives}/{owner}/{project}/tar.gz/{ref}"
            found[name] = version
        return found


async def _run(npm: nodejs.Npm, arguments: list[str], place: Path) -> str:
    given = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    process = await asyncio.create_subprocess_exec(
        *npm.command,
        *arguments,
        cwd=place,
        env=npm.environment(given),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            _, written = await process.communicate()
    except TimeoutError:
        return f"npm was not done within {WITHIN.total_seconds():g} s."
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return "" if process.returncode == 0 else _words(written.decode("utf-8", "replace"), place)


def _words(written: str, place: Path) -> str:
    """What npm said, without what only matters on this machine."""
    lines = [re.sub(r"^npm (error|ERR!) ?", "", line) for line in written.splitlines()]
    kept = [line for line in lines if line.strip() and "complete log" not in line and "_logs" not in line]
    text = " ".join(kept).replace(str(place), "").strip()
    return re.sub(r"https?://\S+", "the registry", text)[:LONGEST_WORDS] or "npm failed and did not say why."


def _archive(work: Path, folders: list[str]) -> bytes:
    try:
        return packages_archive.pack(work, _files(work, folders))
    except packages_archive.TooMuch as error:
        raise NotInstalled([Finding("", "", str(error))]) from None


def _files(work: Path, folders: list[str]) -> Iterator[Path]:
    for folder in folders:
        for place, _, names in os.walk(work / folder / "node_modules"):
            for name in names:
                file = Path(place, name)
                if not _LEFT_OUT.search(name) and name != ".package-lock.json" and not file.is_symlink():
                    yield file


def _no_npm(packages: Mapping[str, str]) -> str:
    names = ", ".join(sorted(packages)[:10])
    return f"It needs packages ({names}), and this installation has no npm: install Node.js 20 or newer."


def _named(said: str, packages: Mapping[str, str]) -> str:
    """The package that npm speaks of, where it is one of these."""
    found = re.search(r"(?:found for |')((?:@[\w.~-]+/)?[\w.~-]+)@", said)
    return found[1] if found and found[1] in packages else ""


def _finding(folder: str, message: str, package: str = "") -> Finding:
    return Finding(f"{folder}/package.json", f".dependencies{'.' if package else ''}{package}", message)
