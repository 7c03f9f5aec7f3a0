"""The end of a stored file."""

from headrace_sdk import CancelError, Component, Context, reading

from headrace_connectors.utils.converters import documents


class RemoveFile(Component):
    """Removes a file and tells its id. One that is not there is removed already: a repeated step finds none."""

    async def receive(self, context: Context) -> None:
        file_id = documents.required(reading.as_object(context.content), "fileId")
        try:
            await context.files.remove(file_id)
        except CancelError as error:
            context.log(str(error))
        await context.send_json({"fileId": file_id}, "deleted")
