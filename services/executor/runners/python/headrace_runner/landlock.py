"""Which files a process may touch from here on, told to the kernel (Landlock). What is not named it cannot open.

It holds for this process, whatever program it becomes, and for all threads and processes that come of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION = 1
_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_MAKE_SOCKET = 1 << 9
_REFER, _TRUNCATE, _DEVICES = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _DEVICES
_OLDEST = (1 << 13) - 1  # what the first release of Landlock knows
_BIND_TCP = 1
_SCOPES = 0b11  # abstract sockets of others, and signals to others

SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ssl", "/etc/pki", "/etc/alternatives")
"""Programs, libraries, certificates."""

SINGLE = (
    "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols",
    "/etc/localtime", "/etc/mime.types", "/etc/os-release", "/etc/ld.so.cache", "/proc/cpuinfo", "/proc/meminfo",
    "/proc/stat", "/proc/version", "/proc/loadavg", "/proc/uptime", "/proc/sys/vm/overcommit_memory", "/proc/self",
    "/dev/urandom", "/dev/random", "/dev/zero",
)  # fmt: skip
"""What programs read of the system besides: how names are looked up, how much memory there is, and themselves.

Not the list of hosts: the executor looks names up for them."""


def release_of_kernel() -> int:
    """Which release of Landlock this kernel has; below 1 for none."""
    return int(ctypes.CDLL(None, use_errno=True).syscall(_CREATE, None, 0, _VERSION))


def restrict(*, read: Iterable[str], write: Iterable[str], sockets: Iterable[str]) -> bool:
    """Leave these folders and files and no others: to read, to read and write, to make sockets in.

    False where this kernel cannot, and then nothing has changed.
    """
    libc, release = ctypes.CDLL(None, use_errno=True), release_of_kernel()
    if release < 1 or libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    handled = _OLDEST | sum(bit for bit, since in ((_REFER, 2), (_TRUNCATE, 3), (_DEVICES, 5)) if release >= since)
    described = struct.pack("=Q", handled)
    described += struct.pack("=Q", _BIND_TCP) if release >= 4 else b""  # no rule: nobody serves at a port
    described += struct.pack("=Q", _SCOPES) if release >= 6 else b""
    rules = libc.syscall(_CREATE, described, len(described), 0)
    if rules < 0:
        return False
    try:
        for path in (*SYSTEM, *SINGLE, *read):
            _allow(libc, rules, path, _READ | _LIST | _EXECUTE)
        for path in (*write, "/dev/null"):
            _allow(libc, rules, path, handled & ~_EXECUTE)
        for path in sockets:
            _allow(libc, rules, path, _MAKE_SOCKET | _READ | _LIST)
        return bool(libc.syscall(_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, access: int) -> None:
    with contextlib.suppress(OSError):  # what is not there needs no rule
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(handle).st_mode):
                access &= _OF_FILES
            libc.syscall(_ADD, rules, _BENEATH, struct.pack("=Qi", access, handle), 0)
        finally:
            os.close(handle)
