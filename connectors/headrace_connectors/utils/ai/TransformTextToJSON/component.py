"""Fields of a text, as a model reads them."""

import json

from headrace_core.errors import ValidationFailed
from headrace_core.schemas import compile_schema
from headrace_sdk import CancelError, Component, Context, JsonObject
from headrace_sdk.reading import as_object, parse_json

from headrace_connectors.utils.ai import models


class TransformTextToJSON(Component):
    """Sends an object of the given schema with what the model reads in the text; asked for its fields, those."""

    async def receive(self, context: Context) -> None:
        schema = as_object(parse_json(models.text_in(context, "jsonSchema"), "The JSON schema"))
        if context.properties.get("generateOutputPortOptions"):
            await context.send_json(list(models.options_of(schema)))
            return
        text = models.text_in(context, "text")
        form: JsonObject = {"type": "json_schema", "json_schema": {"name": "fields", "schema": schema}}
        said = await models.chat(context, f"Read the fields out of this text, as JSON:\n\n{text}", response_format=form)
        await context.send_json(_fitting(said, schema))


def _fitting(said: str, schema: JsonObject) -> JsonObject:
    """What the model said, where it is an object of the schema. Raises CancelError where it is not."""
    try:
        found = as_object(json.loads(said))
        problems = compile_schema(schema).check(found)
    except ValueError:
        raise CancelError(f"The model answered what is no JSON: {said[:500]}") from None
    except ValidationFailed as error:
        raise CancelError(f"The JSON schema cannot be used: {error}") from None
    if problems:
        said = "; ".join(f"{each.where}: {each.message}" for each in problems[:5])
        raise CancelError(f"The model answered what the schema does not allow: {said}")
    return found
