"""What people read: tables, lines and progress; and what programs read: JSON."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from headrace_cli.failures import Failure, Status

_PATIENCE_SECONDS = 1.0
_WIDE = 400
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), "·")


class Output:
    """Writes for people, or JSON for programs."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        width = None if sys.stdout.isatty() else _WIDE  # whoever reads a pipe gets whole rows
        self._out = Console(highlight=False, markup=False, soft_wrap=True, width=width)
        self._err = Console(highlight=False, markup=False, soft_wrap=True, stderr=True)

    def rows(self, heads: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """A table with a column for each head, which is also the name of the field; as JSON all fields."""
        if self.as_json:
            self.value([*rows])
            return
        if not rows:
            self.note("There are none.")
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for head in heads:
            table.add_column(head, no_wrap=not sys.stdout.isatty(), overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell(row.get(head))) for head in heads))
        self._out.print(table)

    def record(self, fields: Mapping[str, Any]) -> None:
        """One thing, a line for each field."""
        if self.as_json:
            self.value(fields)
            return
        width = max(map(len, fields), default=0)
        for name, value in fields.items():
            self._out.print(Text(f"{name:<{width}}  {cell(value)}"))

    def done(self, said: str, fields: Mapping[str, Any]) -> None:
        """That something was done: a line, or the fields as JSON."""
        if self.as_json:
            self.value(fields)
        else:
            self._out.print(Text(clean(said)))

    def value(self, value: Any) -> None:
        """A value as JSON."""
        print(json.dumps(value, indent=2, ensure_ascii=False))

    def line(self, said: str) -> None:
        self._out.print(Text(clean(said)))

    def note(self, said: str) -> None:
        """A line beside the result, which programs do not read."""
        self._err.print(Text(clean(said), "dim"))

    def failure(self, failure: Failure) -> None:
        """What went wrong, on the standard error."""
        if self.as_json:
            told = {"status": int(failure.status), "message": failure.message, "fix": failure.fix}
            print(json.dumps({"error": {**told, "problems": [*failure.problems]}}), file=sys.stderr)
            return
        self._err.print(Text(clean(failure.message), "red"))
        for each in (*failure.problems, failure.fix):
            if each:
                self._err.print(Text(f"  {clean(each)}"))

    @contextmanager
    def progress(self, said: str) -> Iterator[None]:
        """Shows that work goes on, from a second on: a spinner at a terminal, else a line."""
        status = self._err.status(Text(said))
        began = time.monotonic()
        show = status.start if sys.stderr.isatty() else lambda: self.note(f"{said} …")
        timer = threading.Timer(_PATIENCE_SECONDS, show)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join(1)
            status.stop()
            if time.monotonic() - began > _PATIENCE_SECONDS and not self.as_json:
                self.note(f"{said}: {time.monotonic() - began:.1f} s")

    def is_agreed(self, asked: str, *, yes: bool) -> bool:
        """Whether somebody says yes. Raises Failure where nobody can be asked."""
        if yes:
            return True
        if not sys.stdin.isatty():
            raise Failure(Status.USAGE, f"{asked} There is nobody to ask.", "Repeat with --yes.")
        self._err.print(Text(f"{asked} [y/N] "), end="")
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def cell(value: Any) -> str:
    """A value as it stands in a table."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return clean(", ".join(value) or "-")
    return clean(json.dumps(value, ensure_ascii=False))


def clean(text: str) -> str:
    """The text without what a terminal would obey."""
    return text.translate(_CONTROLS)
