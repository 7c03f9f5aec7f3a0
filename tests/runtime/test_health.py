"""What health reports promise."""

import asyncio

from headrace_core.clock import TestClock
from headrace_core.errors import Unavailable
from headrace_runtime import health
from headrace_runtime.health import Health


async def test_a_fresh_process_is_not_ready_until_it_says_that_it_serves() -> None:
    checks = Health(TestClock())

    assert not (await checks.report()).is_ready
    checks.is_serving = True
    assert (await checks.report()).is_ready


async def test_a_failing_check_takes_readiness_and_tells_only_its_name() -> None:
    checks = Health(TestClock())
    checks.is_serving = True

    async def well() -> None:
        return

    async def ill() -> None:
        raise ConnectionError("password=hunter2")

    checks.add("disk", well)
    checks.add("database", ill)
    report = await checks.report()

    assert not report.is_ready
    assert report.passed == ("disk",)
    assert report.failed == {"database": "failed"}


async def test_what_is_not_needed_is_named_and_takes_no_readiness() -> None:
    checks = Health(TestClock())
    checks.is_serving = True

    async def away() -> None:
        raise Unavailable("It cannot be reached.")

    checks.add("logging", away, is_needed=False)
    report = await checks.report()
    assert report.is_ready
    assert report.failed == {"logging": "It cannot be reached."}

    checks.add("logging", away)
    assert (await checks.report()).missing == ("logging",)


async def test_a_check_that_hangs_fails() -> None:
    checks = Health(TestClock())

    async def hang() -> None:
        raise TimeoutError

    checks.add("slow", hang)

    assert (await checks.report()).failed == {"slow": "took too long"}


async def test_many_who_ask_cause_one_round_a_second() -> None:
    clock = TestClock()
    checks, rounds = Health(clock), 0

    async def count() -> None:
        nonlocal rounds
        rounds += 1

    checks.add("counted", count)
    await asyncio.gather(*(checks.report() for _ in range(50)))
    assert rounds == 1

    clock.advance(1)
    await checks.report()
    assert rounds == 2


def test_checks_have_a_limit() -> None:
    assert 0 < health.CHECK_TIMEOUT <= 5
