"""What a component of Headrace is written with. Nothing of the platform is in here.

from headrace_sdk import Component, Context

class Greet(Component):
    async def receive(self, context: Context) -> None:
        await context.send_json({"text": f"Hello {context.properties['name']}"})
"""

from headrace_core import Json

from headrace_sdk.component import Component, Output, Transform
from headrace_sdk.context import (
    Cache,
    Condition,
    Context,
    FileInfo,
    Files,
    Headers,
    Http,
    HttpOptions,
    HttpResponse,
    JsonObject,
    Lock,
    LogLevel,
    Message,
    State,
    Stores,
    Tasks,
)
from headrace_sdk.errors import (
    CancelError,
    ComponentError,
    ConnectionExpired,
    HttpStatusError,
    LockUnavailable,
    RateLimitedError,
    TransientError,
)

__all__ = [
    "Cache",
    "CancelError",
    "Component",
    "ComponentError",
    "Condition",
    "ConnectionExpired",
    "Context",
    "FileInfo",
    "Files",
    "Headers",
    "Http",
    "HttpOptions",
    "HttpResponse",
    "HttpStatusError",
    "Json",
    "JsonObject",
    "Lock",
    "LockUnavailable",
    "LogLevel",
    "Message",
    "Output",
    "RateLimitedError",
    "State",
    "Stores",
    "Tasks",
    "Transform",
    "TransientError",
]
