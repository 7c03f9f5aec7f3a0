"""Becomes another program that may not do more than a runner: `python -m headrace_runner.launching <orders>`.

The limits, the files that are left and the filter of system calls are there before that program begins, and it cannot
lift them. Starting it is
itself one of the calls that the filter takes away; so that one call is answered by a second process, which lets it
through and ends. After that nobody is there to ask, and the kernel refuses.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
import struct
import sys
from typing import NoReturn

from headrace_runner import confinement, landlock

_RECEIVE = 0xC0502100
_SEND = 0xC0182101
_NOTICE_BYTES = 80
_CONTINUE = 1
_PATIENCE_MS = 10_000


def main() -> NoReturn:
    """Take the orders, confine this process, and become the program."""
    orders = json.loads(sys.argv[1])
    confinement.die_with_parent(orders["parent"])
    confinement.be_first_to_go()
    ours, doorkeepers = socket.socketpair()
    _fork_doorkeeper(ours, doorkeepers)
    doorkeepers.close()
    confinement.limit(
        memory_bytes=None,
        cpu_seconds=orders["cpu_seconds"],
        open_files=orders["open_files"],
        file_bytes=orders["file_bytes"],
    )
    if not landlock.restrict(read=orders["read"], write=orders["write"], sockets=orders["sockets"]):
        _lacks("This kernel (no Landlock) keeps no files from components", refuses=orders["refuses"])
    listener = confinement.forbid_but_exec()
    if listener is None:
        _lacks("This kernel takes no filter of system calls: components may start processes", refuses=orders["refuses"])
    else:
        socket.send_fds(ours, [b"."], [listener])
        os.close(listener)
    ours.close()
    command = orders["command"]
    os.execv(command[0], command)


def _lacks(what: str, *, refuses: bool) -> None:
    """Say what is missing; end where the administrator wants no less than all of it."""
    sys.stderr.write(f"{what}{', and HEADRACE_RUNNER_ISOLATION refuses that' if refuses else ''}.\n")
    sys.stderr.flush()
    if refuses:
        sys.exit(os.EX_CONFIG)


def _fork_doorkeeper(ours: socket.socket, doorkeepers: socket.socket) -> None:
    """A grandchild, so that the program never has a child that it does not know of."""
    child = os.fork()
    if child == 0:
        try:
            if os.fork() == 0:
                ours.close()
                _let_one_through(doorkeepers)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _let_one_through(doorkeepers: socket.socket) -> None:
    doorkeepers.settimeout(_PATIENCE_MS / 1000)
    _, handles, _, _ = socket.recv_fds(doorkeepers, 1, 1)
    if not handles:
        return
    [listener] = handles
    waiting = select.poll()
    waiting.register(listener, select.POLLIN)
    if waiting.poll(_PATIENCE_MS):
        notice = bytearray(_NOTICE_BYTES)
        fcntl.ioctl(listener, _RECEIVE, notice)
        (which,) = struct.unpack_from("=Q", notice)
        fcntl.ioctl(listener, _SEND, bytearray(struct.pack("=QqiI", which, 0, 0, _CONTINUE)))


if __name__ == "__main__":
    main()
