"""What of a record can be found, and as which words. Stores and the plain evaluator both go by this.

A text is lower-cased and falls apart into words: runs of letters, digits and `_`. A keyword counts as a whole, in
lower case. Values of any other field are keywords too, found by their dotted name.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from headrace_core import Json

from headrace_logging import model

TEXTS = (*model.LONG_TEXTS, *model.SHORT_TEXTS)
OTHERS = "words"
COLUMNS = (*TEXTS, OTHERS)
"""Texts in which a word without a field is looked for; OTHERS has the values of all other fields."""

MAX_INDEXED_CHARACTERS = 16_384
MAX_VALUE_CHARACTERS = 4_096
MAX_NAME_CHARACTERS = 512
MAX_WORD_CHARACTERS = 127
"""Longer words, values and names are found by their beginning. Search servers bound all three."""
MAX_LEAVES = 256
MAX_NESTING = 8
# No letter or digit, so no query holds it and no phrase reaches across two values.
_BETWEEN_VALUES = " \u241f "

_NOT_OF_WORDS = re.compile(r"[^\w]+")
_WORD = re.compile(r"[0-9a-z_\u0080-\U0010ffff]+")
_LONG_WORD = re.compile(
    rf"(?<![0-9a-z_\u0080-\U0010ffff])({_WORD.pattern[:-1]}{{{MAX_WORD_CHARACTERS}}}){_WORD.pattern}"
)


@dataclass(frozen=True, slots=True)
class Indexed:
    """A record as it is searched: normalised texts by column, keywords by dotted name."""

    texts: Mapping[str, str]
    keywords: Mapping[str, tuple[str, ...]]


def indexed(fields: Mapping[str, Json]) -> Indexed:
    """Everything of a cleaned record's fields that can be found."""
    kept = keywords_of(fields)
    return Indexed({column: text_of(fields, column, kept) for column in COLUMNS}, kept)


def text_of(fields: Mapping[str, Json], column: str, keywords: Mapping[str, tuple[str, ...]]) -> str:
    """The normalised text of one column of COLUMNS; "" when the record has none."""
    if column != OTHERS:
        value = fields.get(column)
        return normalised(value[:MAX_INDEXED_CHARACTERS]) if isinstance(value, str) else ""
    others = (value for name, values in keywords.items() if name not in TEXTS for value in values)
    # Keywords are in lower case already; in ASCII that is all there is to do.
    plain = [value if value.isascii() else normalised(value) for value in others]
    return _LONG_WORD.sub(r"\1", _BETWEEN_VALUES.join(plain)[:MAX_INDEXED_CHARACTERS])


def keywords_of(fields: Mapping[str, Json]) -> dict[str, tuple[str, ...]]:
    """Every value of the record in lower case, by dotted name."""
    keywords: dict[str, list[str]] = {}
    for name, value in _leaves(fields):
        keywords.setdefault(name[:MAX_NAME_CHARACTERS].replace("\0", ""), []).append(value)
    return {name: tuple(values) for name, values in keywords.items()}


def normalised(text: str) -> str:
    """Lower case, no word longer than it may be, and nothing but words outside of ASCII."""
    lowered = text.lower()
    plain = lowered.replace("\0", " ") if lowered.isascii() else _NOT_OF_WORDS.sub(" ", lowered)
    return _LONG_WORD.sub(r"\1", plain)


def words(text: str) -> list[str]:
    """The words of a normalised text, in order."""
    return _WORD.findall(text)


def keyword(text: str) -> str:
    """A value as it is compared as a whole."""
    return text.lower().replace("\0", "")


def _leaves(fields: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Dotted name and keyword of each value, at most MAX_LEAVES of them and MAX_NESTING deep."""
    left = MAX_LEAVES
    waiting: list[tuple[str, Json, int]] = [(name, value, 0) for name, value in reversed(list(fields.items()))]
    while waiting and left:
        name, value, depth = waiting.pop()
        if isinstance(value, dict):
            if depth < MAX_NESTING:
                waiting.extend((f"{name}.{key}", inner, depth + 1) for key, inner in reversed(list(value.items())))
        elif isinstance(value, list):
            if depth < MAX_NESTING:
                waiting.extend((name, inner, depth + 1) for inner in reversed(value[:MAX_LEAVES]))
        elif value is not None:
            left -= 1
            yield name, keyword(value[:MAX_VALUE_CHARACTERS]) if isinstance(value, str) else _leaf_text(value)


def _leaf_text(value: bool | int | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
