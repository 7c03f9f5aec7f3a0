"""Becomes another program that may not do more than a runner: `python -m headrace_runner.launching <orders>`.

The limits, the files that are left and the filter of system calls are there before that program begins, and it cannot
lift them. Starting it is itself one of the calls that the filter takes away; so the executor, which is asked about it,
lets the first one through and no other.
"""

from __future__ import annotations

import json
import os
import sys
from typing import NoReturn

from headrace_runner import confinement, isolation


def main() -> NoReturn:
    """Take the orders, confine this process, and become the program."""
    orders = json.loads(sys.argv[1])
    confinement.die_with_parent(orders["parent"])
    confinement.be_first_to_go()
    confinement.limit(
        memory_bytes=None,
        cpu_seconds=orders["cpu_seconds"],
        open_files=orders["open_files"],
        file_bytes=orders["file_bytes"],
    )
    refuses = orders["refuses"]
    isolation.keep_files(read=orders["read"], write=orders["write"], sockets=orders["sockets"], refuses=refuses)
    isolation.keep_calls(orders["fence"], confinement.forbid_but_exec, refuses=refuses)
    command = orders["command"]
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
