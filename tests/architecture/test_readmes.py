"""Each room has a page that says what it owns, how it runs alone, its settings and promises, and names what exists."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("services/flow-manager", "services/scheduler", "services/executor", "services/gateway", "services/logging",
         "libs/core", "libs/runtime", "libs/sdk", "embedded", "cli", "connectors")  # fmt: skip
HEADINGS = ["Owns", "Runs alone", "Settings", "Promises"]
LONGEST = 25


@pytest.fixture(scope="module")
def settings() -> set[str]:
    """Every setting that the code reads."""
    sources = (path for room in ("libs", "services", "embedded") for path in (ROOT / room).rglob("*.py"))
    return {name for path in sources for name in re.findall(r'env="([A-Z_]+)"', path.read_text())}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_a_short_page_with_the_four_answers(room: str) -> None:
    lines = (ROOT / room / "README.md").read_text().splitlines()

    assert len(lines) <= LONGEST
    assert lines[0] == f"# {Path(room).name}"
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == HEADINGS


@pytest.mark.parametrize("room", ROOMS)
def test_a_page_names_settings_and_modules_that_are_there(room: str, settings: set[str]) -> None:
    page = (ROOT / room / "README.md").read_text()

    assert set(re.findall(r"\bHEADRACE_[A-Z_]+", page)) <= settings
    for module in re.findall(r"python -m (\w+)", page):
        assert importlib.util.find_spec(f"{module}.__main__") is not None


def test_every_service_and_library_has_a_page() -> None:
    kept = {str(path.parent.relative_to(ROOT)) for path in [*ROOT.glob("services/*/*/"), *ROOT.glob("libs/*/*/")]}

    assert {room for room in kept if (ROOT / room).is_dir()} - {"libs/proto"} <= set(ROOMS)
