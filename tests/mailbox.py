"""A mail server on the loopback address that keeps what it is given."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.listening import listening


@dataclass
class Mailbox:
    """What came in; `refuses` recipients for good."""

    port: int = 0
    refuses: bool = False
    refused: asyncio.Event = field(default_factory=asyncio.Event)
    letters: "asyncio.Queue[EmailMessage]" = field(default_factory=asyncio.Queue)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mailbox\r\n")
        while line := await reader.readline():
            word = line[:4].upper().strip()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                content = await reader.readuntil(b"\r\n.\r\n")
                self.letters.put_nowait(
                    message_from_bytes(content[:-3].replace(b"\r\n..", b"\r\n."), policy=policy.default)
                )  # type: ignore[arg-type]  # the policy makes it an EmailMessage
            refused = word == b"RCPT" and self.refuses
            if refused:
                self.refused.set()
            writer.write(b"550 no\r\n" if refused else b"221 bye\r\n" if word == b"QUIT" else b"250 mailbox\r\n")
            await writer.drain()
            if word == b"QUIT":
                break


@asynccontextmanager
async def open_mailbox() -> AsyncIterator[Mailbox]:
    """A mail server while the block runs."""
    mailbox = Mailbox()
    async with listening(mailbox.answer) as mailbox.port:
        yield mailbox
