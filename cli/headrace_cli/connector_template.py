"""The files that a new connector begins with."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from headrace_cli.failures import Failure, Status

Language = Literal["python", "node"]
_NAME = re.compile(r"[a-z][\w-]*(\.[a-z][\w-]*){2}\.[A-Z]\w*", re.ASCII)
_ICON = (
    "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCAyNCAyNCI+"
    "PGNpcmNsZSBjeD0iMTIiIGN5PSIxMiIgcj0iOSIvPjwvc3ZnPg=="
)
_PYTHON = '''"""{label}."""

from headrace_sdk import Component, Context, reading


class {label}(Component):
    """Says hello to a name."""

    async def receive(self, context: Context) -> None:
        given = reading.as_object(context.content)
        await context.send_json({{"text": f"Hello {{reading.as_text(given.get('name'))}}!"}}, "out")
'''
_NODE = """'use strict';

module.exports = {{
    // Says hello to a name.
    async receive(context) {{
        const {{ name }} = context.messages.in.content;
        return context.sendJson({{ text: `Hello ${{name}}!` }}, 'out');
    }}
}};
"""


def files(name: str, language: Language) -> dict[str, str]:
    """Files by path. Raises Failure when the name is none."""
    if not _NAME.fullmatch(name):
        raise Failure(Status.USAGE, f"{name!r} is no name of a component.", "Write vendor.service.module.Component.")
    vendor, service, module, label = name.split(".")
    folder = f"{vendor}/{service}/{module}/{label}"
    about = {"category": "applications", "description": f"What {service} does.", "icon": _ICON}
    example = {"port": "in", "content": {"name": "Ada"}, "expect": [{"port": "out", "content": {"text": "Hello Ada!"}}]}
    code = {"component.py": _PYTHON} if language == "python" else {f"{label}.js": _NODE}
    return {
        f"{vendor}/{service}/service.json": _json({"name": f"{vendor}.{service}", "label": service.title(), **about}),
        f"{vendor}/{service}/bundle.json": _json({"name": f"{vendor}.{service}", "version": "1.0.0"}),
        f"{folder}/component.json": _json(_manifest(name, label)),
        **{f"{folder}/{file}": text.format(label=label) for file, text in code.items()},
        f"{folder}/fixtures/hello.json": _json(example),
    }


def _manifest(name: str, label: str) -> dict[str, Any]:
    field = {"type": "text", "label": "Name", "index": 1, "tooltip": "Whom to greet."}
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    return {
        "name": name,
        "label": label,
        "version": "1.0.0",
        "description": "Says hello to a name.",
        "icon": _ICON,
        "effect": "pure",
        "inPorts": [{"name": "in", "schema": schema, "inspector": {"inputs": {"name": field}}}],
        "outPorts": [{"name": "out", "options": [{"label": "Text", "value": "text"}]}],
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=4, ensure_ascii=False) + "\n"
