"""What the audit trail keeps of values has no secret in it, however deep it lies."""

from __future__ import annotations

import pytest
from headrace_core import Json
from headrace_gateway.redacting import hidden


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"clientSecret": "s", "name": "n"}, {"clientSecret": "***", "name": "n"}),
        ({"passwords": ["a", {"b": 1}], "on": True}, {"passwords": ["***", {"b": "***"}], "on": True}),
        ({"token": "", "apiKey": None}, {"token": "", "apiKey": None}),
        ([{"key": "SMTP_PASSWORD", "value": "s"}, {"key": "PORT", "value": 1}],
         [{"key": "SMTP_PASSWORD", "value": "***"}, {"key": "PORT", "value": 1}]),
    ],
)  # fmt: skip
def test_secrets_under_telling_names_are_hidden(value: Json, shown: Json) -> None:
    assert hidden(value) == shown


def test_where_all_is_sealed_only_names_are_shown_and_what_changed_says_so() -> None:
    before: Json = {"serviceId": "a:b", "deep": {"list": [1, "s"]}, "id": "x"}
    after: Json = {"serviceId": "a:b", "deep": {"list": ["t"]}, "id": "y"}

    assert hidden(after, all_values=True, before=before) == {
        "serviceId": "a:b",
        "deep": {"list": ["***"]},
        "id": "*** (changed)",
    }
