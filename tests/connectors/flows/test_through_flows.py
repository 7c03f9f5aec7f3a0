"""Nodes of files, converters and feeds, each in a running flow on a whole platform."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook
from pypdf import PdfWriter

from tests.api.conftest import open_people
from tests.api.people import make_running, until

from .playing import NODE, node, play, sent_by

CSV = "name,age\nRex,3\n"
OBJECTS = '[{"name": "Rex", "age": 3}]'
TABLE = "<table><tr><th>name<th>age<tr><td>Rex<td>3</table>"


@pytest.fixture
async def ann(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with open_people(tmp_path, HEADRACE_TICK_EVERY="500ms") as people:
        yield people.ann


@pytest.fixture
def site() -> Iterator[dict[str, bytes]]:
    """What a server on the loopback address has, by path; its address is under ""."""
    known: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = known.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", "application/x-thing")
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    known[""] = f"http://127.0.0.1:{server.server_address[1]}".encode()
    yield known
    server.shutdown()
    server.server_close()


async def saved(ann: httpx.AsyncClient, name: str, content: str, encoding: str = "utf8") -> str:
    """The id of a file that SaveFile keeps."""
    given = {"filename": name, "mimetype": "text/plain", "content": content, "contentEncoding": encoding}
    [(port, file)] = await play(ann, "appmixer.utils.files.SaveFile", given)
    assert (port, file["filename"], file["contentType"]) == ("file", name, "text/plain")
    return str(file["fileId"])


async def content_of(ann: httpx.AsyncClient, file_id: str) -> bytes:
    return (await ann.get(f"/files/{file_id}")).content


async def test_files_are_saved_loaded_zipped_and_removed(ann: httpx.AsyncClient) -> None:
    file_id = await saved(ann, "a.txt", "one\ntwo\n")
    given = {"fileId": file_id}

    loaded = await play(ann, "appmixer.utils.files.LoadFile", given)
    lines = await play(ann, "appmixer.utils.files.LoadFileLines", given, count=2)
    [(_, archive)] = await play(ann, "appmixer.utils.files.ArchiveFile", given)
    removed = await play(ann, "appmixer.utils.files.RemoveFile", given)

    assert loaded == [("content", {"content": "one\ntwo\n"})]
    assert lines == [("content", {"index": 0, "line": "one"}), ("content", {"index": 1, "line": "two"})]
    with zipfile.ZipFile(io.BytesIO(await content_of(ann, archive["fileId"]))) as packed:
        assert packed.read("a.txt") == b"one\ntwo\n"
    assert removed == [("deleted", given)]
    assert (await ann.get(f"/files/{file_id}")).status_code == 404


async def test_a_file_is_fetched_from_the_web(ann: httpx.AsyncClient, site: dict[str, bytes]) -> None:
    site["/a/thing.bin"] = bytes(range(256))

    [(port, file)] = await play(ann, "appmixer.utils.files.DownloadFile", {"link": f"{site[''].decode()}/a/thing.bin"})

    assert (port, file["filename"], file["contentType"]) == ("out", "thing.bin", "application/x-thing")
    assert await content_of(ann, file["fileId"]) == bytes(range(256))


@pytest.mark.parametrize(("form", "content"), [("CSV", CSV), ("JSON", OBJECTS), ("HTML", TABLE)])
async def test_tables_become_workbooks_and_come_back(form: str, content: str, ann: httpx.AsyncClient) -> None:
    file_id = await saved(ann, f"pets.{form.lower()}", content)

    [(_, made)] = await play(ann, f"appmixer.utils.converters.{form}2XLSX", {"fileId": file_id})
    [(_, back)] = await play(ann, f"appmixer.utils.converters.XLSX2{form}", {"fileId": made["fileId"]})

    assert (made["fileName"], back["fileName"]) == ("pets.xlsx", f"pets.{form.lower()}")
    sheet = load_workbook(io.BytesIO(await content_of(ann, made["fileId"]))).worksheets[0]
    assert list(sheet.iter_rows(values_only=True)) == [("name", "age"), ("Rex", 3)]
    read = (await content_of(ann, back["fileId"])).decode()
    assert {"CSV": CSV, "JSON": '{"name": "Rex", "age": 3}', "HTML": "<td>Rex</td><td>3</td>"}[form] in read


async def test_a_pdf_becomes_text(ann: httpx.AsyncClient) -> None:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    made = io.BytesIO()
    writer.write(made)
    file_id = await saved(ann, "blank.pdf", made.getvalue().hex(), "hex")

    [(port, told)] = await play(
        ann, "appmixer.utils.converters.PDF2Text", {"fileId": file_id, "outputTextContent": True}
    )

    assert (port, told["fileName"], told["length"], told["textContent"]) == ("out", "blank.txt", 0, "")


def rss(*titles: str) -> bytes:
    items = "".join(f"<item><title>{each}</title><guid>{each}</guid></item>" for each in titles)
    return f"<rss><channel><title>News</title>{items}</channel></rss>".encode()


async def test_a_feed_is_fetched_and_watched(ann: httpx.AsyncClient, site: dict[str, bytes]) -> None:
    url = f"{site[''].decode()}/feed"
    site["/feed"] = rss("old")
    flow_id = await make_running(ann, {NODE: node("appmixer.utils.rss.NewFeedItem", properties={"url": url})})
    [(_, fetched)] = await play(ann, "appmixer.utils.rss.GetFeed", {"url": url})
    await ticked(ann, flow_id)

    site["/feed"] = rss("new", "old")
    sent = await sent_by(ann, flow_id)

    assert (fetched["feed"]["title"], [each["title"] for each in fetched["feed"]["items"]]) == ("News", ["old"])
    assert [(port, item["title"]) for port, item in sent] == [("out", "new")]


async def ticked(ann: httpx.AsyncClient, flow_id: str) -> None:
    """Return when the flow has looked once."""
    await until(
        lambda: ann.get(f"/runs?flowId={flow_id}"),
        lambda said: any(each["state"] == "done" for each in said["items"]),
    )
