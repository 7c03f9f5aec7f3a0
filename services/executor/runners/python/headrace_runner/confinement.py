"""What a runner may not do, told to the kernel before any component is loaded: it holds for the rest of its life.

Limits bound memory, processor time, open files and files written. A filter of system calls takes away what would let
a component harm others from inside a process: starting processes, signals to anybody else, looking into other
processes, memory shared with them, what only an administrator does, and lifting the limits again. Sockets are TCP or
Unix streams, and nothing else: what else could carry data out has no one place where it is said to whom. Connecting
waits for the answer of whoever has the descriptor that comes with the filter, which is the executor. The filter is
written for x86-64 and 64-bit ARM; elsewhere only the limits hold.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_ALL_THREADS = 1
_SECCOMP_NEW_LISTENER = 8
_SECCOMP_ALL_OR_NONE = 16  # else the answer could be a thread or a descriptor

_LOAD = 0x20  # a word of the call's description
_MASK = 0x54
_JUMP_EQUAL, _JUMP_ABOVE, _JUMP_BITS = 0x15, 0x35, 0x45
_RETURN = 0x06
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000  # with an errno in its low half
_ABSENCE = _REFUSE | errno.ENOSYS
_ASK = 0x7FC00000

_AT_NUMBER, _AT_ARCH = 0, 4
_CLONE_THREAD = 0x00010000
_KIND_OF_SOCKET = 0xF  # the other bits are flags
_TCP = 6
_FAST_OPEN = 0x20000000


@dataclass(frozen=True, slots=True)
class _Machine:
    """Numbers of the system calls that matter."""

    arch: int
    seccomp: int
    refused: Sequence[int]
    ignored: Sequence[int]  # done as far as who called can tell: Landlock says nothing about modes and owners
    absent: Sequence[int]  # with an answer that libraries know how to live with
    clone: int
    execve: int
    own_process_only: Sequence[int]  # their first argument names a process
    prlimit: int
    socket: int
    socketpair: int
    connect: int
    sendto: int
    sendmsg: int
    sendmmsg: int
    last: int  # numbers above belong to another calling convention


_ABSENT = (435, 425, 426, 427)  # clone3 (libc then uses clone, whose flags can be read), io_uring (no filter sees in)
_MACHINES = {
    "x86_64": _Machine(
        arch=0xC000003E,
        seccomp=317,
        refused=(
            # fork vfork execve execveat ptrace setrlimit tkill rt_sigqueueinfo rt_tgsigqueueinfo
            57, 58, 59, 322, 101, 160, 200, 129, 297,
            # process_vm_readv process_vm_writev pidfd_send_signal pidfd_open pidfd_getfd kcmp
            310, 311, 424, 434, 438, 312,
            # shmget shmat semget msgget mq_open: what other runners of the same user could be met at
            29, 30, 64, 68, 240,
            # unshare setns mount umount2 pivot_root chroot open_tree move_mount fsopen mount_setattr
            272, 308, 165, 166, 155, 161, 428, 429, 430, 442,
            # bpf perf_event_open userfaultfd add_key request_key keyctl name_to_handle_at open_by_handle_at
            321, 298, 323, 248, 249, 250, 303, 304,
            # init_module finit_module delete_module kexec_load kexec_file_load reboot settimeofday clock_settime
            175, 313, 176, 246, 320, 169, 164, 227,
            # adjtimex clock_adjtime syslog acct quotactl swapon swapoff iopl ioperm sethostname setdomainname
            159, 305, 103, 163, 179, 167, 168, 172, 173, 170, 171,
            # setpriority ioprio_set sched_setaffinity sched_setscheduler sched_setparam sched_setattr
            141, 251, 203, 144, 142, 314,
            # setxattr lsetxattr removexattr lremovexattr fanotify_init
            188, 189, 197, 198, 300,
        ),
        ignored=(90, 268, 452, 92, 94, 260),  # chmod fchmodat fchmodat2 chown lchown fchownat
        absent=_ABSENT,
        clone=56,
        execve=59,
        own_process_only=(62, 234),
        prlimit=302,
        socket=41,
        socketpair=53,
        connect=42,
        sendto=44,
        sendmsg=46,
        sendmmsg=307,
        last=0x3FFFFFFF,
    ),
    "aarch64": _Machine(
        arch=0xC00000B7,
        seccomp=277,
        refused=(
            # execve execveat ptrace setrlimit tkill rt_sigqueueinfo rt_tgsigqueueinfo
            221, 281, 117, 164, 130, 138, 240,
            # process_vm_readv process_vm_writev pidfd_send_signal pidfd_open pidfd_getfd kcmp
            270, 271, 424, 434, 438, 272,
            # shmget shmat semget msgget mq_open
            194, 196, 190, 186, 180,
            # unshare setns mount umount2 pivot_root chroot open_tree move_mount fsopen mount_setattr
            97, 268, 40, 39, 41, 51, 428, 429, 430, 442,
            # bpf perf_event_open userfaultfd add_key request_key keyctl name_to_handle_at open_by_handle_at
            280, 241, 282, 217, 218, 219, 264, 265,
            # init_module finit_module delete_module kexec_load kexec_file_load reboot settimeofday clock_settime
            105, 273, 106, 104, 294, 142, 170, 112,
            # adjtimex clock_adjtime syslog acct quotactl swapon swapoff sethostname setdomainname
            171, 266, 116, 89, 60, 224, 225, 161, 162,
            # setpriority ioprio_set sched_setaffinity sched_setscheduler sched_setparam sched_setattr
            140, 30, 122, 119, 118, 274,
            # setxattr lsetxattr removexattr lremovexattr fanotify_init
            5, 6, 14, 15, 262,
        ),
        ignored=(53, 452, 54),  # fchmodat fchmodat2 fchownat
        absent=_ABSENT,
        clone=220,
        execve=221,
        own_process_only=(129, 131),
        prlimit=261,
        socket=198,
        socketpair=199,
        connect=203,
        sendto=206,
        sendmsg=211,
        sendmmsg=269,
        last=0x7FFFFFFF,
    ),
}  # fmt: skip


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


def do_without_rings() -> None:
    """Let event loops that are made from here on live without io_uring, which `forbid` takes away from them."""
    machine = _MACHINES.get(platform.machine())
    if machine is not None:
        absent = [rule for number in machine.absent for rule in _if(_JUMP_EQUAL, number, [_give(_ABSENCE)])]
        _install(machine, [*_own_calls_only(machine), *absent, _give(_ALLOW)], 0)


def forbid() -> int | None:
    """Take away the calls that harm others, from all threads. Connecting asks whoever has the answered descriptor.

    Once that is closed, nothing is connected any more. None where this machine or its kernel cannot.
    """
    return _forbid(asks_for_exec=False, flags=_SECCOMP_ALL_THREADS | _SECCOMP_ALL_OR_NONE)


def forbid_but_exec() -> int | None:
    """The same for this thread, but starting a program in this process asks too."""
    return _forbid(asks_for_exec=True, flags=0)


def _forbid(*, asks_for_exec: bool, flags: int) -> int | None:
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return None
    rules = _filter(machine, os.getpid(), asks_for_exec=asks_for_exec)
    found = _install(machine, rules, flags | _SECCOMP_NEW_LISTENER)
    return found if found >= 0 else None


def _install(machine: _Machine, rules: Sequence[bytes], flags: int) -> int:
    kept = ctypes.create_string_buffer(b"".join(rules))
    described = _Program(len(rules), ctypes.addressof(kept))
    libc = _libc()
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return -1
    return int(libc.syscall(machine.seccomp, _SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(described)))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _own_calls_only(machine: _Machine) -> list[bytes]:
    """The number of the call, if it is meant as this machine's."""
    refuse = _give(_REFUSE | errno.EPERM)
    rules = [_load(_AT_ARCH), *_if(_JUMP_EQUAL, machine.arch, [], [refuse]), _load(_AT_NUMBER)]
    return [*rules, *_if(_JUMP_ABOVE, machine.last + 1, [refuse])]


def _filter(machine: _Machine, own_pid: int, *, asks_for_exec: bool) -> list[bytes]:
    """The filter as the kernel reads it: it answers the first rule that fits a call."""
    refuse = _REFUSE | errno.EPERM
    rules = _own_calls_only(machine)
    for number in machine.absent:
        rules += _if(_JUMP_EQUAL, number, [_give(_ABSENCE)])
    for number in (machine.connect, *([machine.execve] if asks_for_exec else [])):
        rules += _if(_JUMP_EQUAL, number, [_give(_ASK)])
    for number in machine.ignored:
        rules += _if(_JUMP_EQUAL, number, [_give(_REFUSE)])
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
    rules += _sockets(machine)
    return [*rules, _give(_ALLOW)]


def _sockets(machine: _Machine) -> list[bytes]:
    """TCP and streams on this machine; and nothing is sent with an address in the same breath."""
    refuse = _give(_REFUSE | errno.EACCES)
    is_stream = [_load(_argument(1)), _mask(_KIND_OF_SOCKET)]
    stream = [*is_stream, *_if(_JUMP_EQUAL, socket.SOCK_STREAM, [_give(_ALLOW)]), refuse]
    is_tcp = [_load(_argument(2)), *_if(_JUMP_EQUAL, 0, [_give(_ALLOW)]), *_if(_JUMP_EQUAL, _TCP, [_give(_ALLOW)])]
    tcp = [*is_stream, *_if(_JUMP_EQUAL, socket.SOCK_STREAM, is_tcp), refuse]
    kinds = [(socket.AF_INET, tcp), (socket.AF_INET6, tcp), (socket.AF_UNIX, stream)]
    opened = [rule for family, then in kinds for rule in _if(_JUMP_EQUAL, family, then)]
    rules = _if(_JUMP_EQUAL, machine.socket, [_load(_argument(0)), *opened, refuse])
    rules += _if(_JUMP_EQUAL, machine.socketpair, stream)
    nowhere = [rule for half in (0, 4) for rule in (_load(_argument(4) + half), *_if(_JUMP_EQUAL, 0, [], [refuse]))]
    rules += _if(_JUMP_EQUAL, machine.sendto, [*nowhere, _give(_ALLOW)])
    for number, flags in ((machine.sendmsg, 2), (machine.sendmmsg, 3)):
        plain = [_load(_argument(flags)), *_if(_JUMP_BITS, _FAST_OPEN, [refuse]), _give(_ALLOW)]
        rules += _if(_JUMP_EQUAL, number, plain)
    return rules


def _argument(place: int) -> int:
    return 16 + 8 * place


def _load(offset: int) -> bytes:
    return struct.pack("=HBBI", _LOAD, 0, 0, offset)


def _mask(bits: int) -> bytes:
    return struct.pack("=HBBI", _MASK, 0, 0, bits)


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
