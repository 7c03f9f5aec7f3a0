"""Cutting a text into words, and the spellings made of them, as lodash does."""

import re
import unicodedata
from collections.abc import Callable

from headrace_core.expressions.environment import Evaluation

# "1st", "22nd" and so on are one word.
_ORDINAL = re.compile(r"[0-9]*(?:1st|2nd|3rd|[04-9]th)(?![a-z])", re.IGNORECASE)
_APOSTROPHES = str.maketrans("", "", "'\u2019")


def words(text: str, ev: Evaluation) -> list[str]:
    """The words of a text: cut at signs and blanks, between cases, and around digits."""
    found: list[str] = []
    position = 0
    while position < len(text):
        end = _end_of_word(text, position)
        if end > position:
            found.append(text[position:end])
        position = max(end, position + 1)
        ev.spend()
    return found


def _end_of_word(text: str, start: int) -> int:
    first = text[start]
    if first.isdigit():
        ordinal = _ORDINAL.match(text, start)
        return ordinal.end() if ordinal else _run(text, start, str.isdigit)
    if not first.isalpha():
        return start
    if not first.isupper():
        return _run(text, start, _is_small)
    capitals = _run(text, start, str.isupper)
    if capitals < len(text) and _is_small(text[capitals]):
        # The last capital begins the next word, as in "XMLFile", unless it stands alone, as in "File".
        return capitals - 1 if capitals - start > 1 else _run(text, capitals, _is_small)
    return capitals


def _is_small(character: str) -> bool:
    """A letter that is not a capital: also those of scripts without cases."""
    return character.isalpha() and not character.isupper()


def _run(text: str, start: int, belongs: Callable[[str], bool]) -> int:
    end = start
    while end < len(text) and belongs(text[end]):
        end += 1
    return end


def without_accents(text: str) -> str:
    """The text in plain Latin letters where there are such, apostrophes dropped."""
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ø", "o").replace("Ø", "O"))
    return "".join([each for each in decomposed if not unicodedata.combining(each)]).translate(_APOSTROPHES)


def camel_case(text: str, ev: Evaluation) -> str:
    found = [word.lower() for word in words(without_accents(text), ev)]
    return "".join(found[:1] + [word[:1].upper() + word[1:] for word in found[1:]])


def _lowered(text: str, separator: str, ev: Evaluation) -> str:
    return separator.join(word.lower() for word in words(without_accents(text), ev))


def kebab_case(text: str, ev: Evaluation) -> str:
    return _lowered(text, "-", ev)


def snake_case(text: str, ev: Evaluation) -> str:
    return _lowered(text, "_", ev)
