"""Values with names."""

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context, JsonObject
from headrace_sdk.reading import as_flag, as_number, as_object, rows

_SCHEMAS: dict[str, JsonObject] = {
    "number": {"type": "number"},
    "toggle": {"type": "boolean"},
    "date-time": {"type": "string", "format": "date-time"},
}


class SetVariable(Component):
    """Sends one object with a field for every row. A row without a value gives no field."""

    async def receive(self, context: Context) -> None:
        variables = rows(as_object(context.content).get("variables"))
        if context.properties.get("generateOutputPortOptions"):
            await context.send_json([_option(row) for row in variables])
            return
        named = {_name(row): _value(row) for row in variables if _is_set(row)}
        await context.send_json(named)


def _name(row: JsonObject) -> str:
    name = row.get("name")
    if not isinstance(name, str) or not name:
        raise CancelError("A variable has no name: give it one.")
    return name


def _type(row: JsonObject) -> str:
    return str(row.get("type") or "text")


def _is_set(row: JsonObject) -> bool:
    return _type(row) in row or _type(row) == "toggle"


def _value(row: JsonObject) -> Json:
    value = row.get(_type(row))
    match _type(row):
        case "toggle":
            return as_flag(value)
        case "number":
            number = as_number(value)
            return value if number is None else number
        case _:
            return value


def _option(row: JsonObject) -> Json:
    name = row.get("name")
    return {"label": name, "value": name, "schema": _SCHEMAS.get(_type(row), {"type": "string"})}
