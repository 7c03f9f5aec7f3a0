"""A registry of npm packages on this machine, as npm asks it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Packages = Mapping[str, Mapping[str, str]]
"""Files by name, of each package that is written `name@version`."""


class Registry:
    """What it has, and what was asked for."""

    def __init__(self, packages: Packages) -> None:
        named = {_name_and_version(name): files for name, files in packages.items()}
        self.versions = dict(named.keys())
        self.archives = {name: _tarball(name, version, files) for (name, version), files in named.items()}
        self.asked: list[str] = []
        self.url = ""


def _name_and_version(name: str) -> tuple[str, str]:
    package, _, version = name.rpartition("@")
    return package, version


@contextmanager
def registry(packages: Packages, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Answer npm while the block runs: it is told of the address by its own environment variable."""
    made = Registry(packages)

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            name, _, file = self.path.removeprefix("/").partition("/-/")
            is_archive = bool(file) or "/tar.gz/" in name
            archive = made.archives.get(name)
            if archive is None:
                self.send_error(404)
                return
            content = archive if is_archive else _described(name, made.versions[name], archive, made.url)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    made.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("npm_config_registry", made.url)
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _described(name: str, number: str, archive: bytes, url: str) -> bytes:
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    dist = {"tarball": f"{url}/{name}/-/{name}-{number}.tgz", "integrity": integrity}
    version = {"name": name, "version": number, "dist": dist, "hasInstallScript": True}
    return json.dumps({"name": name, "dist-tags": {"latest": number}, "versions": {number: version}}).encode()


def _tarball(name: str, version: str, files: Mapping[str, str]) -> bytes:
    described = {"name": name, "version": version, "scripts": {"postinstall": "touch installed-by-a-script"}}
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as squeezed, tarfile.open(fileobj=squeezed, mode="w") as tar:
        for path, text in {"package.json": json.dumps(described), **files}.items():
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()
