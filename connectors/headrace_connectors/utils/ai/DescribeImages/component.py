"""A question to a model about images."""

from headrace_sdk import CancelError, Component, Context
from headrace_sdk.reading import as_object, as_text, rows

from headrace_connectors.utils.ai import models


class DescribeImages(Component):
    """Shows stored images to the model, and sends what it answers to a question about them."""

    async def receive(self, context: Context) -> None:
        prompt = models.text_in(context, "prompt")
        file_ids = [as_text(each.get("fileId")) for each in rows(as_object(context.content).get("images"))]
        file_ids = [each for each in file_ids if each]
        if not 1 <= len(file_ids) <= models.MAX_IMAGES:
            raise CancelError(f"There are {len(file_ids)} images: give 1 to {models.MAX_IMAGES}.")
        images = [await models.image_of(context, each) for each in file_ids]
        answer = await models.chat(context, [{"type": "text", "text": prompt}, *images])
        await context.send_json({"answer": answer, "prompt": prompt})
