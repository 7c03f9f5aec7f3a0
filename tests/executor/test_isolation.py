"""A published component, in either language, reaches no file, no process and no socket that is not its own. S7."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from headrace_executor.model import RunState
from headrace_runner import landlock

from .platform import HandedFlows, platform
from .probes import NODE, PYTHON, WORKED, forbidden, node_code, python_code, unconfined
from .published import Shelf
from .test_runner_poison import STRICT
from .test_runners import put, run, sent

pytestmark = pytest.mark.skipif(landlock.release_of_kernel() < 6, reason="This kernel has no Landlock, or an old one.")


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("language", "count"), [("python", len(PYTHON)), ("javascript", len(NODE))])
async def test_a_component_reaches_nothing_of_the_host(tmp_path: Path, language: str, count: int) -> None:
    shelf, flows = Shelf(), HandedFlows()
    made = shelf.publish(python_code()) if language == "python" else shelf.publish_javascript(node_code())
    put(flows, made)

    with forbidden(tmp_path / "kept") as (given, heard):
        async with platform(tmp_path, flows, shelf=shelf, runners=STRICT) as here:
            detail = await run(here, content=given.told())

    assert detail.run.state is RunState.DONE, detail.steps
    [seen] = sent(detail)
    assert seen.pop("own") == "mine"
    assert len(seen) == count >= 60
    assert [name for name, words in seen.items() if words == WORKED] == []
    assert heard == []
    assert await asyncio.to_thread(Path(given.secret).read_text), "it is there, and as it was"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_every_probe_works_where_nothing_is_confined(tmp_path: Path, language: str) -> None:
    """Else they would prove nothing."""
    work = tmp_path / "work"
    await asyncio.to_thread(work.mkdir)
    with forbidden(tmp_path / "kept") as (given, heard):
        failed = await unconfined(work, given, language)

    assert failed == {}
    assert set(heard) >= {"TCP", "UDP", "Unix"}
