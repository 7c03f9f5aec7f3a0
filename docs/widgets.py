"""The widgets of the SDK as their sources declare them: options, events, states and words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SDK = Path(__file__).parents[1] / "ui" / "sdk"
_LISTED = re.compile(
    r"^  (\w+): \{ name: '(\w+)', tag: '([\w-]+)', load: .*import\('\./([\w-]+)/index\.ts'\)", re.MULTILINE
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
    """All of them but the designer, which has a page of its own."""
    for name, words, tag, folder in _LISTED.findall((SDK / "widgets.ts").read_text()):
        text = (SDK / folder / "index.ts").read_text()
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
        *_list("Events", (f"`{each.name}`" + _dash(each) for each in widget.events)),
        *_list("State", (f"`{each.name}`" + _dash(each) for each in widget.states)),
    ]
    return "\n\n".join(filter(None, parts))


def _dash(member: Member) -> str:
    return f": {member.about}" if member.about else ""


def _list(title: str, lines: Iterable[str]) -> list[str]:
    found = [f"* {line}" for line in lines]
    return [f"{title}:", "\n".join(found)] if found else []
