"""The chat page in a real browser: what is written there arrives, answers appear, and words stay words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.api.conftest import open_people
from tests.api.people import make_running
from tests.connectors.flows.test_chat import TALK, chatting

from .test_pages_of_flows import SECONDS, browsing

pytestmark = pytest.mark.timeout(SECONDS * 2)
BOLD = "<b>bold</b>"


async def test_somebody_talks_to_a_flow_and_finds_its_answers_again(tmp_path: Path, chromium: Path) -> None:
    async with open_people(tmp_path) as people:
        flow_id = await make_running(people.ann, chatting(agentMessage="How can I help?"))
        address = f"{str(people.ann.base_url).rstrip('/')}/chat/{flow_id}/{TALK}"
        async with browsing(chromium, address) as page:
            await page.until("How can I help?")
            await page.click("textarea")
            await page.ask("Input.insertText", text=BOLD)
            await page.click("button")
            answered = await page.until("You said &lt;b&gt;bold&lt;/b&gt;.")
            await page.ask("Page.reload")
            again = await page.until("You said &lt;b&gt;bold&lt;/b&gt;.")

    own = re.compile(r'<p data-at="[^"]+" class="own">&lt;b&gt;bold&lt;/b&gt;</p>.*You said', re.DOTALL)
    assert own.search(answered) and own.search(again), "what was written is there again, before its answer"
    assert BOLD not in answered and 'class="failed"' not in answered + again
