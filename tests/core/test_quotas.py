"""Rules of quotas are read from the literal of a quota module, and told apart by whom and what they count."""

from datetime import timedelta

import pytest
from headrace_core.errors import ValidationFailed
from headrace_core.js_literals import SUPPORTED
from headrace_core.quotas import Allowance, QuotaRule, allowances, parse_quota

SECOND = timedelta(seconds=1)

AS_PUBLISHED = """
'use strict';
module.exports = {
    name: 'mail',
    rules: [
        // the daily one
        {
            limit: 5000, window: 1000 * 60 * 60 * 24, throttling: 'window-sliding', queueing: 'fifo',
            resource: ['requests', 'search']
        },
        { limit: 10, window: 1000, resource: 'requests', scope: 'userId' },
        { limit: 3, throttling: 'limit-concurrency', resource: 'uploads' }
    ]
};
"""


def test_a_module_as_it_is_published_is_read() -> None:
    daily, each_second, at_once = parse_quota(AS_PUBLISHED)

    assert daily == QuotaRule(5000, timedelta(days=1), ("requests", "search"))
    assert each_second == QuotaRule(10, SECOND, ("requests",), ("userId",))
    assert (at_once.limit, at_once.window, at_once.throttling) == (3, timedelta(), "limit-concurrency")


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("module.exports = [];", "source"),
        ("module.exports = {};", "rules"),
        ("module.exports = { rules: {} };", "rules"),
        ("module.exports = { rules: [], more: 1 };", "more"),
        ("module.exports = { rules: [5] };", "rules[0]"),
        ("module.exports = { rules: [{ window: 1000 }] };", "rules[0].limit"),
        ("module.exports = { rules: [{ limit: 0, window: 1000 }] };", "rules[0].limit"),
        ("module.exports = { rules: [{ limit: 1.5, window: 1000 }] };", "rules[0].limit"),
        ("module.exports = { rules: [{ limit: true, window: 1000 }] };", "rules[0].limit"),
        ("module.exports = { rules: [{ limit: 1 }] };", "rules[0].window"),
        ("module.exports = { rules: [{ limit: 1, window: 1000 * 60 * 60 * 24 * 32 }] };", "rules[0].window"),
        ("module.exports = { rules: [{ limit: 1, window: 1000, throttling: 'x' }] };", "rules[0].throttling"),
        ("module.exports = { rules: [{ limit: 1, window: 1000, throttling: {} }] };", "rules[0].throttling"),
        (
            "module.exports = { rules: [{ limit: 1, window: 9, throttling: 'limit-concurrency' }] };",
            "rules[0].window",
        ),
        ("module.exports = { rules: [{ limit: 1, window: 1000, queueing: 'lifo' }] };", "rules[0].queueing"),
        ("module.exports = { rules: [{ limit: 1, window: 1000, resource: 5 }] };", "rules[0].resource"),
        ("module.exports = { rules: [{ limit: 1, window: 1000, scope: [''] }] };", "rules[0].scope"),
        ("module.exports = { rules: [{ limit: 1, window: 1000, limits: 5 }] };", "rules[0].limits"),
        ("module.exports = { rules: [{ limit: 1, window: 9 }, { limit: 2, window: 9 }] };", "rules[1]"),
        ("module.exports = { rules: [" + "{}," * 17 + "] };", "rules"),
    ],
)
def test_what_is_no_rule_is_refused_by_its_place(source: str, where: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_quota(source)

    assert where in [problem.where for problem in refused.value.problems]


def test_what_would_have_to_be_run_is_refused_with_line_and_column_and_what_is_read() -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_quota("module.exports = {\n  rules: [{ limit: 5, throttling: { getStartOfNextWindow() {} } }]\n};")

    [problem] = refused.value.problems
    assert problem.message.startswith("Line 2, column 37: ")
    assert (problem.field, problem.fix) == ("source", SUPPORTED)


def test_a_call_counts_under_each_rule_of_its_resources_and_of_those_it_is_for() -> None:
    rules = parse_quota(AS_PUBLISHED)

    def counted(*resources: str, user: str = "ann") -> list[Allowance]:
        return allowances("acme:mail", rules, resources, {"userId": user})

    daily, own = counted("requests")
    assert [(each.limit, each.window) for each in (daily, own)] == [(5000, timedelta(days=1)), (10, SECOND)]
    assert counted("search") == [daily]
    assert counted("uploads") == counted() == []
    assert [each.name for each in counted("requests", user="bob")] == [
        daily.name,
        counted("requests", user="bob")[1].name,
    ]
    assert counted("requests", user="bob")[1].name != own.name
    assert allowances("acme:other", rules, ["search"], {})[0].name != daily.name


def test_a_rule_that_is_changed_goes_on_from_what_was_counted() -> None:
    strict, lax = (
        allowances("m", parse_quota(f"module.exports = {{ rules: [{{ limit: {limit}, window: 1000 }}] }}"), [], {})
        for limit in (1, 2)
    )

    assert [each.name for each in strict] == [each.name for each in lax]
    assert strict != lax
