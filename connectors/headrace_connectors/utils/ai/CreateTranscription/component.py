"""What is said in a file, written down."""

from headrace_sdk import CancelError, Component, Context
from headrace_sdk.reading import as_object, as_text

from headrace_connectors.utils.ai import models
from headrace_connectors.utils.converters import documents

FORMATS = ("text", "srt", "vtt")


class CreateTranscription(Component):
    """Sends what the model heard, as text or as subtitles."""

    async def receive(self, context: Context) -> None:
        given = as_object(context.content)
        form = as_text(given.get("responseFormat")) or "text"
        if form not in FORMATS:
            raise CancelError(f"The format {form[:50]!r} is none of {', '.join(FORMATS)}.")
        file = await models.file_of(context, documents.required(given, "fileId"))
        path, fields = "audio/transcriptions", {"response_format": form}
        answer = await models.ask_with_file(context, path, fields, file, "transcriptionModel")
        await context.send_json({"text": answer.text.strip()})
