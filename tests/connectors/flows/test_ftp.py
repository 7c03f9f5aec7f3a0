"""Nodes of files on servers, each in a running flow: over FTP, FTP over TLS and SFTP, with accounts of the vault."""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aioftp
import asyncssh
import httpx
import pytest
import trustme
from aioftp.server import Connection
from headrace_connectors.utils.ftp.DownloadFile.component import DownloadFile
from headrace_connectors.utils.ftp.RemoveFile.component import RemoveFile
from headrace_connectors.utils.ftp.RenameFile.component import RenameFile
from headrace_sdk import CancelError, Component, JsonObject
from headrace_sdk.testing import World, run_component
from headrace_sdk.testing.world import Identity, MemoryContext

from tests.api.conftest import open_people
from tests.api.people import make_running, until

from .playing import NODE, address, flow_of, node, play, sent_by

SERVICE = "headrace:utils:ftp"
USER, PASSWORD = "ada", "s3cret-of-ada"


class ExplicitTls(aioftp.Server):
    """A server that goes over to TLS when it is asked to."""

    def __init__(self, users: list[aioftp.User], tls: ssl.SSLContext) -> None:
        super().__init__(users)
        self.commands_mapping["auth"] = self.auth  # type: ignore[assignment]  # its table knows no such command
        self.later = tls

    async def auth(self, connection: Connection, rest: str) -> bool:
        stream = connection.command_connection
        await stream.write(b"234 go ahead\r\n")
        self.ssl = self.later
        await stream.writer.start_tls(self.later)
        return True


@asynccontextmanager
async def ftp_server(home: Path, protocol: str) -> AsyncIterator[dict[str, Any]]:
    """A server of this folder, and what an account at it holds."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    users = [aioftp.User(USER, PASSWORD, base_path=home)]
    if protocol == "ftps":
        server: aioftp.Server = ExplicitTls(users, tls)
    else:
        server = aioftp.Server(users, ssl=tls if protocol == "ftps-implicit" else None)
    await server.start("127.0.0.1", 0)
    token = {"protocol": protocol, "host": "localhost", "port": str(server.server_port)}
    try:
        yield {**token, "username": USER, "password": PASSWORD, "certificate": authority.cert_pem.bytes().decode()}
    finally:
        await server.close()


class _Passwords(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


@asynccontextmanager
async def sftp_server(home: Path) -> AsyncIterator[dict[str, Any]]:
    """The same over SSH."""
    key = asyncssh.generate_private_key("ssh-ed25519")

    def rooted(channel: asyncssh.SSHServerChannel[bytes]) -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(channel, chroot=str(home).encode())

    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[key], server_factory=_Passwords, sftp_factory=rooted
    )
    token = {"protocol": "sftp", "host": "localhost", "port": str(server.get_port())}
    try:
        yield {**token, "username": USER, "password": PASSWORD, "hostKey": key.get_fingerprint()}
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def serving(home: Path, protocol: str) -> AsyncIterator[dict[str, Any]]:
    async with sftp_server(home) if protocol == "sftp" else ftp_server(home, protocol) as token:
        yield token


@pytest.fixture
async def ann(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with open_people(tmp_path, HEADRACE_TICK_EVERY="500ms") as people:
        yield people.ann


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


async def connected(ann: httpx.AsyncClient, token: Mapping[str, Any]) -> str:
    made = await ann.post("/accounts", json={"service": SERVICE, "token": dict(token)})
    assert made.status_code == 200, made.text
    return str(made.json()["accountId"])


async def played(ann: httpx.AsyncClient, account: str, name: str, values: Mapping[str, Any]) -> tuple[str, Any]:
    """What leaves a node of this component that acts with the account."""
    flow = flow_of(f"appmixer.utils.ftp.{name}", "in", values)
    flow[NODE]["config"]["auth"] = {"accountId": account}
    flow_id = await make_running(ann, flow)
    called = await ann.post(address(ann, flow_id), json={})
    assert called.status_code == 200, called.text
    [sent] = await sent_by(ann, flow_id)
    return sent


@pytest.mark.parametrize("protocol", ["ftps", "sftp"])
async def test_files_go_to_a_server_and_come_back(protocol: str, ann: httpx.AsyncClient, home: Path) -> None:
    content = "a line\n" * 50_000
    given = {"filename": "a.txt", "mimetype": "text/plain", "content": content, "contentEncoding": "utf8"}
    [(_, saved)] = await play(ann, "appmixer.utils.files.SaveFile", given)
    async with serving(home, protocol) as token:
        account = await connected(ann, token)

        made = await played(ann, account, "CreateDirectory", {"path": "in"})
        sent = await played(ann, account, "UploadFile", {"fileId": saved["fileId"], "path": "in/"})
        listed = await played(ann, account, "List", {"path": "in"})
        told = await played(ann, account, "GetFileInfo", {"path": "in/a.txt"})
        fetched = await played(ann, account, "DownloadFile", {"path": "in/a.txt"})
        moved = await played(ann, account, "RenameFile", {"path": "in/a.txt", "newPath": "b.txt"})
        removed = await played(ann, account, "RemoveFile", {"path": "b.txt"})
        emptied = await played(ann, account, "RemoveDirectory", {"path": "in"})
        missing = [
            await played(ann, account, name, {"path": "nowhere", **more})
            for name, more in (("DownloadFile", {}), ("GetFileInfo", {}), ("RemoveFile", {}), ("RemoveDirectory", {}))
        ]

    assert made == ("out", {"path": "in"})
    assert sent == ("out", {"fileId": saved["fileId"]})
    assert [(each["name"], each["size"], each["type"]) for each in listed[1]["content"]] == [("a.txt", len(content), 1)]
    assert (told[1]["name"], told[1]["size"], told[1]["type"]) == ("a.txt", len(content), 1)
    digest = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
    assert fetched[1] == {"fileId": fetched[1]["fileId"], "filename": "a.txt", "md5": digest, "length": len(content)}
    assert (await ann.get(f"/files/{fetched[1]['fileId']}")).text == content
    assert moved == ("out", {"path": "in/a.txt", "newPath": "b.txt"})
    assert (removed, emptied) == (("out", {"path": "b.txt"}), ("out", {"path": "in"}))
    assert [(port, each["path"]) for port, each in missing] == [("notFound", "nowhere")] * 4
    assert os.listdir(home) == []


@pytest.mark.parametrize("protocol", ["ftp", "ftps-implicit"])
async def test_a_directory_is_watched(protocol: str, ann: httpx.AsyncClient, home: Path) -> None:
    (home / "old.txt").write_text("old")
    async with serving(home, protocol) as token:
        auth = {"accountId": await connected(ann, token)}
        watching = node("appmixer.utils.ftp.NewFile", properties={"path": "/"}, auth=auth)
        flow_id = await make_running(ann, {NODE: watching})
        await until(
            lambda: ann.get("/runs", params={"flowId": flow_id}),
            lambda page: any(run["state"] == "done" and run["stepCount"] for run in page["items"]),
        )
        (home / "new.txt").write_text("new")
        sent = await sent_by(ann, flow_id)

    assert [(port, file["name"], file["size"]) for port, file in sent] == [("out", "new.txt", 3)]


async def test_accounts_are_refused_that_a_server_does_not_let_in_or_that_do_not_know_it(
    ann: httpx.AsyncClient, home: Path
) -> None:
    async def refusal(token: Mapping[str, Any], **other: str) -> str:
        made = await ann.post("/accounts", json={"service": SERVICE, "token": {**token, **other}})
        assert made.status_code == 400, made.text
        assert PASSWORD not in made.text
        return made.text

    async with serving(home, "sftp") as sftp, serving(home, "ftps") as ftps:
        assert "does not let ada in" in await refusal(sftp, password="wrong")
        assert sftp["hostKey"] in await refusal(sftp, hostKey="")
        assert sftp["hostKey"] in await refusal(sftp, hostKey="SHA256:another")
        assert "does not let ada in" in await refusal(ftps, password="wrong")
        assert "not trusted" in await refusal(ftps, certificate="")
        assert "is none of" in await refusal(ftps, protocol="gopher")
        account = await connected(ann, ftps)
        shown = (await ann.get("/accounts")).text

    assert PASSWORD not in shown and account in shown


async def test_inner_networks_are_not_reached(tmp_path: Path, home: Path) -> None:
    async with (
        serving(home, "ftp") as token,
        open_people(tmp_path, HEADRACE_EGRESS_ALLOW_PRIVATE="false") as people,
    ):
        for host in ("localhost", "127.0.0.1", "::1", "::ffff:127.0.0.1"):
            made = await people.ann.post("/accounts", json={"service": SERVICE, "token": {**token, "host": host}})
            assert made.status_code == 400 and "not allowed" in made.text, made.text
        made = await people.ann.post("/accounts", json={"service": SERVICE, "token": {**token, "port": "25"}})
        assert "port 25" in made.text


@pytest.mark.parametrize("protocol", ["ftp", "sftp"])
async def test_what_was_cut_short_is_told_from_what_did_not_happen(protocol: str, home: Path) -> None:
    (home / "there.txt").write_text("x")
    async with serving(home, protocol) as token:

        async def happened(component: Component, path: str, new_path: str = "") -> tuple[bool | None, int]:
            given: JsonObject = {"path": path, "newPath": new_path}
            context = MemoryContext(World(auth=dict(token)), Identity(), port="in", content=given)
            return await component.reconcile(context), len(context.outputs)

        assert await happened(RemoveFile(), "there.txt") == (False, 0)
        assert await happened(RemoveFile(), "gone.txt") == (True, 1)
        assert await happened(RenameFile(), "there.txt", "new.txt") == (False, 0)
        assert await happened(RenameFile(), "old.txt", "there.txt") == (True, 1)
        assert await happened(RenameFile(), "neither.txt", "nor.txt") == (None, 0)


async def test_a_line_break_in_a_path_is_no_command() -> None:
    with pytest.raises(CancelError, match="no line breaks"):
        await run_component(DownloadFile, content={"path": "a\r\nDELE b"})
