"""Whether a text is XML."""

import asyncio

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context, JsonObject, reading

from headrace_connectors.utils.xml import leniency, parsing
from headrace_connectors.utils.xml.leniency import Leniency


class ValidateXml(Component):
    """Tells whether a text is well-formed, and else what is wrong where. Document types count as wrong."""

    async def receive(self, context: Context) -> None:
        given = reading.as_object(context.content)
        allowed = Leniency(
            has_boolean_attributes=reading.as_flag(given.get("allowBooleanAttributes")),
            unpaired=leniency.listed(given.get("unpairedTags")),
        )
        text = reading.as_text(given.get("xml")).removeprefix("\ufeff")
        await context.send_json(await asyncio.to_thread(_verdict, text, allowed), "out")


def _verdict(text: str, allowed: Leniency) -> JsonObject:
    if len(text) > parsing.MAX_CHARACTERS:
        raise CancelError(f"The field xml has {len(text)} characters; at most {parsing.MAX_CHARACTERS} are read.")
    fault = parsing.told(leniency.mended(text, allowed), parsing.Silence())
    if fault is None:
        return {"isValid": True}
    error: dict[str, Json] = {"code": fault.code, "msg": fault.message, "line": fault.line, "col": fault.column}
    return {"isValid": False, "err": error}
