"""The Backoffice over a large platform: `python -m tests.ui.large [embedded|server]`, or `make office`.

5,000 flows of 500 users and 1,000 dead messages; the first rows of every list are painted within a second. Prints what
the browser says, and how long making all of that took.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import secrets
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
            url, login, password = (environ[f"HEADRACE_{name}"] for name in ("URL", "LOGIN", "PASSWORD"))
            await seeded(url, login, password, users=users, flows=flows, dead=dead)
            made = (
                f"{mode}: {flows} flows of {users} users and {dead} dead messages in {time.monotonic() - began:.0f} s"
            )
            told = {"HEADRACE_FIRST_PAINT_MS": str(FIRST_PAINT_MS), "HEADRACE_SHOTS": shots}
            code, said = await browse(node, {**environ, **told}, SECONDS, "backoffice")
            sys.stdout.write(f"{said}\n{made}\n")
    return code


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
