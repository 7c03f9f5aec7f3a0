"""The way out of the flow manager to the web, through the egress guard."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from headrace_runtime.egress import Egress

MAX_ANSWER_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answered:
    """Keeps `hooks.store.Answer`."""

    status: int
    text: str


class EgressSender:
    """Keeps `hooks.store.Sender`."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def send(self, url: str, headers: Sequence[tuple[str, str]], body: bytes, timeout: timedelta) -> Answered:
        answer = await self._egress.request(
            "POST",
            url,
            headers,
            body,
            timeout=timeout.total_seconds(),
            max_response_bytes=MAX_ANSWER_BYTES,
            follow_redirects=0,
        )
        return Answered(answer.status, answer.content.decode("utf-8", "replace"))
