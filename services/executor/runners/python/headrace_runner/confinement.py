"""What a runner may not do, told to the kernel before any component is loaded: it holds for the rest of its life.

Limits bound memory, processor time, open files and files written. A filter of system calls takes away what would let
a component harm others from inside a process: starting processes, signals to anybody else, looking into other
processes, and lifting the limits again. It is written for x86-64 and 64-bit ARM; elsewhere only the limits hold.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
import signal
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_ALL_THREADS = 1
_SECCOMP_NEW_LISTENER = 8

_LOAD = 0x20  # a word of the call's description
_JUMP_EQUAL, _JUMP_ABOVE, _JUMP_BITS = 0x15, 0x35, 0x45
_RETURN = 0x06
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000  # with an errno in its low half
_ASK = 0x7FC00000

_AT_NUMBER, _AT_ARCH = 0, 4
_CLONE_THREAD = 0x00010000


@dataclass(frozen=True, slots=True)
class _Machine:
    """Numbers of the system calls that matter."""

    arch: int
    seccomp: int
    refused: Sequence[int]
    clone: int
    clone3: int
    execve: int
    own_process_only: Sequence[int]  # their first argument names a process
    prlimit: int
    last: int  # numbers above belong to another calling convention


_MACHINES = {
    # fork vfork execve execveat ptrace setrlimit tkill rt_sigqueueinfo rt_tgsigqueueinfo process_vm_readv/writev
    # pidfd_send_signal pidfd_open pidfd_getfd
    "x86_64": _Machine(
        0xC000003E,
        317,
        (57, 58, 59, 322, 101, 160, 200, 129, 297, 310, 311, 424, 434, 438),
        56,
        435,
        59,
        (62, 234),
        302,
        0x3FFFFFFF,
    ),
    "aarch64": _Machine(
        0xC00000B7,
        277,
        (221, 281, 117, 164, 130, 138, 240, 270, 271, 424, 434, 438),
        220,
        435,
        221,
        (129, 131),
        261,
        0x7FFFFFFF,
    ),
}


def die_with_parent(parent: int) -> None:
    """End this process as soon as the executor is gone, which it may be already."""
    _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit("The executor that started this runner is gone.")


def be_first_to_go() -> None:
    """Where memory runs out for all, the kernel takes this process and not the executor."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")


def limit(*, memory_bytes: int | None, cpu_seconds: int, open_files: int, file_bytes: int) -> None:
    """Bound what this process may take. `memory_bytes` come on top of what it has already; None bounds no memory."""
    if memory_bytes is not None:
        _bound(resource.RLIMIT_DATA, _data_bytes() + memory_bytes)
    _bound(resource.RLIMIT_CPU, cpu_seconds)
    _bound(resource.RLIMIT_NOFILE, open_files)
    _bound(resource.RLIMIT_FSIZE, file_bytes)
    _bound(resource.RLIMIT_CORE, 0)


def forbid() -> bool:
    """Take away the calls that harm others, from all threads. False where this machine or its kernel cannot."""
    return _installed(asks_for_exec=False, flags=_SECCOMP_ALL_THREADS) == 0


def forbid_but_exec() -> int | None:
    """The same for this thread, but starting a program in this process asks whoever has the answered descriptor.

    Once that is closed, no program is started any more. None where this machine or its kernel cannot.
    """
    found = _installed(asks_for_exec=True, flags=_SECCOMP_NEW_LISTENER)
    return found if found >= 0 else None


def _installed(*, asks_for_exec: bool, flags: int) -> int:
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return -1
    program = _filter(machine, os.getpid(), asks_for_exec=asks_for_exec)
    kept = ctypes.create_string_buffer(program)
    described = _Program(len(program) // 8, ctypes.addressof(kept))
    libc = _libc()
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return -1
    return int(libc.syscall(machine.seccomp, _SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(described)))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _filter(machine: _Machine, own_pid: int, *, asks_for_exec: bool) -> bytes:
    """The filter as the kernel reads it: it answers the first rule that fits a call."""
    refuse, absent = _REFUSE | errno.EPERM, _REFUSE | errno.ENOSYS
    rules = [_load(_AT_ARCH), *_if(_JUMP_EQUAL, machine.arch, [], [_give(refuse)]), _load(_AT_NUMBER)]
    rules += _if(_JUMP_ABOVE, machine.last + 1, [_give(refuse)])
    rules += _if(_JUMP_EQUAL, machine.clone3, [_give(absent)])  # libc then uses clone, whose flags can be read
    if asks_for_exec:
        rules += _if(_JUMP_EQUAL, machine.execve, [_give(_ASK)])
    for number in machine.refused:
        rules += _if(_JUMP_EQUAL, number, [_give(refuse)])
    threads_only = [_load(_argument(0)), *_if(_JUMP_BITS, _CLONE_THREAD, [_give(_ALLOW)]), _give(refuse)]
    rules += _if(_JUMP_EQUAL, machine.clone, threads_only)
    to_itself = [
        _load(_argument(0)),
        *_if(_JUMP_EQUAL, own_pid, [_give(_ALLOW)]),
        *_if(_JUMP_EQUAL, 0, [_give(_ALLOW)]),
        _give(refuse),
    ]
    for number in machine.own_process_only:
        rules += _if(_JUMP_EQUAL, number, to_itself)
    reads_only = [
        _load(_argument(2)),
        *_if(_JUMP_EQUAL, 0, [], [_give(refuse)]),
        _load(_argument(2) + 4),
        *_if(_JUMP_EQUAL, 0, [], [_give(refuse)]),
        _give(_ALLOW),
    ]
    rules += _if(_JUMP_EQUAL, machine.prlimit, reads_only)
    return b"".join([*rules, _give(_ALLOW)])


def _argument(place: int) -> int:
    return 16 + 8 * place


def _load(offset: int) -> bytes:
    return struct.pack("=HBBI", _LOAD, 0, 0, offset)


def _give(answer: int) -> bytes:
    return struct.pack("=HBBI", _RETURN, 0, 0, answer)


def _if(how: int, value: int, then: Sequence[bytes], otherwise: Sequence[bytes] = ()) -> list[bytes]:
    """A comparison and what follows it; what is not answered there goes on behind."""
    if otherwise:
        return [struct.pack("=HBBI", how, len(otherwise), 0, value), *otherwise, *then]
    return [struct.pack("=HBBI", how, 0, len(then), value), *then]


def _bound(which: int, wanted: int) -> None:
    _, hardest = resource.getrlimit(which)
    value = wanted if hardest == resource.RLIM_INFINITY else min(wanted, hardest)
    resource.setrlimit(which, (value, value))


def _data_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        kibibytes = next(line.split()[1] for line in status if line.startswith("VmData"))
    return int(kibibytes) * 1024


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
