"""The commands of the guide to publishing, word for word, in a shell against a fresh platform."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import httpx
from headrace_core.archives import read_archive

from tests.api.conftest import open_people
from tests.api.people import until

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "publish.md"
SEND = "acme.mail.core.Send"


async def play(commands: str, folder: Path, **known: str) -> str:
    """Run a block in a shell as a reader would, with those variables."""
    script = "set -eu\n" + "".join(f"{name}={value}\n" for name, value in known.items()) + commands
    shell = await asyncio.create_subprocess_exec(
        "sh", "-c", script, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        said, wrong = await shell.communicate()
    assert shell.returncode == 0, wrong.decode()
    return said.decode()


def token(client: httpx.AsyncClient) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


def lay_out(folder: Path) -> None:
    """The files of a component, where the guide says they lie."""
    home = folder / "acme" / "mail" / "core" / "Send"
    home.mkdir(parents=True)
    (home / "component.json").write_text(json.dumps({"name": SEND, "inPorts": ["in"], "outPorts": ["out"]}))
    (home / "component.py").write_text("")


async def test_the_guide_makes_a_developer_who_publishes_downloads_and_removes(tmp_path: Path) -> None:
    become, hand_in, take_away = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    work = tmp_path / "work"
    work.mkdir()
    lay_out(work)
    async with open_people(tmp_path / "data") as people:
        ann = people.ann
        user_id = str((await ann.get("/user")).json()["id"])
        where = {"URL": str(ann.base_url).rstrip("/"), "TOKEN": token(ann)}

        await play(become, work, USER_ID=user_id, ADMIN_TOKEN=token(people.admin), **where)
        said = await play(f"{hand_in}\necho\necho $TICKET\n", work, **where)
        ticket = said.split()[-1]
        told = await until(lambda: ann.get(f"/components/uploader/{ticket}"), bool)
        listed = (await ann.get("/components", params={"selector": "acme"})).json()
        removals = await play(take_away, work, **where)

        assert told["components"] == [SEND], told
        assert listed == [SEND]
        assert sorted(read_archive((work / "acme-mail.zip").read_bytes())) == [
            "acme/mail/core/Send/component.json",
            "acme/mail/core/Send/component.py",
        ]
        assert json.loads(removals.partition("}")[0] + "}") == {"components": [SEND]}
        assert (await ann.get("/components", params={"selector": "acme"})).json() == []
