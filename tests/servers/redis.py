"""Redis, with its append-only file and without eviction."""

import socket
from collections.abc import Sequence
from pathlib import Path

from tests.servers import install
from tests.servers.server import Server


class Redis(Server):
    """Loses at most the last second when it is killed, as in production."""

    name = "Redis"
    install = staticmethod(install.redis)

    def __init__(self, folder: Path, *directives: str) -> None:
        """`directives` are further lines of its configuration; the last of a kind counts."""
        super().__init__(folder)
        self._directives = directives

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> Sequence[str]:
        program = install.redis()
        config = self.folder / "redis.conf"
        config.write_text(
            f"bind 127.0.0.1\nport {self.port}\nprotected-mode yes\ndaemonize no\n"
            f'dir "{self.data}"\nappendonly yes\nappendfsync everysec\nsave ""\n'
            "maxmemory 256mb\nmaxmemory-policy noeviction\n" + "".join(f"{each}\n" for each in self._directives)
        )
        return [str(program), str(config)]

    def _serves(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
