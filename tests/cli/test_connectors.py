"""Connectors by command: made, tried, packed, published, used, changed while a flow runs, removed."""

from __future__ import annotations

import json
import zipfile

import pytest
from headrace_cli.failures import Status

from .shell import Shell

NAME = "acme.mail.core.Greet"
FOLDER = "acme/mail/core/Greet"


@pytest.fixture
def developer(admin: Shell, shell: Shell) -> Shell:
    """Somebody who develops for acme, with a component."""
    admin.run("user", "set", shell.email, "--vendor", "acme")
    shell.run("connector", "new", NAME)
    return shell


def test_a_new_component_works(shell: Shell) -> None:
    shell.run("connector", "new", NAME)

    tried = shell.json("connector", "test", FOLDER)
    given = shell.run("connector", "test", FOLDER, "-i", '{"name": "Bob"}')
    twice = shell.run("connector", "new", NAME, status=Status.CONFLICT)

    assert tried == [{"name": "hello", "sent": [{"port": "out", "content": {"text": "Hello Ada!"}}], "passed": True}]
    assert 'out: {"text": "Hello Bob!"}' in given
    assert FOLDER in twice


def test_a_fixture_that_is_not_met_and_code_that_fails_are_status_1(shell: Shell) -> None:
    shell.run("connector", "new", NAME)
    shell.write(f"{FOLDER}/fixtures/hello.json", {"content": {"name": "Ada"}, "expect": []})

    unmet = shell.run("connector", "test", FOLDER, status=Status.FAILED)
    (shell.home / FOLDER / "component.py").write_text("import nothing_like_it\n")
    broken = shell.run("connector", "test", FOLDER, status=Status.FAILED)

    assert "failed  hello" in unmet
    assert "nothing_like_it" in broken


SEND = """
    module.exports = {
        async receive(context) {
            const { name } = context.messages.in.content;
            const seen = await context.stateInc('seen');
            await context.service.stateAddToSet('names', name);
            const { fileId } = await context.saveFileStream('a.txt', Buffer.from(name));
            const text = (await context.loadFile(fileId)).toString();
            console.log('printed');
            await context.httpRequest.get('https://example.com').catch(({ code }) => context.sendJson({ code }, 'out'));
            if (name === 'Bob') {
                throw new context.CancelError('No Bob.');
            }
            return context.sendJson({ text, seen, had: context.state.seen, limit: context.properties.limit }, 'out');
        }
    };
    """


def test_a_component_in_javascript_is_tried_and_packed(shell: Shell) -> None:
    folder = "acme/mail/core/Send"
    shell.run("connector", "new", "acme.mail.core.Send", "--language", "node")

    hello = shell.json("connector", "test", folder)
    (shell.home / folder / "Send.js").write_text(SEND)
    (shell.home / folder / "fixtures" / "hello.json").unlink()
    ada = {"content": {"name": "Ada"}, "state": {"seen": 4}, "properties": {"limit": 3}}
    text = {"text": "Ada", "seen": 5, "had": 4, "limit": 3}
    shell.write(
        f"{folder}/fixtures/ada.json",
        {**ada, "expect": [{"port": "out", "content": {"code": "ENETUNREACH"}}, {"port": "out", "content": text}]},
    )
    shell.write(f"{folder}/fixtures/bob.json", {"content": {"name": "Bob"}, "error": "No Bob"})
    tried = shell.json("connector", "test", folder)
    (shell.home / folder / "Send.js").write_text("module.exports = {")
    broken = shell.run("connector", "test", folder, status=Status.FAILED)
    shell.run("connector", "pack", "acme/mail", "-o", "mail.zip")

    assert hello == [{"name": "hello", "sent": [{"port": "out", "content": {"text": "Hello Ada!"}}], "passed": True}]
    assert [(each["name"], each["passed"]) for each in tried] == [("ada", True), ("bob", True)], tried
    assert "failed  ada  SyntaxError" in broken
    with zipfile.ZipFile(shell.home / "mail.zip") as archive:
        names = archive.namelist()
    assert "acme/mail/core/Send/Send.js" in names and "acme/mail/service.json" in names


def test_the_same_files_are_packed_alike_and_what_a_host_would_refuse_is_told(shell: Shell) -> None:
    shell.run("connector", "new", NAME)

    packed = shell.json("connector", "pack", FOLDER, "-o", "one.zip")
    shell.run("connector", "pack", FOLDER, "-o", "two.zip")
    told = json.loads((shell.home / FOLDER / "component.json").read_text())
    shell.write(f"{FOLDER}/component.json", {**told, "version": "new"})
    wrong = shell.run("connector", "pack", FOLDER, status=Status.FAILED)
    nothing = shell.run("connector", "pack", "acme", status=Status.NOT_FOUND)

    assert (shell.home / "one.zip").read_bytes() == (shell.home / "two.zip").read_bytes()
    assert packed["name"] == NAME
    assert f"{FOLDER}/component.json" in wrong and "version" in wrong
    assert "service.json" in nothing


def test_a_component_is_published_used_pulled_and_removed(developer: Shell) -> None:
    published = developer.json("connector", "publish", "acme/mail")
    listed = developer.json("connector", "ls", "acme.mail")
    node = {"type": NAME, "x": 0, "y": 0, "source": {}, "config": {}}
    made = developer.client.post("/flows", json={"name": "Greets", "flow": {"greet": node}}).json()
    developer.run("connector", "pull", "acme.mail", "-o", "back")
    used = developer.run("connector", "rm", "acme.mail", "--yes", status=Status.CONFLICT)
    developer.run("flow", "rm", made["flowId"], "--yes")
    removed = developer.json("connector", "rm", "acme.mail", "--yes")

    assert published["components"] == [NAME]
    assert [(each["name"], each["version"]) for each in listed] == [(NAME, "1.0.0")]
    code = f"{FOLDER}/component.py"
    assert (developer.home / "back" / code).read_text() == (developer.home / code).read_text()
    assert "Greets" in used and "--force" in used
    assert removed["components"] == [NAME]
    assert developer.json("connector", "ls", "acme.mail") == []


def test_the_verdict_on_each_file_is_told_and_strangers_are_refused(developer: Shell, newcomer: Shell) -> None:
    with zipfile.ZipFile(developer.home / "wrong.zip", "w") as archive:
        archive.writestr("acme/mail/core/Greet/component.json", json.dumps({"name": NAME, "inPorts": 5}))

    wrong = developer.run("connector", "publish", "wrong.zip", status=Status.FAILED)
    developer.run("user", "ls", status=Status.FORBIDDEN)

    assert "acme/mail/core/Greet/component.json" in wrong and "inPorts" in wrong
    assert newcomer.json("connector", "ls", "acme") == []
    developer.run("connector", "pull", "acme.nothing", status=Status.NOT_FOUND)
