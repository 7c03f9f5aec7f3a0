"""The list of commands is that of the program, and no command goes without a test."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from .commands import commands, holders
from .compatibility import PASS, page, rows
from .person import Person

GROUPS = ("component", "flow", "modifiers", "test", "test auth", "test flow", "transfer", "transfer flow", "init", "ai")
LINE = re.compile(r"^  ([a-z]+)(?:\|[a-z]+)?(?: |$)", re.MULTILINE)


def test_every_command_of_the_program_is_listed(person: Person) -> None:
    groups = ("", *GROUPS)
    with ThreadPoolExecutor(4) as asking:
        helped = [*asking.map(lambda group: person.run(*group.split(), "--help"), groups)]
    found = {
        f"{group} {name}".strip()
        for group, said in zip(groups, helped, strict=True)
        for name in LINE.findall(said.partition("Commands:\n")[2])
    }

    listed = {each.name for each in commands()}
    assert {name for name in found if name.rpartition(" ")[2] != "help"} - set(GROUPS) == listed - set(GROUPS)


def test_every_command_has_a_test_or_says_why_not() -> None:
    covered = holders()

    assert [each.name for each in commands() if not each.excuse and each.name not in covered] == []
    assert [each.name for each in commands() if each.excuse and each.name in covered] == []


def test_the_page_counts_what_passes() -> None:
    counted = [row for row in rows() if not row.command.excuse]

    assert f"{sum(row.state == PASS for row in counted)} of {len(counted)} commands" in page()
    assert "| `appmixer flow ls` | pass | `tests/appmixer_cli/test_flows.py::" in page()
