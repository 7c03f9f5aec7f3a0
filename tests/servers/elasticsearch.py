"""Elasticsearch without plugins, one node, without security: it listens on the loopback address only."""

import http.client
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers import install
from tests.servers.places import NOBODY, free_port, is_root
from tests.servers.server import Server


class Elasticsearch(Server):
    """`GET /` is not there in this distribution; `_cluster/health` is."""

    name = "Elasticsearch"
    start_seconds = 100
    install = staticmethod(install.elasticsearch)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._transport_port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _command(self) -> Sequence[str]:
        home = install.elasticsearch()
        config = self.folder / "config"
        config.mkdir(exist_ok=True)
        for name in ("jvm.options", "log4j2.properties"):
            shutil.copy(home / "config" / name, config)
        (config / "elasticsearch.yml").write_text(
            "cluster.name: headrace\nnode.name: one\ndiscovery.type: single-node\nnetwork.host: 127.0.0.1\n"
            f"http.port: {self.port}\ntransport.port: {self._transport_port}\n"
            f"path.data: {self.data}\npath.logs: {self.folder / 'logs'}\n"
            "xpack.security.enabled: false\n"
            "cluster.routing.allocation.disk.threshold_enabled: false\n"
        )
        for each in (self.data, self.folder / "logs", self.folder / "tmp"):
            each.mkdir(exist_ok=True)
        return [*self._as_nobody(), str(home / "bin/elasticsearch")]

    def _as_nobody(self) -> Sequence[str]:
        """It refuses to run as root, rightly."""
        if not is_root():
            return []
        _give(self.folder, NOBODY)
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]

    def _environ(self) -> Mapping[str, str]:
        return {
            "ES_JAVA_HOME": str(install.java()),
            "ES_JAVA_OPTS": "-Xms256m -Xmx512m",
            "ES_PATH_CONF": str(self.folder / "config"),
            "ES_TMPDIR": str(self.folder / "tmp"),
        }

    def _serves(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
            return connection.getresponse().status == 200
        except http.client.HTTPException:
            return False
        finally:
            connection.close()


def _give(folder: Path, user: int) -> None:
    for parent, _, files in os.walk(folder):
        for each in (parent, *(os.path.join(parent, name) for name in files)):
            os.chown(each, user, user)
