"""Settings come from the environment, into frozen dataclasses that say what each of them means.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings:
        port: int = setting(8080, env="HEADRACE_PORT", help="Where the gateway listens.", minimum=1, maximum=65535)
        key: str = setting(env="HEADRACE_KEY", help="Wraps the tenants' keys.", secret=True)

Types: str, int, float, bool, Path, timedelta ("30s", "1h30m"), Literal of texts, tuple[str, ...] (comma between), and
any of them `| None`. A secret may also come from the file that `<NAME>_FILE` points at.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from headrace_core.errors import Problem, ValidationFailed

T = TypeVar("T")
Bound = float | timedelta

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_SPAN_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SPAN = re.compile(rf"(?:{_SPAN_PART.pattern})+")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PASSWORD = re.compile(r"(\w+://[^/@\s:]*:)[^/@\s]*@")
_METADATA_KEY = "headrace.setting"


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One setting, for the documentation."""

    name: str
    env: str
    kind: str
    help: str
    default: str | None
    """None where there is no default, so that it has to be given."""
    is_secret: bool
    minimum: str | None
    maximum: str | None


@dataclass(frozen=True, slots=True)
class _Setting:
    env: str
    help: str
    minimum: Bound | None
    maximum: Bound | None
    is_secret: bool


def setting(
    default: Any = MISSING,
    *,
    env: str,
    help: str,
    minimum: Bound | None = None,
    maximum: Bound | None = None,
    secret: bool = False,
) -> Any:
    """A field of a settings dataclass. Without a default it has to be given. A secret never shows in `repr`."""
    known = _Setting(env, help, minimum, maximum, secret)
    # dataclasses.field tells a missing default from None in the same way as this function.
    return dataclasses.field(default=default, repr=not secret, metadata={_METADATA_KEY: known})


def load(cls: type[T], environ: Mapping[str, str]) -> T:
    """The settings that the environment gives, defaults elsewhere. An empty value counts as not given.

    Raises ValidationFailed that lists every setting that is missing or wrong; secrets are not repeated in it.
    """
    values: dict[str, object] = {}
    problems: list[Problem] = []
    for field, known, kind in _fields(cls):
        try:
            text = _given(known, environ)
            if text is not None:
                values[field.name] = _checked(_parsed(text, kind), known)
            elif _has_no_default(field):
                raise _Wrong("It is not set.", f"It is needed: {known.help}")
        except _Wrong as wrong:
            problems.append(Problem(known.env, wrong.message, wrong.fix, field=field.name))
    if problems:
        raise ValidationFailed(problems)
    return cls(**values)


def describe(cls: type[Any]) -> list[SettingDescription]:
    """What can be set, in the order of the class."""
    return [
        SettingDescription(
            name=field.name,
            env=known.env,
            kind=_kind_name(kind),
            help=known.help,
            default=None if _has_no_default(field) else _shown(field.default),
            is_secret=known.is_secret,
            minimum=None if known.minimum is None else _shown(known.minimum),
            maximum=None if known.maximum is None else _shown(known.maximum),
        )
        for field, known, kind in _fields(cls)
    ]


HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Given:
    """A setting as it is read from an environment: its value as text, hidden where it is a secret, and from where."""

    about: SettingDescription
    value: str
    origin: Literal["default", "environment", "file"]


def given(cls: type[Any], environ: Mapping[str, str]) -> list[Given]:
    """Every setting of the class as this environment gives it. What cannot be read shows as it stands there."""
    found: list[Given] = []
    for about, (_, known, _) in zip(describe(cls), _fields(cls), strict=True):
        text = environ.get(known.env, "").strip()
        is_from_file = known.is_secret and not text and bool(environ.get(f"{known.env}_FILE", "").strip())
        origin: Literal["default", "environment", "file"] = "file" if is_from_file else "environment"
        if not text and not is_from_file:
            text, origin = about.default or "", "default"
        shown = HIDDEN if known.is_secret and (text or is_from_file) else text
        found.append(Given(about, without_password(shown), origin))
    return found


def without_password(text: str) -> str:
    """The text without the password of the URL that it is, or of each of the URLs."""
    return _PASSWORD.sub(rf"\g<1>{HIDDEN}@", text)


class _Wrong(Exception):
    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def _fields(cls: type[Any]) -> list[tuple["dataclasses.Field[Any]", _Setting, Any]]:
    hints = typing.get_type_hints(cls)
    return [
        (field, field.metadata[_METADATA_KEY], _without_none(hints[field.name]))
        for field in dataclasses.fields(cls)
        if _METADATA_KEY in field.metadata
    ]


def _has_no_default(field: "dataclasses.Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        rest = [each for each in typing.get_args(hint) if each is not type(None)]
        if len(rest) == 1:
            return rest[0]
    return hint


def _given(known: _Setting, environ: Mapping[str, str]) -> str | None:
    text = environ.get(known.env, "").strip()
    path = environ.get(f"{known.env}_FILE", "").strip() if known.is_secret else ""
    if text and path:
        raise _Wrong(f"It is given twice: by itself and by {known.env}_FILE.", "Take one of them away.")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError) as error:
            raise _Wrong(f"It cannot be read from the file that {known.env}_FILE names.", f"{error}.") from None
    return text or None


def _parsed(text: str, kind: Any) -> object:
    if typing.get_origin(kind) is Literal:
        return _one_of(text, typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is bool:
        return _claim(text)
    if kind is timedelta:
        return _span(text)
    if kind in (int, float):
        return _number(text, kind)
    if kind is Path:
        return Path(text).expanduser()
    if kind is str:
        return text
    raise TypeError(f"A setting cannot be a {kind!r}.")


def _one_of(text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise _Wrong("It is none of its choices.", f"Set one of: {', '.join(choices)}.")
    return text


def _claim(text: str) -> bool:
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise _Wrong("It is neither true nor false.", "Set true or false.")


def _span(text: str) -> timedelta:
    if not _SPAN.fullmatch(text):
        raise _Wrong("It is no span of time.", "Write a number and a unit (ms, s, m, h, d): 30s, 5m or 1h30m.")
    seconds = sum(float(count) * _SECONDS[unit] for count, unit in _SPAN_PART.findall(text))
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise _Wrong("It is too long a span of time.", "Write a shorter one.") from None


def _number(text: str, kind: type[int] | type[float]) -> float:
    try:
        number = kind(text)
    except ValueError:
        raise _Wrong(
            "It is not a number." if kind is float else "It is not a whole number.", "Set digits only."
        ) from None
    if number != number or number in (float("inf"), float("-inf")):
        raise _Wrong("It is not a number.", "Set digits only.")
    return number


def _checked(value: object, known: _Setting) -> object:
    if not isinstance(value, (int, float, timedelta)):
        return value
    low, high = known.minimum, known.maximum
    # A setting and its bounds are of one kind: its author declares them in one line.
    if low is not None and value < low:  # type: ignore[operator]
        raise _Wrong("It is too small.", f"Set at least {_shown(low)}.")
    if high is not None and value > high:  # type: ignore[operator]
        raise _Wrong("It is too large.", f"Set at most {_shown(high)}.")
    return value


def _kind_name(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return " | ".join(typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return "list"
    return {timedelta: "span of time", Path: "path", bool: "true | false", str: "text"}.get(
        kind, "number" if kind is float else "whole number"
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return _shown_span(value)
    if isinstance(value, tuple):
        return ",".join(str(each) for each in value)
    return "" if value is None else str(value)


def _shown_span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for unit in ("d", "h", "m", "s"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:g}{unit}"
    return f"{seconds:g}s"
