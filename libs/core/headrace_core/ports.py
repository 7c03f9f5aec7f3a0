"""What every room may ask of the outside without knowing who answers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Bus(Protocol):
    """Tells others that something may be worth looking at. It carries hints: each of them may get lost, or come twice.

    Whoever needs to be sure looks into its store from time to time; the bus only makes it quicker.
    """

    async def publish(self, topic: str, payloads: Sequence[bytes]) -> None:
        """Tell everyone who is subscribed to the topic now. Nobody being there is no error; never waits for readers.

        Payloads of one call stay in order. Publishing nothing does nothing. Raises Unavailable when the bus is away;
        some may have heard it all the same.
        """
        ...

    def subscribe(self, topic: str, *, group: str) -> AbstractAsyncContextManager[AsyncIterator[list[bytes]]]:
        """Listen to a topic while the block runs: an endless iterator of batches that are never empty.

        Every group gets every payload; within a group each payload goes to one member. What comes faster than a
        group reads is dropped. What is published while a group has no member need not be heard by it.
        """
        ...
