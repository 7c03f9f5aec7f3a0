"""An error that travels from a runner decides there what it decides here."""

from __future__ import annotations

from datetime import timedelta

import pytest
from headrace_core.errors import Fenced, NotFound, RateLimited, ValidationFailed
from headrace_executor.retry import classify, error_to_json
from headrace_runtime.failures import Failure, error_of, failure_of
from headrace_sdk.errors import (
    CancelError,
    ComponentError,
    ConnectionExpired,
    HttpStatusError,
    LockUnavailable,
    RateLimitedError,
    TransientError,
)


class OwnCancel(CancelError):
    """A component's own."""


class OwnFinal(ComponentError):
    """A component's own, that says of itself that it stays."""

    code = "own_final"
    is_temporary = False


ERRORS: list[Exception] = [
    CancelError("No.", {"a": [1]}),
    OwnCancel("Never."),
    TransientError("Soon."),
    RateLimitedError(retry_after=timedelta(seconds=3), data={"left": 0}),
    RateLimitedError(),
    HttpStatusError(503),
    HttpStatusError(404, "Gone.", data="x"),
    ConnectionExpired("acme"),
    LockUnavailable("door"),
    ComponentError("Odd."),
    NotFound("store", "s1"),
    RateLimited(retry_after=timedelta(seconds=2)),
    Fenced("late"),
    ValidationFailed([]),
    TimeoutError("late"),
    ConnectionResetError("reset"),
    FileNotFoundError(2, "none"),
    KeyError("a"),
    ValueError(),
    Exception("é"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__}: {error}"[:40])
def test_an_error_comes_out_as_it_went_in(error: Exception) -> None:
    came = error_of(failure_of(error))

    assert classify(came) == classify(error)
    assert error_to_json(came, 1) == error_to_json(error, 1)
    assert getattr(came, "retry_after", None) == getattr(error, "retry_after", None)


def test_a_final_error_of_a_component_stays_final() -> None:
    came = error_of(failure_of(OwnFinal("Never.")))

    assert classify(came) == "client"
    assert error_to_json(came, 1)["name"] == "OwnFinal"
    assert error_to_json(came, 1)["code"] == "own_final"


def test_an_error_that_cannot_say_what_it_is_does_no_harm() -> None:
    class Spiteful(Exception):
        data = ({1, 2}, object())

        def __str__(self) -> str:
            raise RuntimeError("no")

    failure = failure_of(Spiteful())

    assert failure.kind == "unknown"
    assert failure.message == "Spiteful"
    assert isinstance(error_of(failure), Exception)


def test_a_failure_of_another_release_is_tried_again() -> None:
    assert classify(error_of(Failure("new kind", "New", "?", "new"))) == "unknown"
