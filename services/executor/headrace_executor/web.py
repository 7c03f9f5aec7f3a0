"""The way to the network: the egress guard, as steps ask for it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from datetime import timedelta

from headrace_runtime.egress import Egress

from headrace_executor.ports import WebAnswer


class GuardedWeb:
    """Keeps `ports.Web`."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def request(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], content: bytes, timeout: timedelta
    ) -> WebAnswer:
        answer = await self._egress.request(method, url, headers, content or None, timeout=timeout.total_seconds())
        return WebAnswer(answer.status, answer.headers, answer.content, answer.url)

    async def connect(self, host: str, port: int, timeout: timedelta) -> socket.socket:
        return await self._egress.connect(host, port, timeout=timeout.total_seconds())
