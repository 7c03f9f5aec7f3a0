"""Checks have an end, stop where more makes no sense, and never take others with them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from headrace_core.errors import Conflict, Problem, ValidationFailed
from headrace_runtime.doctor import Check, Finding, Subject, error, examine, ok

ROOT = Path(__file__).parents[2]


async def fine() -> Finding:
    return ok("fine", "well")


async def wrong() -> Finding:
    return error("wrong", "not well", "Mend it.")


async def hangs() -> Finding:
    await asyncio.Event().wait()
    return ok("hangs", "never")


async def breaks() -> Finding:
    raise KeyError("missing")


def subject(*checks: Check, refusal: Exception | None = None) -> Subject:
    @asynccontextmanager
    async def opening() -> AsyncIterator[Sequence[Check]]:
        if refusal:
            raise refusal
        yield checks

    return Subject("a server", opening)


async def test_what_hangs_is_an_error_in_time_and_the_next_check_is_asked() -> None:
    [report] = await examine([subject(Check("hangs", hangs, "Wake it."), Check("fine", fine, ""))], check_seconds=0.1)

    assert report.findings == (error("hangs", "no answer in 0.1 s", "Wake it."), ok("fine", "well"))
    assert report.has_errors


async def test_what_breaks_is_an_error_with_what_to_do() -> None:
    [report] = await examine([subject(Check("breaks", breaks, "Look there."))])

    [found] = report.findings
    assert (found.level, found.found, found.advice) == ("error", "KeyError: 'missing'", "Look there.")


async def test_without_a_needed_answer_the_rest_is_not_asked() -> None:
    checks = Check("wrong", wrong, "", is_needed=True), Check("fine", fine, "")
    [report] = await examine([subject(*checks)])

    assert [each.check for each in report.findings] == ["wrong"]


async def test_a_subject_has_an_end_and_subjects_are_looked_at_side_by_side() -> None:
    slow = [subject(*[Check("hangs", hangs, "Wake it.")] * 10) for _ in range(5)]
    began = time.monotonic()

    reports = await examine([*slow, subject(Check("fine", fine, ""))], check_seconds=0.2, subject_seconds=0.5)

    assert time.monotonic() - began < 2
    assert [report.findings[-1].check for report in reports] == ["time"] * 5 + ["fine"]


async def test_a_setting_that_is_wrong_is_told_by_its_name() -> None:
    wrong_setting = ValidationFailed([Problem("HEADRACE_X", "It is none.", "Set one.")])

    told, refused = await examine([subject(refusal=wrong_setting), subject(refusal=Conflict("HEADRACE_Y is bad."))])

    assert told.findings == (error("HEADRACE_X", "It is none.", "Set one."),)
    assert refused.findings[0].found == "HEADRACE_Y is bad."


def test_the_page_names_every_check() -> None:
    page = (ROOT / "docs/how-to/check-an-installation.md").read_text()
    modules = (ROOT / "libs/runtime/headrace_runtime/doctor").glob("*.py")
    names = {name for each in modules for name in re.findall(r'Check\("([^"]+)"', each.read_text())}

    assert len(names) > 20
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []
