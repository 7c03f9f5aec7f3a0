"""Passwords as argon2id hashes, made and checked beside the event loop."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type
from headrace_core.errors import RateLimited

Result = TypeVar("Result")

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
WORKERS = 2
MAX_WAITING = 64


class Passwords:
    """Makes and checks hashes. Each takes 19 MiB and some 20 ms, so only a few run at once and few may wait."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, type=Type.ID)
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobody = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """The hash to keep. Raises RateLimited when too many wait."""
        return await self._beside(lambda: self._hasher.hash(password))

    async def fits(self, password: str, kept: str | None) -> bool:
        """Whether this is the password. Takes the same time where there is none to compare with."""
        return await self._beside(lambda: self._verify(kept or self._nobody, password)) and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether the hash was made with weaker costs than are used now."""
        return self._hasher.check_needs_rehash(kept)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _beside(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= MAX_WAITING:
            raise RateLimited("Too many people sign in at once.", retry_after=timedelta(seconds=2))
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
