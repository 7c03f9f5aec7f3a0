"""`headrace doctor`: looks at the servers that the environment names, and says what to do."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from headrace_runtime.doctor import Finding, Report

STYLES = {"ok": "green", "warning": "yellow", "error": "red"}

console = Console(highlight=False, soft_wrap=True)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """Check the servers that HEADRACE_* variables name, or the embedded platform's data where they name none.

    A line for each check: ok, warning or error, what was found, what to do. It takes 15 seconds at most, also when a
    server hangs. Exit status 0 without errors, else 1.

    Examples:

        headrace doctor

        HEADRACE_REDIS_URL=redis://10.0.0.5:6379/0 headrace doctor

        headrace doctor --json | jq '.findings[] | select(.level != "ok")'
    """
    asyncio.run(_examine_and_leave(as_json))


async def _examine_and_leave(as_json: bool) -> NoReturn:
    from headrace_runtime.doctor import Report, error, examine

    from headrace_cli.installation import hiding, installation

    found = installation(os.environ)
    reports = await examine(found.subjects)
    if found.problems:
        wrong = tuple(error(each.where, each.message, each.fix) for each in found.problems)
        reports.insert(0, Report("Settings", wrong))
    with hiding(found):
        (_print_json if as_json else _print_lines)(reports)
    sys.stdout.flush()
    # Not by returning: whoever still waits for a name server or a dead disk in a thread would be waited for.
    os._exit(1 if any(each.has_errors for each in reports) else 0)


def _print_lines(reports: Sequence[Report]) -> None:
    from headrace_runtime.logs import redact

    for report in reports:
        for each in report.findings:
            line = Text(f"{each.level:<8}", STYLES[each.level])
            line.append(redact(f" {report.subject}: {_said(each)}"), "default")
            console.print(line)
    levels = [each.level for report in reports for each in report.findings]
    console.print(f"\nchecks: {len(levels)}, warnings: {levels.count('warning')}, errors: {levels.count('error')}")


def _said(finding: Finding) -> str:
    said = f"{finding.check}: {finding.found.rstrip('.')}."
    return f"{said} {finding.advice}" if finding.advice else said


def _print_json(reports: Sequence[Report]) -> None:
    from headrace_runtime.logs import redact

    told = {
        "good": not any(each.has_errors for each in reports),
        "findings": [each.to_json(report.subject) for report in reports for each in report.findings],
    }
    print(redact(json.dumps(told, indent=2, ensure_ascii=False)))
