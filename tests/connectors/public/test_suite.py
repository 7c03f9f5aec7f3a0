"""What the suite of public connectors tells of connectors, on some of our own and on those it is given.

`HEADRACE_PUBLIC_CONNECTORS` names a folder of connectors in Appmixer's layout; their packages are downloaded.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .suite import look_at, services

GIVEN = os.environ.get("HEADRACE_PUBLIC_CONNECTORS", "")
WANTED = 0.95


def write(folder: Path, files: dict[str, object]) -> None:
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))


def component(name: str, code: str, **manifest: object) -> dict[str, object]:
    root = name.replace(".", "/")
    short = name.rpartition(".")[2]
    return {f"{root}/component.json": {"name": name, **manifest}, f"{root}/{short}.js": code}


async def test_the_table_says_of_each_component_what_became_of_it(tmp_path: Path) -> None:
    code = "module.exports = { async receive(context) {}, start() {}, toOptions: (list) => list };"
    least = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    sums = "module.exports = { receive: ({ messages, sendJson }) => sendJson(messages.in.content.n + 1) };"
    refuses = "module.exports = { receive(context) { throw new context.CancelError('Not so.'); } };"
    misses = "module.exports = { receive(context) { return context.sendAll({}); } };"
    ports = {"inPorts": [{"name": "in", "schema": least}], "outPorts": [{"name": "out"}]}
    write(
        tmp_path / "src",
        {
            **component("zoo.mail.core.Good", code),
            **component("zoo.mail.core.Broken", "module.exports = {"),
            **component("zoo.mail.core.Lacking", "module.exports = require('not-there');"),
            **component("zoo.mail.core.Empty", "module.exports = 5;"),
            **component("zoo.mail.core.Odd", code, inPorts=7),
            **component("appmixer.utils.http.Response", code),
            **component("zoo.plain.core.Sums", sums, **ports),
            **component("zoo.plain.core.Refuses", refuses, **ports),
            **component("zoo.plain.core.Misses", misses, **ports),
            **component("zoo.plain.core.Idle", refuses),
            **component("zoo.plain.core.Polls", "module.exports = { tick() {} };", tick=True),
            "zoo/mail/package.json": {"dependencies": {"word": "file:../word"}},
        },
    )

    table = await look_at(tmp_path, tmp_path, lambda line: None)

    rows = {row.type.rpartition(".")[2]: row for row in table.rows}
    assert rows["Good"].verbs == ("receive", "start")
    assert rows["Good"].is_loaded
    assert "SyntaxError" in rows["Broken"].failed or "Unexpected end" in rows["Broken"].failed
    assert "not-there" in rows["Lacking"].failed
    assert "instead of an object" in rows["Empty"].failed
    assert "inPorts" in rows["Odd"].refused
    assert rows["Response"].is_builtin
    assert "no version of a registered package" in table.packages["zoo/mail/package.json .dependencies.word"]
    assert (round(table.accepted, 2), round(table.loaded, 2)) == (0.91, 0.67)
    walked = {name: row.missed for name, row in rows.items() if row.is_walked}
    assert walked == {
        "Sums": "",
        "Refuses": "",
        "Misses": "in: TypeError: context.sendAll is not a function",
        "Polls": "",
    }
    assert table.walked == 0.75
    assert "| zoo.mail.core.Odd | refused: " in table.markdown()


@pytest.mark.skipif(not GIVEN, reason="HEADRACE_PUBLIC_CONNECTORS names no folder of connectors.")
@pytest.mark.timeout(7200)
async def test_connectors_that_are_given_are_accepted_and_load(tmp_path: Path) -> None:
    assert list(services(Path(GIVEN)))

    table = await look_at(Path(GIVEN), tmp_path, print)

    shown = table.markdown()
    (tmp_path / "table.md").write_text(shown)
    assert table.accepted >= WANTED, shown
    assert table.loaded >= WANTED, shown
    assert table.walked == 1.0, shown
