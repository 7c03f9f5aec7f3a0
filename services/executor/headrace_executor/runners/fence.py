"""What a runner may connect to, decided outside of it: the kernel holds each `connect` until it is answered here.

Whatever library opens the socket, and even where a component calls the kernel itself, the address is read out of the
runner once, judged, and connected to from here, through a second descriptor of the same socket. So what was judged is
what is connected to, and nothing that runs in there can have a say in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import logging
import os
import select
import socket
import struct
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from headrace_core.errors import Forbidden
from headrace_runtime.egress import EgressPolicy
from headrace_runtime.egress.addresses import Address, unmapped

from headrace_executor.runners.names import Names
from headrace_executor.runners.pacing import Pace

CONNECT_SECONDS = 130.0  # longer than the kernel tries
MAX_CONNECTING = 256
PER_SECOND, BURST = 500, 500
MAX_TOLD = 20
MAX_ADDRESS_BYTES = 128
DNS_PORT = 53

_RECEIVE, _SEND, _IS_VALID, _ADD = 0xC0502100, 0xC0182101, 0x40082102, 0x40182103
_IN_PLACE = 1
_NOTICE = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_CONTINUE = 1
_PIDFD_GETFD = 438

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One call that the kernel holds."""

    id: int
    descriptor: int
    address: int
    size: int
    is_exec: bool


class Fence:
    """Answers the kernel for one runner. Open it, start the process with `theirs`, then let it `stand`."""

    def __init__(self, name: str, policy: EgressPolicy, own_socket: str, executes: int) -> None:
        """`own_socket` is where the executor answers the runner; `executes`, how often it becomes another program."""
        self._name = name
        self._policy = policy
        self._own_socket = own_socket.encode()
        self._executes = executes
        self._names = Names(policy)
        self._pace = Pace(PER_SECOND, BURST)
        self._ours, self.theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._listener = -1
        self._process = -1
        self._pid = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._told: set[str] = set()

    async def open(self) -> None:
        await self._names.open()

    def stand(self, pid: int) -> None:
        """The process is there. What it hands over is answered from now on."""
        self.theirs.close()
        self._pid = pid
        self._process = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._ours, self._take)

    async def close(self) -> None:
        """Whatever the runner wants to connect to from here on, it cannot."""
        loop = asyncio.get_running_loop()
        self.theirs.close()
        if self._ours.fileno() >= 0:
            loop.remove_reader(self._ours)
            self._ours.close()
        self._let_go()
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._process >= 0:
            os.close(self._process)
            self._process = -1
        await self._names.close()

    def _take(self) -> None:
        """The descriptor that the runner sends once its filter is there; nothing where it has none."""
        handles: list[int] = []
        with contextlib.suppress(OSError):
            _, handles, _, _ = socket.recv_fds(self._ours, 1, 1)
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._ours)
        self._ours.close()
        for handle in handles[:1]:
            self._listener = handle
            loop.add_reader(handle, self._hear)

    def _let_go(self) -> None:
        if self._listener >= 0:
            asyncio.get_running_loop().remove_reader(self._listener)
            os.close(self._listener)
            self._listener = -1

    # What the kernel asks.

    def _hear(self) -> None:
        if not self._has(select.POLLIN):
            self._let_go()  # the process is gone: nobody will ask any more
            return
        notice = bytearray(_NOTICE.size)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, notice)
        except OSError:
            return  # who asked is gone
        which, _, _, number, _, _, descriptor, address, size, *_ = _NOTICE.unpack(notice)
        asked = _Asked(which, descriptor, address, size, number in _EXECUTES)
        if asked.is_exec:
            self._executes -= 1
            self._answer(asked, None if self._executes >= 0 else errno.EPERM)
        else:
            self._own(self._connect(asked))
            if len(self._tasks) >= MAX_CONNECTING:  # the kernel holds the others
                asyncio.get_running_loop().remove_reader(self._listener)

    def _has(self, events: int) -> bool:
        waiting = select.poll()
        waiting.register(self._listener, events)
        return any(found & events for _, found in waiting.poll(0))

    def _answer(self, asked: _Asked, error: int | None) -> None:
        """Let the call return with that error, 0 for none; None lets the kernel do what was asked."""
        given = (0, 0, _CONTINUE) if error is None else (0, -error, 0)
        with contextlib.suppress(OSError):  # who asked is gone
            fcntl.ioctl(self._listener, _SEND, bytearray(_ANSWER.pack(asked.id, *given)))

    async def _connect(self, asked: _Asked) -> None:
        await self._pace.turn()
        try:
            target = self._judged(self._read(asked))
            opened, is_theirs = self._opened(asked, target)
            with opened:
                # The descriptor is of whoever asked only as long as it still waits for the answer.
                fcntl.ioctl(self._listener, _IS_VALID, bytearray(struct.pack("=Q", asked.id)))
                code = await _connected(opened, target)
                if not is_theirs and code in (0, errno.EINPROGRESS):
                    self._put(asked, opened)
        except Forbidden as error:
            self._tell(str(error))
            code = errno.EACCES
        except (OSError, ValueError) as error:
            code = getattr(error, "errno", None) or errno.EINVAL
        self._answer(asked, code)

    def _read(self, asked: _Asked) -> bytes:
        """The address that was asked for, as it is now: it is not read again."""
        if asked.size > MAX_ADDRESS_BYTES:
            raise OSError(errno.EINVAL, "That is no address.")
        with open(f"/proc/{self._pid}/mem", "rb", buffering=0) as memory:
            found = os.pread(memory.fileno(), asked.size, asked.address)
        if len(found) < asked.size or len(found) < 2:
            raise OSError(errno.EFAULT, "There is no address.")
        return found

    def _opened(self, asked: _Asked, target: bytes) -> tuple[socket.socket, bool]:
        """The socket itself, and True. Where this machine does not give it away, one to put in its place."""
        handle = _LIBC.syscall(_PIDFD_GETFD, self._process, asked.descriptor, 0)
        if handle >= 0:
            try:
                return socket.socket(fileno=handle), True
            except OSError:  # it is something else
                os.close(handle)
                raise
        code = ctypes.get_errno()
        if code not in (errno.EPERM, errno.ENOSYS):
            raise OSError(code, "There is no such socket.")
        with open(f"/proc/{self._pid}/fdinfo/{asked.descriptor}", encoding="ascii") as described:
            flags = int(next(line.split()[1] for line in described if line.startswith("flags:")), 8)
        (family,) = struct.unpack_from("=H", target)
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setblocking(not flags & os.O_NONBLOCK)
        return made, False

    def _put(self, asked: _Asked, opened: socket.socket) -> None:
        """In the place of the one that was to be connected."""
        order = struct.pack("=QIIII", asked.id, _IN_PLACE, opened.fileno(), asked.descriptor, os.O_CLOEXEC)
        fcntl.ioctl(self._listener, _ADD, bytearray(order))

    # What is answered.

    def _judged(self, given: bytes) -> bytes:
        """The address to connect to. Raises Forbidden, and OSError for none."""
        (family,) = struct.unpack_from("=H", given)
        if family == socket.AF_UNIX:
            if given[2:].split(b"\0")[0] != self._own_socket:
                raise Forbidden("Connections to sockets of this machine are not allowed.")
            return struct.pack("=H", family) + self._own_socket + b"\0"
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise OSError(errno.EAFNOSUPPORT, "Only TCP.")
        if len(given) < (16 if family == socket.AF_INET else 24):
            raise OSError(errno.EINVAL, "That is no address.")
        (port,) = struct.unpack_from("!H", given, 2)
        if port == DNS_PORT:
            return _packed(family, ip_address("127.0.0.1"), self._names.port)
        address = unmapped(ip_address(given[4:8] if family == socket.AF_INET else given[8:24]))
        self._check(address)
        return given

    def _check(self, address: Address) -> None:
        name = self._names.of(address)
        self._policy.check_address(address, name or str(address))
        if not name and self._policy.allowed_hosts:
            self._policy.check_host(str(address))

    def _tell(self, words: str) -> None:
        if words not in self._told and len(self._told) < MAX_TOLD:
            self._told.add(words)
            logger.warning("%s was refused a connection. %s", self._name, words)

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._listener >= 0 and len(self._tasks) == MAX_CONNECTING - 1:
            asyncio.get_running_loop().add_reader(self._listener, self._hear)


async def _connected(opened: socket.socket, target: bytes) -> int:
    """Connect as the socket is: one that blocks until it is connected, another one until it is under way."""
    is_blocking = not fcntl.fcntl(opened, fcntl.F_GETFL) & os.O_NONBLOCK
    with _without_blocking(opened, is_blocking):
        code = _call_connect(opened, target)
    if code != errno.EINPROGRESS or not is_blocking:
        return code
    return await _outcome(opened)


@contextlib.contextmanager
def _without_blocking(opened: socket.socket, is_blocking: bool) -> Iterator[None]:
    """The flag is of the socket and not of the descriptor, so it is put back at once."""
    flags = fcntl.fcntl(opened, fcntl.F_GETFL)
    if is_blocking:
        fcntl.fcntl(opened, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    try:
        yield
    finally:
        if is_blocking:
            fcntl.fcntl(opened, fcntl.F_SETFL, flags)


def _call_connect(opened: socket.socket, target: bytes) -> int:
    failed = _LIBC.connect(opened.fileno(), target, len(target))
    return ctypes.get_errno() if failed else 0


async def _outcome(opened: socket.socket) -> int:
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    loop.add_writer(opened, _set, over)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await over
    except TimeoutError:
        return errno.ETIMEDOUT
    finally:
        loop.remove_writer(opened)
    return opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def _set(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)


def _packed(family: int, address: Address, port: int) -> bytes:
    if family == socket.AF_INET:
        return struct.pack("=H", family) + struct.pack("!H", port) + address.packed + bytes(8)
    mapped = address if isinstance(address, IPv6Address) else ip_address(f"::ffff:{address}")
    return struct.pack("=H", family) + struct.pack("!HI", port, 0) + mapped.packed + struct.pack("=I", 0)


_EXECUTES = (59, 221)  # of x86-64 and of 64-bit ARM: neither is asked about under another name
_LIBC = ctypes.CDLL(None, use_errno=True)
