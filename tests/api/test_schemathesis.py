"""The platform answers as its OpenAPI document says, to calls that Schemathesis makes up, as each role."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.process import Client, Process

from .by_document import ROLES, SEED, SETTINGS, call_by_document

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

SECONDS = 20


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path, **SETTINGS)
    process.start()
    yield process
    process.end(signal.SIGKILL)


@pytest.mark.parametrize("role", ROLES)
def test_the_platform_answers_as_its_document_says(role: str, platform: Process, tmp_path: Path) -> None:
    called = call_by_document(platform, role, tmp_path, seed=SEED, seconds=SECONDS)

    assert called.holds, called.complaint
    assert called.generated >= 20, "a busy machine makes up fewer"
    # Unsigned: an administrator's calls may have taken the first one's account away.
    assert Client(platform.port).get("/health/ready").status_code == 200
