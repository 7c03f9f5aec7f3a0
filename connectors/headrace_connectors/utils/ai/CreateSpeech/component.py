"""A text, read out."""

from headrace_sdk import CancelError, Component, Context
from headrace_sdk.reading import as_number, as_object, as_text

from headrace_connectors.utils.ai import models

TYPES = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "opus": "audio/opus",
    "pcm": "application/octet-stream",
}


class CreateSpeech(Component):
    """Has the model read a text out, and keeps that as a file."""

    async def receive(self, context: Context) -> None:
        given, text = as_object(context.content), models.text_in(context, "input")
        form = as_text(given.get("responseFormat")) or "mp3"
        if form not in TYPES:
            raise CancelError(f"The format {form[:50]!r} is none of {', '.join(TYPES)}.")
        speed = as_number(given.get("speed"))
        answer = await models.ask(
            context,
            "audio/speech",
            {
                "input": text,
                "voice": as_text(given.get("voice")) or "alloy",
                "response_format": form,
                "speed": 1 if speed is None else speed,
            },
            "speechModel",
        )
        kept = await context.files.save(f"speech.{form}", answer.content, TYPES[form])
        await context.send_json({"fileId": kept.file_id, "fileSize": kept.size_bytes, "input": text})
