"""Mail, as those who send it ask for it."""

from typing import Protocol


class Mail(Protocol):
    """Where mail goes out."""

    async def send(self, to: str, subject: str, text: str) -> None:
        """Return when it was taken. Raises Unavailable, or another error when it never will be."""
        ...
