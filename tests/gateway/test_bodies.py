"""Bodies are read in a time that goes with their size."""

import gc

import pytest
from headrace_core.errors import BadRequest
from headrace_gateway.bodies import parse_json

LARGE = b"[" + b",".join([b"[]"] * 300_000) + b"]"


def test_no_collection_interrupts_the_reading_of_a_large_body() -> None:
    rounds: list[int] = []

    def count(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            rounds.append(info["generation"])

    gc.collect()
    gc.callbacks.append(count)
    try:
        read = parse_json(LARGE)
    finally:
        gc.callbacks.remove(count)

    assert isinstance(read, list) and len(read) == 300_000
    # Walking it afterwards, for its depth, makes a few lists: one round each of the young may fall due there.
    assert len(rounds) <= 3, rounds


@pytest.mark.parametrize("body", [b"{}", b"[" * 100, b"nothing"])
def test_collections_go_on_afterwards(body: bytes) -> None:
    try:
        parse_json(body)
    except BadRequest as refused:
        assert refused.message

    assert gc.isenabled()
