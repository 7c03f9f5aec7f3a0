"""Sources of manifests are read, and filled from the node that is configured."""

import pytest
from headrace_core.sources import Filled, by_port, fill, named_types, read_source

SOURCE = {
    "url": "/component/acme/mail/core/List?outPort=found",
    "data": {
        "messages": {"in/box": "inputs/in/box", "in/kind": "inputs/in/none", "in": {"deep": True}},
        "properties": {"a": "properties/a", "b": "properties/none", "c": 5, "d": "properties", "e": "inputs/in"},
        "transform": "./file#name",
    },
}


def test_a_source_says_what_is_called_and_is_filled_from_the_node() -> None:
    source = read_source(SOURCE)

    assert source is not None
    assert (source.type, source.out_port, source.transform) == ("acme.mail.core.List", "found", "./file#name")
    messages, properties = fill(source, Filled({"in": {"box": ["x"]}}, {"a": {"b": 1}}))
    assert messages == {"in": {"deep": True}}
    assert properties == {"a": {"b": 1}, "c": 5, "d": "properties", "e": "inputs/in"}


def test_fields_of_a_port_come_together() -> None:
    assert by_port({"in/a": 1, "in/b/c": 2, "out": 3, "out/x": 4}) == {"in": {"a": 1, "b/c": 2}, "out": 3}


@pytest.mark.parametrize(
    "value",
    [None, "x", {}, {"url": 1}, {"url": "/flows/x"}, {"url": "/component/a/b"}, {"url": "/component/a/b/c/d/e"}],
)
def test_what_is_no_source_is_none(value: object) -> None:
    assert read_source(value) is None  # type: ignore[arg-type]


def test_what_says_little_is_called_plainly() -> None:
    source = read_source({"url": "component/acme/mail/List", "data": {"messages": 1, "transform": 2}})

    assert source is not None
    assert (source.type, source.out_port, source.messages, source.transform) == ("acme.mail.List", "out", {}, "")


def test_a_manifest_names_the_components_it_needs_however_deep() -> None:
    field = {"type": "select", "source": {"url": "/component/appmixer/utils/storage/ListStores"}}
    manifest = {"name": "x", "inPorts": [{"inspector": {"inputs": {"a": field}}}], "outPorts": [{"source": SOURCE}]}

    assert named_types(manifest) == {"headrace.utils.storage.ListStores", "acme.mail.core.List"}
