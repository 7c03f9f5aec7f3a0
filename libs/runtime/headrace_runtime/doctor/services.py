"""Asks the services by the standard health service of gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from headrace_core.errors import DeadlineExceeded, Unavailable

from headrace_runtime.doctor.findings import Finding, error, ok
from headrace_runtime.doctor.running import Check, Subject
from headrace_runtime.rpc.calling import HEALTH, call
from headrace_runtime.rpc.client import dial
from headrace_runtime.rpc.tls import Identity

ANSWER_SECONDS = 2.0


def service(name: str, address: str, variable: str, identity: Identity | None) -> Subject:
    """The service of that name at the address, which stands in the variable of the environment."""
    away = f"Start it, or correct {variable} and the certificates."

    @asynccontextmanager
    async def opening() -> AsyncIterator[Sequence[Check]]:
        async with dial(address, identity=identity, service=name) as channel:

            async def _health() -> Finding:
                try:
                    said = [each async for each in call(channel, f"{HEALTH}/Check", "{}", ANSWER_SECONDS)]
                except (Unavailable, DeadlineExceeded):
                    return error("health", f"{address} does not answer", away)
                if any('"SERVING"' in each for each in said):
                    return ok("health", f"{address} serves")
                return error("health", f"{address} does not serve now", "It starts or drains: look at its log.")

            yield [Check("health", _health, away)]

    return Subject(f"Service {name}", opening)
