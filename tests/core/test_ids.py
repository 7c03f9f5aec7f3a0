"""Ids that people make are random, ids that runs make follow from their cause."""

import re
import uuid

from headrace_core import ids
from hypothesis import assume, given
from hypothesis import strategies as st

PARTS = st.lists(st.text(max_size=8) | st.binary(max_size=8) | st.integers(), max_size=4)


def test_random_ids_have_their_forms_and_differ() -> None:
    assert str(uuid.UUID(ids.new_id(), version=4)) != ids.new_id()
    assert re.fullmatch("[0-9a-f]{24}", ids.new_user_id())
    assert ids.new_user_id() != ids.new_user_id()


@given(PARTS)
def test_a_derived_id_is_32_digits_and_always_the_same(parts: list[str | bytes | int]) -> None:
    assert re.fullmatch("[0-9a-f]{32}", ids.derive_id(*parts))
    assert ids.derive_id(*parts) == ids.derive_id(*parts)


@given(PARTS, PARTS)
def test_different_parts_give_different_ids(some: list[str | bytes | int], others: list[str | bytes | int]) -> None:
    assume([(type(part), part) for part in some] != [(type(part), part) for part in others])

    assert ids.derive_id(*some) != ids.derive_id(*others)


def test_borders_and_kinds_count() -> None:
    several: list[tuple[str | bytes, ...]] = [("ab", "c"), ("a", "bc"), ("abc",), (b"abc",), ("abc", "")]

    assert len({ids.derive_id(*parts) for parts in several}) == len(several)
    assert ids.derive_id(1) != ids.derive_id("1")


def test_runs_messages_and_deliveries_follow_from_their_cause() -> None:
    run = ids.run_id("flow", "trigger", "event")
    message = ids.message_id(run, "node", "cause", "out", 0)

    assert run == ids.run_id("flow", "trigger", "event") != ids.run_id("flow", "trigger", "event 2")
    assert message == ids.message_id(run, "node", "cause", "out", 0) != ids.message_id(run, "node", "cause", "out", 1)
    assert ids.delivery_id(message, "next", "in") != ids.delivery_id(message, "next", "count")


def test_ids_stay_the_same_between_releases() -> None:
    """Stored runs hold these: a change of the recipe would repeat their steps."""
    assert ids.run_id("flow", "trigger", "event") == "4ee3a6096bb127ccc4a2c22e21904eda"
