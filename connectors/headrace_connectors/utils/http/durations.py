"""Lengths of time in words."""

from datetime import timedelta

# Up to this many seconds, this text; {0} counts in units of the second number.
STEPS = (
    (45, 1, "a few seconds"),
    (90, 1, "a minute"),
    (45 * 60, 60, "{0} minutes"),
    (90 * 60, 1, "an hour"),
    (22 * 3600, 3600, "{0} hours"),
    (36 * 3600, 1, "a day"),
    (26 * 86_400, 86_400, "{0} days"),
    (46 * 86_400, 1, "a month"),
    (320 * 86_400, 30.4 * 86_400, "{0} months"),
    (548 * 86_400, 1, "a year"),
)


def in_words(duration: timedelta) -> str:
    """About how long it is, in English: "a few seconds", "12 minutes", "a day"."""
    seconds = abs(duration.total_seconds())
    for limit, unit, text in STEPS:
        if seconds < limit:
            return text.format(round(seconds / unit))
    return f"{round(seconds / (365.25 * 86_400))} years"
