"""Ends the process groups of a parent that died without ending them itself.

The parent writes `+<group>` and `-<group>` lines to our standard input, which closes when it is gone, however it went.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading


class Guard:
    """The parent's side: one guarding process for all servers of this one."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def watch(self, group: int) -> None:
        """End this process group with us."""
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        """The group is gone; its number may belong to somebody else from now on."""
        self._tell(f"-{group}")

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._child is None:
                self._child = subprocess.Popen(
                    [sys.executable, __file__], stdin=subprocess.PIPE, text=True, start_new_session=True
                )
                atexit.register(self._close, self._child)
            assert self._child.stdin is not None
            self._child.stdin.write(f"{line}\n")
            self._child.stdin.flush()

    @staticmethod
    def _close(child: "subprocess.Popen[str]") -> None:
        assert child.stdin is not None
        child.stdin.close()
        child.wait(10)


def main() -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
