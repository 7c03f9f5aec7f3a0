"""The page that says of each command of Appmixer's command line whether it works here, and which test shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .commands import Command, commands, holders
from .install import VERSION

PASS = "pass"
PARTLY = "partly"


@dataclass(frozen=True, slots=True)
class Row:
    """One command, what is to be said of it, and the tests that show it."""

    command: Command
    state: str
    tests: Sequence[str] = ()


def rows() -> list[Row]:
    """What holds of each command. One that works and that no test tries is no pass."""
    known = holders()
    return [_row(each, known) for each in commands()]


def page() -> str:
    """The page in Markdown."""
    found = rows()
    counted = [row for row in found if not row.command.excuse]
    passed = sum(row.state == PASS for row in counted)
    parts = [
        "# Appmixer's command line",
        "Generated from the tests by `make docs`.",
        f"{passed} of {len(counted)} commands of Appmixer's command line {VERSION}, unmodified, pass against a running "
        "platform: tests that `make test` is green only with check what they print and what they change. "
        f"{len(found) - len(counted)} more are not tried; the table says why.",
        "\n".join(_table(found)),
    ]
    return "\n\n".join(parts) + "\n"


def _row(command: Command, known: Mapping[str, Sequence[str]]) -> Row:
    holding = known.get(command.name, ())
    if command.excuse:
        return Row(command, command.excuse)
    passed = f"{PARTLY}: {command.flaw}" if command.flaw else PASS
    return Row(command, passed if holding else "no test tries it", holding)


def _table(found: Sequence[Row]) -> Iterator[str]:
    yield "| command | state | tests |"
    yield "| --- | --- | --- |"
    for row in found:
        shown = ", ".join(f"`{each}`" for each in row.tests)
        yield f"| `appmixer {row.command.name}` | {row.state} | {shown} |"
