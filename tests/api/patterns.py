"""Patterns to match by, each with an equal one that Python's engine is quick at; None where it must be refused.

RE2 takes a time that grows with the text alone. Python's engine tries again and again, so what would keep it busy for
years is written for it in another way: `(a+)+$` finds what `a+$` finds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

BOMBS: Mapping[str, str] = {
    "(a+)+$": r"a+\Z",
    "^(a+)+$": r"\Aa+\Z",
    "(a|a)*b": "b",
    "(a|aa)+!": "a+!",
    "([a-zA-Z]+)*!$": r"!\Z",
    "(.*)*x": "x",
    "(.*a){12}": "(?:[^a\n]*a){12}",
    "(x+x+)+y": "xx+y",
    "(?:a?){30}a{30}": "a{30}",
    "(((((((((a*)*)*)*)*)*)*)*)*)*": "",
    "(?s).*.*.*.*=.*": "=",
}
"""Slow for engines that go back; ordinary work for RE2."""
REFUSED = (
    "(",
    ")",
    "[",
    "[z-a]",
    "*",
    "+a",
    "a**b(",
    "(?=a)",
    "(?!a)",
    "(?<=a)b",
    r"(a)\1",
    r"\k<n>",
    "(?P<n",
    "(?>a)",
    "a{2,1}",
    "a{1001}",
    "((a{100}){100}){100}",
    "\\",
    "x" * 1025,
    "(?i",
    "[[:nope:]]",
    r"\p{Nope}",
)
"""What RE2 does not have, what is no pattern, and what would be too large."""
_LETTERS = ["a", "b", "e", "n", "o", "1", "0", ".", r"\.", "[a-f]", "[^a]", r"\d", r"\w", "%", "_", "'", "-", " "]
_TIMES = ["", "", "", "*", "+", "?", "{2}", "{1,3}"]


def python_of(source: str) -> re.Pattern[str] | None:
    """The pattern that finds the same in Python; None for one that is to be refused."""
    if source in REFUSED:
        return None
    return re.compile(BOMBS.get(source, source.replace("$", r"\Z")), re.ASCII)


def some_pattern(random: Random) -> str:
    """A bomb, something to be refused, or an ordinary pattern without one repetition inside of another."""
    chance = random.random()
    return random.choice(REFUSED) if chance < 0.1 else random.choice(list(BOMBS)) if chance < 0.35 else _plain(random)


def _plain(random: Random) -> str:
    parts = [random.choice(_LETTERS) + random.choice(_TIMES) for _ in range(random.choice([1, 1, 2, 2, 3, 5]))]
    text = "".join(parts)
    if random.random() < 0.2:
        text = f"(?:{text}|{random.choice(_LETTERS)})"
    return f"{random.choice(['', '', '', '^'])}{text}{random.choice(['', '', '', '$'])}"
