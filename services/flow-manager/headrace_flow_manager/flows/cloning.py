"""A copy of a descriptor under new component ids, with everything in it that names them."""

import re
from collections.abc import Mapping

from headrace_core import Json
from headrace_core.ids import new_id

_PATH = re.compile(r"(\$\.\[?)([\w -]{1,256})", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


def fresh_ids(descriptor: Mapping[str, Json]) -> dict[str, str]:
    """A new UUID for each component id."""
    return {node_id: new_id() for node_id in descriptor}


def with_ids(descriptor: Mapping[str, Json], ids: Mapping[str, str]) -> dict[str, Json]:
    """The descriptor under the new ids: its keys, its links, its transforms and the paths of its variables."""
    return {ids.get(node_id, node_id): _node(node, ids) for node_id, node in descriptor.items()}


def without_accounts(descriptor: Mapping[str, Json]) -> dict[str, Json]:
    """The descriptor with no account chosen anywhere: `config.auth` of every node is left out."""
    return {node_id: _without_account(node) for node_id, node in descriptor.items()}


def wizard_with_ids(wizard: Json, ids: Mapping[str, str]) -> Json:
    """The wizard under the new ids. It names components freely: a `componentId` is one, and elsewhere only a UUID."""

    def renamed(text: str) -> str:
        return _UUID.sub(lambda found: ids.get(found.group(), found.group()), text)

    match wizard:
        case dict():
            named = wizard.get("componentId")
            own = {"componentId": ids[named]} if isinstance(named, str) and named in ids else {}
            return {renamed(key): wizard_with_ids(value, ids) for key, value in wizard.items()} | own
        case list():
            return [wizard_with_ids(each, ids) for each in wizard]
        case str():
            return renamed(wizard)
        case _:
            return wizard


def _node(node: Json, ids: Mapping[str, str]) -> Json:
    if not isinstance(node, dict):
        return node
    copy = dict(node)
    if "source" in copy:
        copy["source"] = _by_port(copy["source"], ids)
    config = copy.get("config")
    if isinstance(config, dict):
        renamed = {key: _paths(value, ids) for key, value in config.items()}
        if "transform" in renamed:
            renamed["transform"] = _by_port(renamed["transform"], ids)
        copy["config"] = renamed
    return copy


def _without_account(node: Json) -> Json:
    config = node.get("config") if isinstance(node, dict) else None
    if not isinstance(node, dict) or not isinstance(config, dict) or "auth" not in config:
        return node
    return {**node, "config": {key: value for key, value in config.items() if key != "auth"}}


def _by_port(value: Json, ids: Mapping[str, str]) -> Json:
    """In-port → component id → anything, with the ids renamed."""
    if not isinstance(value, dict):
        return value
    return {
        port: {ids.get(source, source): each for source, each in sources.items()}
        if isinstance(sources, dict)
        else sources
        for port, sources in value.items()
    }


def _paths(value: Json, ids: Mapping[str, str]) -> Json:
    match value:
        case dict():
            return {key: _paths(each, ids) for key, each in value.items()}
        case list():
            return [_paths(each, ids) for each in value]
        case str() if "$." in value:
            return _PATH.sub(lambda found: found.group(1) + ids.get(found.group(2), found.group(2)), value)
        case _:
            return value
