"""Looks at this machine: the interpreter, the environment, and who has the port of the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import platform
import re
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from headrace_runtime import variables
from headrace_runtime.doctor.findings import Finding, ok, warning
from headrace_runtime.doctor.rules import embedded as rules
from headrace_runtime.doctor.rules import isolation, ports
from headrace_runtime.doctor.running import Check, Subject

NAME = "This machine"
ANSWER_SECONDS = 3.0
MOST_BYTES = 65_536

LANDLOCK, ITS_RELEASE = 444, 1
ANSWERS_OF_FILTERS = "/proc/sys/kernel/seccomp/actions_avail"

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def this_machine(environ: Mapping[str, str], host: str, port: int) -> Subject:
    """What every installation stands on. Port 0 takes any, so that there is none to look at."""

    async def _python() -> Finding:
        return rules.python(sys.version_info[:3])

    async def _variables() -> list[Finding]:
        findings = [
            warning("environment", f"nobody reads {each.name}", _correction(each)) for each in variables.unread(environ)
        ]
        return findings or [ok("environment", "every variable HEADRACE_… is a setting")]

    async def _isolation() -> Finding:
        answers = await asyncio.to_thread(_answers_of_filters)
        return isolation.isolation(_landlock(), answers, platform.machine(), platform.libc_ver()[0])

    async def _port() -> Finding:
        return await _who_has(host, port)

    @asynccontextmanager
    async def opening() -> AsyncIterator[Sequence[Check]]:
        checks = [
            Check("Python", _python, "Take another Python."),
            Check("environment", _variables, "Correct the environment."),
            Check("isolation", _isolation, "Look at what this kernel gives."),
        ]
        if port:
            checks.append(Check("port", _port, "Look at what listens there, or set HEADRACE_PORT to another port."))
        yield checks

    return Subject(NAME, opening)


def _correction(unread: variables.Unread) -> str:
    return (
        f"Did you mean {unread.nearest}?" if unread.nearest else "Take it away, or look for its name in the settings."
    )


def _landlock() -> int:
    """Its release; 0 for none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(LANDLOCK, None, 0, ITS_RELEASE)))


def _answers_of_filters() -> list[str]:
    with contextlib.suppress(OSError):
        return Path(ANSWERS_OF_FILTERS).read_text(encoding="ascii").split()
    return []


async def _who_has(host: str, port: int) -> Finding:
    address = f"{host}:{port}"
    failure = _failure_to_listen(host, port)
    status, is_ours, failed = None, False, ""
    if failure:
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(ANSWER_SECONDS):
                status, is_ours, failed = await _readiness(_EVERYWHERE.get(host, host), port)
    return ports.port(address, failure, status, is_ours, failed)


def _failure_to_listen(host: str, port: int) -> int:
    """The number of the error that keeps us from the port; 0 when it is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as failure:
            return failure.errno or -1
    return 0


async def _readiness(host: str, port: int) -> tuple[int | None, bool, str]:
    """The status at /health/ready, whether a Headrace said it, and what failed there."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET /health/ready HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.read(MOST_BYTES)
    finally:
        writer.close()
    found = _STATUS.match(head)
    told = json.loads(body)
    is_ours = isinstance(told, dict) and {"status", "passed", "failed"} <= set(told)
    failed = ", ".join(f"{name} ({why})" for name, why in told["failed"].items()) if is_ours else ""
    return int(found[1]) if found else None, is_ours, failed
