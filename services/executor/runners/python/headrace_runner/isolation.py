"""Keeps a runner from the files and the calls that are not its own, or says loudly what this kernel lacks for that."""

from __future__ import annotations

import os
import platform
import socket
import sys
import sysconfig
from collections.abc import Callable, Iterable

from headrace_runner import landlock


def keep_files(*, read: Iterable[str], write: Iterable[str], sockets: Iterable[str], refuses: bool) -> None:
    """Leave these files and no others. It holds for threads that are started later: come before the first one."""
    if not landlock.restrict(read=read, write=write, sockets=sockets):
        _lacks("This kernel (no Landlock) keeps no files from components", refuses=refuses)


def keep_calls(fence: int, forbid: Callable[[], int | None], *, refuses: bool) -> None:
    """Take calls away by that filter, and hand over, through this socket, what the executor answers it with."""
    with socket.socket(fileno=fence) as executor:
        if platform.libc_ver()[0] != "glibc":
            _lacks(
                "This C library looks names up in ways that no filter can let through: there is none", refuses=refuses
            )
            return
        listener = forbid()
        if listener is None:
            what = "This kernel takes no filter of system calls: components may start processes and connect anywhere"
            _lacks(what, refuses=refuses)
        else:
            socket.send_fds(executor, [b"."], [listener])
            os.close(listener)


def of_interpreter() -> list[str]:
    """The files that this Python is made of."""
    paths = sysconfig.get_paths()
    libraries = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    shared = [os.path.join(prefix, "lib") for prefix in (sys.base_prefix, sys.prefix)]
    return [*sys.path, *libraries, *shared, os.path.join(sys.prefix, "pyvenv.cfg"), sys.executable]


def _lacks(what: str, *, refuses: bool) -> None:
    """Say what is missing; end where the administrator wants no less than all of it."""
    sys.stderr.write(f"{what}{', and HEADRACE_RUNNER_ISOLATION refuses that' if refuses else ''}.\n")
    sys.stderr.flush()
    if refuses:
        os._exit(os.EX_CONFIG)  # threads may be there already
