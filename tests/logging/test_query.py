"""The query language: what its texts mean, and how it says that one is wrong."""

from datetime import UTC, datetime, timedelta

import pytest
from headrace_core.errors import BadRequest
from headrace_logging.model import LogRecord, StoredRecord
from headrace_logging.query import dates, matching, parser
from headrace_logging.query.tree import Everything, Period
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
RECORD = StoredRecord(
    LogRecord(
        "id-1",
        "tenant",
        datetime(2026, 3, 10, 8, tzinfo=UTC),
        {
            "severity": "error",
            "msg": "Could not send invoice-2041 to ann@example.org: HTTP 503",
            "flowName": "Monthly invoices",
            "flowId": "0e7a1c1e-0000-4000-8000-000000000001",
            "componentType": "headrace.utils.http.Post",
            "count": 42,
            "tags": ["Red", "green"],
            "nested": {"deep": {"value": "x y"}},
        },
    ),
    NOW,
)


def answers(text: str) -> bool:
    return matching.matches(parser.parse(text, NOW), matching.Document(RECORD))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*:*",
        "invoice",
        "INVOICE",
        '"send invoice"',
        "invoice-2041",
        "invoic*",
        "*voice*",
        "inv?ice",
        "post",
        "severity:error",
        "severity:ERROR",
        "componentType:headrace.utils.*",
        'flowName:"monthly invoices"',
        "flowId:0e7a1c1e-0000-4000-8000-000000000001",
        "count:42",
        "count:[40 TO 50}",
        "count:>41",
        "count:<=42",
        "tags:red AND tags:green",
        'nested.deep.value:"x y"',
        "_exists_:nested.deep",
        "_exists_:msg",
        "nothing OR invoice",
        "nothing invoice",
        "invoice AND NOT nothing",
        "invoice -nothing",
        "+invoice nothing",
        "!nothing",
        "NOT nothing",
        "invoice && (nothing || send)",
        "severity:(warn OR error)",
        "gridTimestamp:2026-03-10",
        "gridTimestamp:[2026-03-09 TO 2026-03-10]",
        "gridTimestamp:[now-1w TO now]",
        "gridTimestamp:(>=2026-03-10 AND <2026-03-11)",
        "gridTimestamp:[1773129600000 TO *]",
        "_id:id-1",
        "_index:headrace-20260310",
        r"ann\@example.org",
        "http\\:503",
    ],
)
def test_the_record_answers(text: str) -> None:
    assert answers(text)


@pytest.mark.parametrize(
    "text",
    [
        "invoi",
        '"invoice send"',
        "severity:err",
        "componentType:http",
        "count:{42 TO 50]",
        "count:>42",
        "tags:blue",
        "_exists_:nothing",
        "invoice AND nothing",
        "invoice -send",
        "+nothing invoice",
        "NOT invoice",
        "gridTimestamp:[2026-03-09 TO 2026-03-10}",
        "gridTimestamp:{2026-03-10 TO *]",
        "gridTimestamp:now/d",
        "_id:ID-1",
        "-invoice",
    ],
)
def test_the_record_does_not_answer(text: str) -> None:
    assert not answers(text)


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("(a OR b", 8, "')'"),
        ('a "b', 5, "closing quote"),
        ("field:", 7, "value for field"),
        ("count:[1 5]", 10, "TO"),
        ("count:[1 TO 5", 14, "']' or '}'"),
        ("AND a", 1, "a word"),
        ("a OR", 5, "a word"),
        (":x", 1, "a field name"),
        ("a)", 2, "the end of the query"),
        ("a~2", 2, "no '~'"),
        ("gridTimestamp:yesterday", 15, "a time"),
        ("x\\", 3, "a character after"),
        ("a*b*c*d*e*f*g*h*i*j", 1, "at most 8"),
    ],
)
def test_a_wrong_query_is_refused_with_place_and_expectation(text: str, position: int, expected: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parser.parse(text, NOW)

    assert refused.value.details["position"] == position, refused.value
    assert expected in str(refused.value)


@pytest.mark.parametrize("text", ["a " * 300, "(" * 30 + "a" + ")" * 30, "x" * 9000, "NOT " * 40 + "a", "y" * 600])
def test_a_query_beyond_the_limits_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parser.parse(text, NOW)


def test_no_query_is_true_of_everything() -> None:
    assert parser.parse("  ", NOW) == Everything()


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from(list('ab:"()[]{}+-!*?\\ \tTOANDR&|<>=~^/.0é\x00')), max_size=40))
def test_any_text_is_a_query_or_a_bad_request(text: str) -> None:
    try:
        node = parser.parse(text, NOW)
    except BadRequest:
        return
    matching.matches(node, matching.Document(RECORD))


def test_a_date_stands_for_its_whole_stretch() -> None:
    day = parser.parse("gridTimestamp:2026-02", NOW)

    assert day == Period(
        "gridTimestamp",
        dates.microseconds(datetime(2026, 2, 1, tzinfo=UTC)),
        dates.microseconds(datetime(2026, 3, 1, tzinfo=UTC)),
    )


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("now-1M", datetime(2026, 2, 14, 15, 9, 26, tzinfo=UTC)),
        ("now/w", datetime(2026, 3, 9, tzinfo=UTC)),
        ("now-1d/d", datetime(2026, 3, 13, tzinfo=UTC)),
        ("now+1y/y", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-03-01T10:00+02:00", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01T10:00:00.123Z", datetime(2026, 3, 1, 10, 0, 0, 123000, tzinfo=UTC)),
        ("1773129600000", datetime(2026, 3, 10, 8, tzinfo=UTC)),
    ],
)
def test_times_are_read(text: str, start: datetime) -> None:
    found = dates.parse(text, NOW)

    assert found is not None
    assert dates.moment(found.start) == start


@pytest.mark.parametrize("text", ["2026-13-01", "2026-02-30", "now-", "now+999999y", "soon", "99999-01-01"])
def test_what_is_no_time_is_none(text: str) -> None:
    found = dates.parse(text, NOW)

    assert found is None


def test_a_month_back_from_the_31st_is_the_last_day_of_the_shorter_month() -> None:
    found = dates.parse("now-1M", datetime(2026, 3, 31, 12, tzinfo=UTC))

    assert found is not None
    assert dates.moment(found.start) == datetime(2026, 2, 28, 12, tzinfo=UTC)
    assert dates.moment(found.end) - dates.moment(found.start) == timedelta(microseconds=1)
