"""Folders that last as long as their executor, and what is left of those whose executor was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from headrace_core.errors import Conflict
from headrace_runtime.sqlite import lock_directory

PREFIX = "headrace-runners-"
YOUNG_SECONDS = 60.0  # somebody may be about to lock it


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder for this process, gone when the block ends. Folders of processes that are no more go first.

    It lies where the system keeps such things, because addresses of sockets have to be short.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        _remove_if_left(left)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with lock_directory(folder):
            yield folder
    finally:
        remove_tree(folder)


def remove_tree(folder: Path) -> None:
    """Remove a folder and all below, read-only or not. What cannot be removed stays."""
    for each, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            Path(each).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_if_left(folder: Path) -> None:
    with contextlib.suppress(Conflict, OSError):
        if folder.stat().st_uid != os.getuid() or time.time() - folder.stat().st_mtime < YOUNG_SECONDS:
            return
        with lock_directory(folder):
            remove_tree(folder)
