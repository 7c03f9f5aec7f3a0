"""Bundles: what lies where, what a publication changes, and what is wrong with files, each with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from headrace_core import bundles
from headrace_core.archives import read_archive, write_archive
from headrace_core.bundle_rules import Finding, findings, misplaced

ICON = "data:image/svg+xml;base64,PHN2Zy8+"


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def described(name: str, **more: Any) -> bytes:
    return dump({"name": name, "label": "L", "category": "c", "icon": ICON, "description": "d", **more})


def component(name: str, **more: Any) -> bytes:
    return dump({"name": name, "inPorts": ["in"], "outPorts": ["out"], "icon": ICON, "version": "1.0.0", **more})


def mail() -> dict[str, bytes]:
    """A service with a module of two components, one in each language."""
    return {
        "acme/mail/service.json": described("acme.mail"),
        "acme/mail/bundle.json": dump({"name": "acme.mail", "version": "1.2.0", "changelog": {"1.2.0": ["New."]}}),
        "acme/mail/auth.js": b"module.exports = {};",
        "acme/mail/lib.js": b"",
        "acme/mail/core/module.json": described("acme.mail.core"),
        "acme/mail/core/quota.js": b"",
        "acme/mail/core/Send/component.json": component(
            "acme.mail.core.Send",
            auth={"service": "acme:mail", "scope": ["send"]},
            quota={"manager": "acme:mail:core", "resources": "sent"},
        ),
        "acme/mail/core/Send/Send.js": b"module.exports = {};",
        "acme/mail/core/Read/component.json": component("acme.mail.core.Read"),
        "acme/mail/core/Read/component.py": b"class Read: ...",
    }


def never(component_type: str) -> bool:
    return False


def test_the_content_id_follows_from_the_files_alone() -> None:
    files = mail()

    packed = read_archive(write_archive(dict(reversed(files.items()))))

    assert bundles.content_id(packed) == bundles.content_id(files)
    assert bundles.content_id({"a/b": b"x"}) == "f236f543947b3a7dfca50e5349649527ad7d53b9f5401804af47b741fe6bf03c"
    assert bundles.content_id({**files, "acme/mail/lib.js": b" "}) != bundles.content_id(files)
    assert bundles.content_id({"a/b": b"x"}) != bundles.content_id({"a/c": b"x"})


def test_a_whole_service_has_no_findings_and_is_described() -> None:
    files = mail()

    assert misplaced(files, ["acme"]) == []
    assert findings(files, files, never) == []
    description = bundles.describe(files)
    assert [(each.type, each.root, each.language) for each in description.components] == [
        ("acme.mail.core.Read", "acme/mail/core/Read", "python"),
        ("acme.mail.core.Send", "acme/mail/core/Send", "javascript"),
    ]
    assert list(description.apps) == ["acme.mail.core", "acme.mail"]
    assert description.bundles["acme.mail"]["version"] == "1.2.0"


def test_a_component_without_a_module_is_one_too() -> None:
    files = {"acme/mail/Ping/component.json": component("acme.mail.Ping"), "acme/mail/Ping/component.py": b""}

    assert findings(files, files, never) == []
    assert bundles.describe(files).components[0].type == "acme.mail.Ping"


def test_what_is_published_replaces_its_component_whole_and_leaves_the_rest() -> None:
    former = {**mail(), "acme/mail/core/Send/old.js": b""}
    new = {
        "acme/mail/core/Send/component.json": component("acme.mail.core.Send", version="1.0.1"),
        "acme/mail/core/Send/Send.js": b"new",
        "acme/mail/lib.js": b"new",
    }

    whole = bundles.merged(former, new)

    assert "acme/mail/core/Send/old.js" not in whole
    assert whole["acme/mail/lib.js"] == whole["acme/mail/core/Send/Send.js"] == b"new"
    assert whole["acme/mail/core/Read/component.py"] == b"class Read: ..."


def test_a_module_that_comes_with_its_description_is_replaced_whole() -> None:
    new = {path: content for path, content in mail().items() if "/Read/" not in path}

    whole = bundles.merged(mail(), new)

    assert sorted(whole) == sorted(new)


@pytest.mark.parametrize(
    ("selector", "left"),
    [("acme.mail.core.Send", 8), ("acme.mail.core", 0), ("acme.mail", 0), ("acme.mail.cor", 10), ("acme", 0)],
)
def test_removing_takes_what_lies_under_the_selector(selector: str, left: int) -> None:
    assert len(bundles.without(mail(), selector)) == left


def test_under_a_selector_lie_its_files() -> None:
    assert sorted(bundles.under(mail(), "acme.mail.core.Read")) == [
        "acme/mail/core/Read/component.json",
        "acme/mail/core/Read/component.py",
    ]
    assert bundles.under(mail(), "acme.ma") == {}
    assert bundles.service_of("acme.mail.core.Read") == bundles.service_of("acme.mail") == "acme.mail"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"component.json": b"{}"}, "lies in no service"),
        ({"acme/x.js": b""}, "lies in no service"),
        ({"acme/a/x.js": b"", "acme/b/x.js": b""}, "holds 2 services: acme.a, acme.b"),
        ({"other/a/x.js": b""}, "no developer of the vendor 'other'"),
        ({"acme/my mail/x.js": b""}, "'my mail' is no name"),
        ({"Acme/mail/x.js": b""}, "no developer of the vendor 'Acme'"),
    ],
)
def test_an_archive_is_of_one_service_of_its_vendor(files: dict[str, bytes], said: str) -> None:
    (finding,) = misplaced(files, ["acme"])

    assert said in finding.message
    assert finding.fix


def found(files: dict[str, bytes], *, without: str = "") -> list[tuple[str, str]]:
    whole = {**mail(), **files}
    whole.pop(without, None)
    return [(each.file, each.data_path) for each in findings(whole, files or whole, never)]


SEND = "acme/mail/core/Send/component.json"


@pytest.mark.parametrize(
    ("path", "content", "data_path"),
    [
        (SEND, b"{", ""),
        (SEND, b"[]", ""),
        (SEND, b"\xff", ""),
        (SEND, b'{"name": NaN}', ""),
        (SEND, b"[" * 100_000, ""),
        (SEND, component("acme.mail.core.Sent"), ".name"),
        (SEND, dump({}), ".name"),
        (SEND, component("acme.mail.core.Send", inPorts=[{"schema": {}}]), ".inPorts[0].name"),
        (SEND, component("acme.mail.core.Send", outPort=[]), ".outPort"),
        (SEND, component("acme.mail.core.Send", icon="icon.svg"), ".icon"),
        (SEND, component("acme.mail.core.Send", version="1.0"), ".version"),
        (SEND, component("acme.mail.core.Send", auth={"service": "acme:mail:core"}), ".auth.service"),
        (SEND, component("acme.mail.core.Send", quota={"manager": "acme:mail"}), ".quota.manager"),
        (SEND, component("acme.mail.core.Send", auth={"service": 7}), ".auth.service"),
        ("acme/mail/core/Send/deep/er/component.json", component("acme.mail.core.Send.deep.er"), ""),
        ("acme/mail/service.json", described("acme.mall"), ".name"),
        ("acme/mail/service.json", dump({"name": "acme.mail", "label": 1, "category": "", "icon": ""}), ".label"),
        ("acme/mail/core/service.json", described("acme.mail.core"), ""),
        ("acme/mail/module.json", described("acme.mail"), ""),
        ("acme/mail/core/module.json", described("acme.mail.core", configuration=[]), ".configuration"),
        ("acme/mail/bundle.json", dump({"name": "acme.mail"}), ".version"),
        ("acme/mail/bundle.json", dump({"name": "acme.mail", "version": "1.0.0", "changelog": []}), ".changelog"),
        ("acme/mail/package.json", dump({"dependencies": {"a": 1}}), ".dependencies"),
        ("acme/mail/core/New/component.json", component("acme.mail.core.New"), ""),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_place(path: str, content: bytes, data_path: str) -> None:
    assert (path, data_path) in found({path: content})


def test_code_in_two_languages_is_a_question_that_nobody_answers() -> None:
    twice = {SEND: component("acme.mail.core.Send"), "acme/mail/core/Send/component.py": b""}

    assert found(twice) == [(SEND, "")]


def test_an_auth_module_of_another_service_is_not_looked_for_here() -> None:
    assert found({SEND: component("acme.mail.core.Send", auth={"service": "acme:other"})}) == []


def test_files_that_did_not_come_are_not_judged_again() -> None:
    whole = {**mail(), "acme/mail/core/Read/component.json": b"{"}

    assert findings(whole, ["acme/mail/lib.js"], never) == []


def test_a_name_that_is_taken_and_an_archive_without_components_are_told() -> None:
    taken = findings(mail(), [SEND], lambda name: name == "acme.mail.core.Send")
    nothing = findings({"acme/mail/lib.js": b""}, ["acme/mail/lib.js"], never)

    assert [(each.file, each.data_path) for each in taken] == [(SEND, ".name")]
    assert nothing == [Finding("", "", "There is no component in it.", "A component has a component.json.")]


def test_findings_have_an_end() -> None:
    files = {f"acme/mail/core/C{n}/component.json": b"{" for n in range(300)}

    assert len(findings(files, files, never)) == 200
