"""A form: its fields, the page that shows them, and what people fill in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from headrace_core import Json
from headrace_sdk import CancelError, Context, JsonObject
from headrace_sdk.reading import as_flag, as_number, as_text, rows

from headrace_connectors.utils import showing
from headrace_connectors.utils.showing import words

TYPES = ("text", "number", "date", "email", "checkbox", "color", "password")
SCHEMAS: Mapping[str, JsonObject] = {"number": {"type": "number"}, "checkbox": {"type": "boolean"}}
MAX_FIELDS = 100
MAX_TEXT = 100_000
PICTURES = ("data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;")


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to fill in; its label is the name that it leaves under."""

    label: str
    type: str
    description: str
    default: str


@dataclass(frozen=True, slots=True)
class Form:
    """What people see."""

    title: str
    description: str
    fields: tuple[Field, ...]
    button: str
    thanks: str
    picture: str
    style: str


def form(given: Mapping[str, Json]) -> Form:
    """The form that settings or a message describe. Raises `CancelError` for what makes none."""

    def text(name: str, default: str = "") -> str:
        return as_text(given.get(name)).strip() or default

    return Form(
        title=text("title", "Form"),
        description=text("description"),
        fields=fields(given.get("fields")),
        button=text("cta", "Submit"),
        thanks=text("thanksMessage", "Thank you!"),
        picture=text("thanksImage"),
        style=text("stylesheet"),
    )


def fields(value: Json) -> tuple[Field, ...]:
    """The fields in the order of their positions. Raises `CancelError` for what makes no form."""
    listed = rows(value)
    if len(listed) > MAX_FIELDS:
        raise CancelError(f"The form has {len(listed)} fields; at most {MAX_FIELDS} are shown.")
    listed.sort(key=lambda row: _position(row.get("index")))
    found = tuple(_field(row, place) for place, row in enumerate(listed, start=1))
    labels = [each.label for each in found]
    double = next((label for label in labels if labels.count(label) > 1), None)
    if double is not None:
        raise CancelError(f"Two fields of the form have the label {double!r}: give each its own.")
    return found


def options(value: Json) -> list[Json]:
    """What later nodes may pick of an entry."""
    return [
        {"label": each.label, "value": each.label, "schema": SCHEMAS.get(each.type, {"type": "string"})}
        for each in fields(value)
    ]


def read(form: Form, data: Mapping[str, Json]) -> JsonObject:
    """What was filled in, by label. Raises `CancelError` for what does not fit its field."""
    return {each.label: _read(each, data.get(f"f{place}")) for place, each in enumerate(form.fields)}


async def show(context: Context, form: Form, *, problem: str = "", hidden: str = "") -> None:
    """Answer with the page on which the form is filled in."""
    said = f'<p class="said">{words(form.description)}</p>' if form.description else ""
    wrong = f'<p role="alert"><strong>{words(problem)}</strong></p>' if problem else ""
    inputs = "\n".join(_input(each, place) for place, each in enumerate(form.fields))
    key = f'<input type="hidden" name="form" value="{words(hidden)}">' if hidden else ""
    page = f'{said}{wrong}{showing.FORM}{key}\n{inputs}\n<button class="first">{words(form.button)}</button></form>'
    await showing.show(context, form.title, page, status=400 if problem else 200, style=form.style)


async def thank(context: Context, form: Form) -> None:
    """Answer with thanks."""
    picture = f'<p><img alt="" src="{words(form.picture)}"></p>' if form.picture.startswith(PICTURES) else ""
    page = f'<p class="said">{words(form.thanks)}</p>{picture}'
    await showing.show(context, form.title, page, style=form.style)


def _position(value: Json) -> float:
    found = as_number(value)
    return math.inf if found is None else found


def _field(row: JsonObject, place: int) -> Field:
    kind = as_text(row.get("type")).strip() or "text"
    if kind not in TYPES:
        raise CancelError(f"Field {place} of the form has the type {kind[:40]!r}: choose one of {', '.join(TYPES)}.")
    label = as_text(row.get("label")).strip() or f"Field {place}"
    return Field(label, kind, as_text(row.get("description")).strip(), as_text(row.get("defaultValue")))


def _input(field: Field, place: int) -> str:
    hint = f"<small>{words(field.description)}</small>" if field.description else ""
    if field.type == "checkbox":
        value = " checked" if as_flag(field.default) else ""
    else:
        value = f' value="{words(field.default)}"' if field.default else ""
        value += ' step="any"' if field.type == "number" else ""
    control = f'<input type="{field.type}" name="f{place}"{value}>'
    return f"<label><span>{words(field.label)}</span>{control}{hint}</label>"


def _read(field: Field, given: Json) -> Json:
    if field.type == "checkbox":
        return as_flag(given)
    text = as_text(given)
    if len(text) > MAX_TEXT:
        raise CancelError(f"{field.label} has more than {MAX_TEXT} characters.")
    if not text:
        return None if field.type == "number" else ""
    if field.type == "number":
        number = as_number(text)
        if number is None:
            raise CancelError(f"{field.label} is no number.")
        return number
    if field.type == "date":
        try:
            return date.fromisoformat(text.strip()).isoformat()
        except ValueError:
            raise CancelError(f"{field.label} is no date: write it like 2026-01-31.") from None
    if field.type == "email" and not _is_address(text.strip()):
        raise CancelError(f"{field.label} is no mail address.")
    return text


def _is_address(text: str) -> bool:
    name, at, domain = text.rpartition("@")
    return bool(name and at and domain) and not any(character.isspace() for character in text)
