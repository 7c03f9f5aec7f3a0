"""Modifiers of dates. They read ISO dates, common written forms and milliseconds since 1970, all in UTC."""

from calendar import monthrange
from datetime import datetime, timedelta

from headrace_core.expressions.environment import Evaluation, ModifierFailed, Value
from headrace_core.expressions.modifiers.moments import formatted, iso_text, moment_of
from headrace_core.expressions.modifiers.registry import Argument, Arguments, modifier
from headrace_core.expressions.values import number_of

_SECOND = Argument("second", "date", required=True)
_INCLUSIVE = Argument("inclusive", "boolean", is_hash=True)
_ISO = "YYYY-MM-DD[T]HH:mm:ssZ"


@modifier(
    "formatDate",
    "Format date",
    'The date written by a format such as "YYYY-MM-DD HH:mm".',
    Argument("format", "string"),
    category="date",
    returns="string",
)
def format_date(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return formatted(moment_of(value), arguments.text(0, "format", _ISO, ev) or _ISO)


@modifier(
    "relativeTime",
    "Relative time",
    'How long ago or ahead the date is, in words: "2 hours ago". Without suffix: "2 hours".',
    Argument("without suffix", "boolean", is_hash=True),
    category="date",
    returns="string",
)
def relative_time(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    distance = moment_of(value) - ev.env.now
    words = _in_words(abs(distance))
    if arguments.flag(0, "without suffix"):
        return words
    return f"in {words}" if distance > timedelta() else f"{words} ago"


def _in_words(span: timedelta) -> str:
    """The span in its largest fitting unit, rounded at the limits that moment.js made common."""
    seconds = span.total_seconds()
    days = _rounded(seconds / 86_400)
    months = _rounded(seconds / 86_400 * 4_800 / 146_097)
    steps = (
        (44, _rounded(seconds), "a few seconds", ""),
        (44, _rounded(seconds / 60), "a minute", "minutes"),
        (21, _rounded(seconds / 3_600), "an hour", "hours"),
        (25, days, "a day", "days"),
        (10, months, "a month", "months"),
    )
    for limit, count, one, many in steps:
        if count <= limit:
            return one if not many or count <= 1 else f"{count} {many}"
    years = _rounded(seconds / 86_400 * 400 / 146_097)
    return "a year" if years <= 1 else f"{years} years"


def _rounded(number: float) -> int:
    return int(number + 0.5)


@modifier(
    "lessThanDate",
    "Before date",
    "True when the date is before the second one, or, inclusive, the same.",
    _SECOND,
    _INCLUSIVE,
    category="date",
    returns="boolean",
)
def less_than_date(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    first, second = moment_of(value), moment_of(arguments.needed(0, "second"))
    return first < second or (first == second and arguments.flag(1, "inclusive"))


@modifier(
    "greaterThanDate",
    "After date",
    "True when the date is after the second one, or, inclusive, the same.",
    _SECOND,
    _INCLUSIVE,
    category="date",
    returns="boolean",
)
def greater_than_date(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    first, second = moment_of(value), moment_of(arguments.needed(0, "second"))
    return first > second or (first == second and arguments.flag(1, "inclusive"))


@modifier(
    "addTimeSpan",
    "Add time span",
    "The date so much later, or earlier where numbers are negative. Months end where the shorter month does.",
    *(Argument(unit, "number", is_hash=True) for unit in ("years", "months", "weeks", "days", "hours", "minutes")),
    category="date",
    returns="date",
)
def add_time_span(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    start = moment_of(value)
    amounts = {
        unit: _amount(arguments, position, unit)
        for position, unit in enumerate(("years", "months", "weeks", "days", "hours", "minutes"))
    }
    try:
        moved = _add_months(start, int(amounts.pop("years") * 12 + amounts.pop("months")))
        return iso_text(moved + timedelta(**amounts))
    except (OverflowError, ValueError):
        raise ModifierFailed("the date would lie outside the years 1 to 9999") from None


def _amount(arguments: Arguments, position: int, unit: str) -> float:
    given = arguments.get(position, unit)
    return 0.0 if given is None or given == "" or (not given and given != 0) else float(number_of(given))


def _add_months(start: datetime, months: int) -> datetime:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError("no such year")
    return start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1]))
