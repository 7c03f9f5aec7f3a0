"""The answer to the request that began the run."""

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context

from headrace_connectors.utils.http import fields


class Response(Component):
    """Answers with body, status and headers. A text body under a JSON content type must be JSON."""

    answers_caller = True

    async def receive(self, context: Context) -> None:
        given = context.content if isinstance(context.content, dict) else {}
        headers = fields.read_headers(given.get("headers"))
        body = given.get("body")
        content_type = fields.header(headers, "content-type") or ""
        if isinstance(body, str) and content_type.partition(";")[0].strip().lower() == "application/json":
            body = fields.parsed(body, "body")
        await context.response(body, _status(given.get("statusCode")), headers)


def _status(value: Json) -> int:
    if value is None or value == "":
        return 200
    try:
        status = int(float(value)) if isinstance(value, (str, int, float)) else 0
    except (ValueError, OverflowError):
        status = 0
    if not 200 <= status <= 599:
        raise CancelError(f"The status code must be a number from 200 to 599, not {value!r}.")
    return status
