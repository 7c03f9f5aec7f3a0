"""Errors say what they say in any process."""

from datetime import timedelta

import orjson
import pytest
from headrace_core import Json, errors
from headrace_core.errors import HeadraceError, Problem
from hypothesis import given
from hypothesis import strategies as st

PROBLEM = Problem("flow.a.source.in", "There is no node 'b'.", "Remove the link.", "a", "in", "source.in")
WARNING = Problem("flow", "Nothing starts here.", severity="warning")

EXAMPLES = [
    errors.ValidationFailed([PROBLEM, WARNING]),
    errors.ValidationFailed([], "Nothing was sent."),
    errors.NotFound("flow", "f1"),
    errors.NotFound("account"),
    errors.RateLimited(retry_after=timedelta(seconds=1.5)),
    errors.RateLimited("Slow down."),
    errors.Unavailable(retry_after=timedelta(minutes=2)),
    errors.Unauthenticated(),
    errors.Forbidden(details={"needs": "admin"}),
    *(
        each("It did not work.", details={"count": 3, "deep": {"list": [1, None]}})
        for each in errors.ALL
        if each not in (errors.ValidationFailed, errors.NotFound)
    ),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way_through_json(error: HeadraceError) -> None:
    revived = errors.from_dict(orjson.loads(orjson.dumps(errors.to_dict(error))))

    assert type(revived) is type(error)
    assert revived.message == error.message == str(revived)
    assert revived.details == error.details
    assert getattr(revived, "problems", None) == getattr(error, "problems", None)
    assert getattr(revived, "retry_after", None) == getattr(error, "retry_after", None)
    assert getattr(revived, "which", None) == getattr(error, "which", None)


def test_every_class_of_the_tree_has_its_own_code_and_is_listed() -> None:
    def tree(root: type[HeadraceError]) -> list[type[HeadraceError]]:
        return [root, *(each for child in root.__subclasses__() for each in tree(child))]

    in_core = [each for each in tree(HeadraceError) if each.__module__ == errors.__name__]
    public = {each for each in in_core if not each.__name__.startswith("_")}
    assert public == set(errors.ALL)
    assert len({each.code for each in errors.ALL}) == len(errors.ALL)


def test_the_tree_at_the_top_of_the_module_shows_every_class() -> None:
    assert all(f" {each.__name__}" in (errors.__doc__ or "") for each in errors.ALL)


def test_a_code_of_another_release_becomes_internal_and_is_kept() -> None:
    error = errors.from_dict({"code": "from_the_future", "message": "Hm.", "details": {"a": 1}})

    assert type(error) is errors.Internal
    assert (error.message, error.details) == ("Hm.", {"a": 1, "unknown_code": "from_the_future"})


@pytest.mark.parametrize("value", [{}, {"code": 1}, {"code": "rate_limited", "details": []}, {"details": "x"}])
def test_a_damaged_record_still_gives_an_error(value: dict[str, Json]) -> None:
    assert isinstance(errors.from_dict(value), HeadraceError)


def test_a_validation_error_counts_what_it_does_not_say() -> None:
    assert str(errors.ValidationFailed([PROBLEM])) == str(PROBLEM)
    assert "(and 1 more problem)" in str(errors.ValidationFailed([PROBLEM, PROBLEM]))
    assert "(and 2 more problems)" in str(errors.ValidationFailed([PROBLEM] * 3))


@given(st.builds(Problem, *[st.text()] * 6, severity=st.sampled_from(["error", "warning"])))
def test_a_problem_survives_json(problem: Problem) -> None:
    assert Problem.from_json(problem.to_json()) == problem


def test_only_what_passes_by_itself_is_temporary() -> None:
    temporary = {each for each in errors.ALL if each.is_temporary}
    assert temporary == {errors.RateLimited, errors.Unavailable, errors.DeadlineExceeded}
