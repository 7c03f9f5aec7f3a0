"""A value that is edited as JSON, in the editor of whoever sits at the terminal."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from headrace_cli.failures import Failure, Status

_USUAL = "vi"


def edited(value: Any) -> Any:
    """The value as it was saved. Raises Failure when nothing was changed, or what was saved is no JSON.

    The file is nobody else's to read, and stays where it is only when it is no JSON.
    """
    if not sys.stdin.isatty():
        raise Failure(Status.USAGE, "There is no terminal for an editor.", "Give --input: JSON, @file or -.")
    handle, name = tempfile.mkstemp(prefix="headrace-", suffix=".json")
    file = Path(name)
    os.close(handle)
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    try:
        _open(file)
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        said = f"What was saved is no JSON: {error}"
        raise Failure(Status.USAGE, said, f"It is kept: mend it, and give --input @{file}") from None
    except Failure:
        file.unlink()
        raise
    file.unlink()
    if found == value:
        raise Failure(Status.FAILED, "Nothing was changed, so nothing is retried.", "To retry as it is: run retry")
    return found


def _open(file: Path) -> None:
    program = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _USUAL
    try:
        ended = subprocess.run([*shlex.split(program), str(file)])
    except (OSError, ValueError) as error:
        raise Failure(Status.FAILED, f"The editor {program!r} cannot be started: {error}", "Set EDITOR.") from None
    if ended.returncode:
        raise Failure(Status.FAILED, f"{program} ended with {ended.returncode}: nothing is retried.")
