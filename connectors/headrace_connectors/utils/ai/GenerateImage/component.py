"""An image, drawn by a model."""

import base64
import binascii

from headrace_sdk import CancelError, Component, Context, JsonObject
from headrace_sdk.reading import as_list, as_object, as_text

from headrace_connectors.utils.ai import models


class GenerateImage(Component):
    """Has the model draw an image, and keeps it as a file."""

    async def receive(self, context: Context) -> None:
        prompt = models.text_in(context, "prompt")
        size = as_text(as_object(context.content).get("size")) or "1024x1024"
        asked: JsonObject = {"prompt": prompt, "size": size, "n": 1, "response_format": "b64_json"}
        answer = await models.ask(context, "images/generations", asked, "imageModel")
        drawn = as_list(models.content_of(answer).get("data"))
        try:
            image = base64.b64decode(as_text(as_object(drawn[0]).get("b64_json")), validate=True) if drawn else b""
        except binascii.Error:
            image = b""
        if not image:
            raise CancelError("The service answered without an image.")
        kept = await context.files.save("image.png", image, "image/png")
        await context.send_json({"fileId": kept.file_id, "prompt": prompt, "size": size})
