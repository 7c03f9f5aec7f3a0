"""Runs checks: those of one subject one after the other, subjects side by side, each with an end to waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from headrace_core.errors import HeadraceError, ValidationFailed

from headrace_runtime.doctor.findings import Finding, error, warning

CHECK_SECONDS = 4.0
SUBJECT_SECONDS = 12.0
"""How long all checks of one subject may take. What is left then is told as not looked at."""

Ask = Callable[[], Awaitable[Finding | Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Check:
    """One question. When the server fails instead of answering, `otherwise` is what to do."""

    name: str
    ask: Ask
    otherwise: str
    is_needed: bool = False
    """Without a good answer the questions after it make no sense."""


Opening = Callable[[], AbstractAsyncContextManager[Sequence[Check]]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A server, or another thing that is looked at. `opening` connects to it and says what there is to ask."""

    name: str
    opening: Opening


@dataclass(frozen=True, slots=True)
class Report:
    """What was found about one subject."""

    subject: str
    findings: tuple[Finding, ...]

    @property
    def has_errors(self) -> bool:
        """Whether something is wrong for certain."""
        return any(each.level == "error" for each in self.findings)


async def examine(
    subjects: Sequence[Subject], *, check_seconds: float = CHECK_SECONDS, subject_seconds: float = SUBJECT_SECONDS
) -> list[Report]:
    """Look at all of them at once; reports come in their order. Takes `subject_seconds` at most, and raises nothing."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_report(each, check_seconds, subject_seconds)) for each in subjects]
    return [each.result() for each in running]


async def _report(subject: Subject, check_seconds: float, subject_seconds: float) -> Report:
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(subject_seconds):
            await _look(subject, findings, check_seconds)
    except TimeoutError:
        found = f"not looked at to the end: {subject_seconds:g} s were over"
        findings.append(warning("time", found, "Mend what is above and ask again."))
    except ValidationFailed as refused:
        findings += [error(each.where, each.message, each.fix) for each in refused.problems]
    except HeadraceError as refused:
        findings.append(error("settings", refused.message, "Correct the setting and ask again."))
    return Report(subject.name, tuple(findings))


async def _look(subject: Subject, findings: list[Finding], seconds: float) -> None:
    async with subject.opening() as checks:
        for check in checks:
            answers = await _answers(check, seconds)
            findings += answers
            if check.is_needed and any(each.level == "error" for each in answers):
                return


async def _answers(check: Check, seconds: float) -> list[Finding]:
    try:
        async with asyncio.timeout(seconds):
            answer = await check.ask()
    except TimeoutError:
        return [error(check.name, f"no answer in {seconds:g} s", check.otherwise)]
    except HeadraceError as failure:
        return [error(check.name, failure.message, check.otherwise)]
    except Exception as failure:
        # Somebody else's server, asked through somebody else's driver: any failure is an answer.
        said = " ".join(str(failure).split())[:200]
        return [error(check.name, f"{type(failure).__name__}: {said}", check.otherwise)]
    return [answer] if isinstance(answer, Finding) else list(answer)
