"""What users wrote as values of MongoDB: bytes of JSON, which it never looks into."""

from collections.abc import Mapping

from headrace_core import Json

from headrace_flow_manager import json_text
from headrace_flow_manager.stores.values import parsed_object


def packed(value: Mapping[str, Json]) -> bytes:
    """An object as it is kept. Keys with `$` or `.` and numbers of any size stay what they are."""
    return json_text.encode(dict(value)).encode()


def unpacked(kept: bytes) -> dict[str, Json]:
    """The object that `packed` wrote."""
    return parsed_object(kept.decode())
