"""What a subject answers, by the name of the check."""

from headrace_runtime.doctor import Finding, Subject, examine


async def asked(subject: Subject) -> dict[str, Finding]:
    """All findings. Each that is not ok says what to do."""
    [report] = await examine([subject])
    assert [each for each in report.findings if each.level != "ok" and not each.advice] == []
    return {each.check: each for each in report.findings}


def levels(found: dict[str, Finding]) -> dict[str, str]:
    return {check: each.level for check, each in found.items()}
