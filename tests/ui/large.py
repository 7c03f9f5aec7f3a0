"""The Backoffice over a large platform: `python -m tests.ui.large [embedded|server]`, or `make office`.

5,000 flows of 500 users and 1,000 dead messages; the first rows of every list are painted within a second. Prints how
long making all of that took, what the browser says, and a table of what it measured.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.provider import CLIENT_SECRET, KEY, provider
from tests.system.cluster import Backing, cluster

from .conftest import ROOT
from .seeding import seeded
from .standing import LOGIN, PASSWORD, browse, connect_services, standing

FIRST_PAINT_MS = 1_000
ROUNDS = 5
SECONDS = 900


@asynccontextmanager
async def served(build: Path, folder: Path) -> AsyncIterator[Mapping[str, str]]:
    """As `standing`, in server mode: two of each service over servers of their own."""
    more = {
        "HEADRACE_ADMIN_EMAIL": LOGIN,
        "HEADRACE_ADMIN_PASSWORD": PASSWORD,
        "HEADRACE_UI_DIR": str(build),
        "HEADRACE_EGRESS_ALLOW_PRIVATE": "true",
        "HEADRACE_VAULT_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    with Backing(folder / "servers") as backing:
        services = cluster(folder / "services", backing.settings, **more)
        try:
            services.start()
            url = f"http://127.0.0.1:{services.port}"
            async with provider() as holder:
                await connect_services(url, holder.url)
                yield {
                    "HEADRACE_URL": url,
                    "HEADRACE_LOGIN": LOGIN,
                    "HEADRACE_PASSWORD": PASSWORD,
                    "HEADRACE_SERVICE_KEY": KEY,
                    "HEADRACE_CLIENT_SECRET": CLIENT_SECRET,
                    "HEADRACE_TEST_KEPT": backing.mongo.url,
                }
        finally:
            services.end()


def built() -> str:
    """Build what is old; the Node.js that it was built with."""
    command = [sys.executable, str(ROOT / "ui/build.py")]
    subprocess.run([*command, "build"], timeout=SECONDS, check=True)
    told = subprocess.run([*command, "node"], timeout=SECONDS, check=True, capture_output=True, text=True)
    return told.stdout.strip()


async def play(node: str, mode: str, users: int, flows: int, dead: int, shots: str) -> int:
    """Make it large and let the browser play; its exit code."""
    opened = served if mode == "server" else standing
    with tempfile.TemporaryDirectory() as folder:
        await asyncio.to_thread(Path(folder).chmod, 0o755)  # some servers run as users of their own
        async with opened(ROOT / "ui" / "dist", Path(folder)) as environ:
            began = time.monotonic()
            place = environ.get("HEADRACE_TEST_KEPT") or Path(folder) / "flow_manager.db"
            await seeded(environ["HEADRACE_URL"], place, users=users, flows=flows, dead=dead)
            took = time.monotonic() - began
            sys.stdout.write(f"{mode}: {flows} flows of {users} users, {dead} dead messages, made in {took:.0f} s\n")
            sys.stdout.flush()
            table = Path(folder) / "table.json"
            told = {
                "HEADRACE_FIRST_PAINT_MS": str(FIRST_PAINT_MS),
                "HEADRACE_ROUNDS": str(ROUNDS),
                "HEADRACE_SHOTS": shots,
                "HEADRACE_TABLE": str(table),
            }
            code, said = await browse(node, {**environ, **told}, SECONDS, "backoffice")
            sys.stdout.write(f"{said}\n{table_of(table)}\n")
    return code


def table_of(place: Path) -> str:
    """What the browser measured, a page a line, in Markdown."""
    lines = ["| page | first paint, ms | jump to the end, ms | requests | axe | rows |", "|---|---|---|---|---|---|"]
    for each in json.loads(place.read_text()) if place.exists() else []:
        jump, rows = ("–" if each[name] is None else f"{each[name]:,.0f}" for name in ("jumpMs", "rows"))
        paint = f"{statistics.median(each['paintMs']):,.0f}"
        lines.append(f"| {each['page']} | {paint} | {jump} | {each['requests']} | {each['axe']} | {rows} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Plays the Backoffice over a large platform.")
    parser.add_argument("mode", nargs="?", choices=("embedded", "server"), default="embedded")
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--flows", type=int, default=5_000)
    parser.add_argument("--dead", type=int, default=1_000)
    parser.add_argument("--shots", default="", help="folder for pictures of every page")
    given = parser.parse_args()
    return asyncio.run(play(built(), given.mode, given.users, given.flows, given.dead, given.shots))


if __name__ == "__main__":
    sys.exit(main())
