"""What a person changed in a message before giving it back. Pure values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headrace_core import Json
from headrace_core.errors import BadRequest

from headrace_executor.model import Edit


def edits(given: Mapping[str, Json], shown: Mapping[str, Json], kept: Mapping[str, Json]) -> list[Edit]:
    """The contents that differ from those that were shown. All three have messages by in-port, as the API has them.

    What is left as it was shown stays as it is kept: so a secret that is shown as `***` is not lost. Raises BadRequest
    when `given` has a message that is not there.
    """
    return [
        (port, place, restored(content, _content(shown, port, place), _content(kept, port, place)))
        for port, place, content in _contents(given, kept)
        if content != _content(shown, port, place)
    ]


def restored(edited: Json, shown: Json, kept: Json) -> Json:
    """The edited value, with what it shares with the shown one as it is kept."""
    if edited == shown:
        return kept
    if isinstance(edited, dict) and isinstance(shown, dict) and isinstance(kept, dict):
        return {
            name: restored(each, shown[name], kept[name]) if name in shown and name in kept else each
            for name, each in edited.items()
        }
    if isinstance(edited, list) and isinstance(shown, list) and isinstance(kept, list):
        known = min(len(shown), len(kept))
        return [
            restored(each, shown[place], kept[place]) if place < known else each for place, each in enumerate(edited)
        ]
    return edited


def _contents(given: Mapping[str, Json], kept: Mapping[str, Json]) -> Iterator[Edit]:
    for port, messages in given.items():
        there = kept.get(port)
        if not isinstance(there, list):
            raise BadRequest(f"The message has nothing at the in-port {port[:100]!r}, only at: {', '.join(kept)}.")
        if not isinstance(messages, list) or len(messages) > len(there):
            raise BadRequest(f"Give a list of {len(there)} messages at most for the in-port {port[:100]!r}.")
        for place, message in enumerate(messages):
            if not isinstance(message, dict):
                raise BadRequest(f"Message {place} of the in-port {port[:100]!r} is no object: give its `content`.")
            if "content" in message:
                yield port, place, message["content"]


def _content(messages: Mapping[str, Json], port: str, place: int) -> Json:
    there = messages[port]
    message = there[place] if isinstance(there, list) else None
    return message.get("content") if isinstance(message, dict) else None
