"""A server that speaks MongoDB's protocol, as a replica set of one node: SecantusDB on WiredTiger.

MongoDB itself is in none of the registries. `HEADRACE_TEST_MONGO_URL` tries the same on a real set.
"""

import socket
import struct
from collections.abc import Sequence
from pathlib import Path

from tests.servers import install
from tests.servers.server import Server


class Mongo(Server):
    """Every commit is on the disk before it is answered, as `w: majority, j: true` asks for."""

    name = "MongoDB (SecantusDB)"
    install = staticmethod(install.secantus)

    def __init__(self, folder: Path, *options: str) -> None:
        """`options` are further ones of its command line, for example `--auth` or `--standalone`."""
        super().__init__(folder)
        self._options = options

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?replicaSet=secantus&directConnection=true"

    def _command(self) -> Sequence[str]:
        program = install.secantus()
        config = self.folder / "secantusd.toml"
        config.touch()  # an empty one, so that none of this machine is found
        return [
            *(str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(self.port)),
            *("--storage-path", str(self.data), "--cache-size", "256M", "--log-level", "WARNING", "--sync-on-commit"),
            *self._options,
        ]

    def _serves(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(_HELLO)
            return b"\x08isWritablePrimary\x00\x01" in connection.recv(65_536)


def _message(document: bytes) -> bytes:
    """An OP_MSG (operation 2013) with one section of kind 0."""
    body = struct.pack("<IB", 0, 0) + document
    return struct.pack("<iiii", 16 + len(body), 1, 0, 2013) + body


_ASKED = b"\x10hello\x00" + struct.pack("<i", 1) + b"\x02$db\x00" + struct.pack("<i", 6) + b"admin\x00\x00"
_HELLO = _message(struct.pack("<i", 4 + len(_ASKED)) + _ASKED)
