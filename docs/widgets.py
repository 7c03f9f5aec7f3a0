"""The widgets of the SDK as their sources declare them: options, events, states and words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SDK = Path(__file__).parents[1] / "ui" / "sdk"
_LISTED = re.compile(
    r"^  (\w+): \{ name: '(\w+)', tag: '([\w-]+)', load: .*import\('\./([\w-]+/\w+\.ts)'\)", re.MULTILINE
)
_ABOUT = re.compile(r"\A/\*\* (.+?) \*/", re.DOTALL)
_CONFIGURATION = re.compile(r"^/\*\* (`\w+`.+?) \*/\nexport interface \w+Options", re.MULTILINE)
_INTERFACE = r"^export interface \w+{kind} \{{\n(.*?)^\}}"
_MEMBER = re.compile(r"(?:^  /\*\* (.+?) \*/\n)?^  '?([\w:/-]+)'?\??: (.+);$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Member:
    """An option, event or state: its name, its type, and what is said of it."""

    name: str
    type: str
    about: str


@dataclass(frozen=True, slots=True)
class Widget:
    """A widget of the SDK, as `ui/sdk/widgets.ts` lists it and its own `index.ts` declares it."""

    name: str
    words: str
    tag: str
    about: str
    configuration: str
    options: tuple[Member, ...]
    events: tuple[Member, ...]
    states: tuple[Member, ...]


def widgets() -> Iterator[Widget]:
    """All of them, in the order that the source lists them."""
    for name, words, tag, source in _LISTED.findall((SDK / "widgets.ts").read_text()):
        text = (SDK / source).read_text()
        about, configuration = _ABOUT.search(text), _CONFIGURATION.search(text)
        yield Widget(
            name,
            words,
            tag,
            about[1] if about else "",
            configuration[1] if configuration else "",
            tuple(_members(text, "Options")),
            tuple(_members(text, "Events")),
            tuple(_members(text, "State")),
        )


def _members(text: str, kind: str) -> Iterator[Member]:
    found = re.search(_INTERFACE.format(kind=kind), text, re.MULTILINE | re.DOTALL)
    for about, name, type_ in _MEMBER.findall(found[1] if found else ""):
        yield Member(name, type_.removeprefix("readonly "), about)


def section(widget: Widget) -> str:
    """A part of the page."""
    parts = [
        f"## {widget.name}",
        f"{widget.about} `new headrace.ui.{widget.name}({{ el }})`, `<{widget.tag}>`; words: `l10n.ui.{widget.words}`.",
        widget.configuration,
        *_list("Options", (f"`{each.name}: {each.type}`" + _dash(each) for each in widget.options)),
        *_events(widget.events),
        *_list("State", (f"`{each.name}`" + _dash(each) for each in widget.states)),
    ]
    return "\n\n".join(filter(None, parts))


def _events(events: tuple[Member, ...]) -> list[str]:
    """A table of them: the name, its data, what comes with its `-after`, and when it is told."""
    lines = ["| event | data | with `-after` also | |", "|---|---|---|---|"]
    for each in events:
        kind, data, after = _typed(each.type)
        more = _code(after) if kind == "Act" else "none comes"
        lines.append(f"| `{each.name}` | {_code(data)} | {more} | {each.about} |")
    return ["Events:", "\n".join(lines)]


def _typed(text: str) -> tuple[str, str, str]:
    """Whether the host can do it (`Act`) or hears of it (`Told`), its data, and what `-after` adds."""
    kind, _, given = text.removesuffix(">").partition("<")
    depth = 0
    for at, sign in enumerate(given):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if sign == "," and not depth:
            return kind, given[:at], given[at + 1 :].strip()
    return kind, given, ""


def _code(text: str) -> str:
    """Fields as code, one after the other; nothing for none."""
    fields = text.strip("{ }")
    return "" if fields in ("", "Nothing") else "`" + fields.replace("|", "\\|") + "`"


def _dash(member: Member) -> str:
    return f": {member.about}" if member.about else ""


def _list(title: str, lines: Iterable[str]) -> list[str]:
    found = [f"* {line}" for line in lines]
    return [f"{title}:", "\n".join(found)] if found else []
