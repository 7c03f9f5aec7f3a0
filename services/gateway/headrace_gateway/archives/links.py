"""Links between what is imported: where an id had to change, whatever names it is changed with it."""

import re
from collections.abc import Mapping
from typing import Final

from headrace_core import Json

_NAMING: Final = frozenset({"flowId", "storeId", "fileId", "chartId", "templateId", "originFlowId"})
_UNMISTAKABLE = re.compile(r"[0-9a-f]{24}|[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def relinked(value: Json, ids: Mapping[str, str]) -> Json:
    """The value with every text that is an old id replaced by the new one.

    An id that somebody chose may be a word like any other ("orders"): it is replaced under names of ids alone.
    """
    return _relinked(value, ids, "") if ids else value


def _relinked(value: Json, ids: Mapping[str, str], name: str) -> Json:
    if isinstance(value, str):
        new = ids.get(value)
        return new if new is not None and (name in _NAMING or _UNMISTAKABLE.fullmatch(value)) else value
    if isinstance(value, dict):
        return {key: _relinked(each, ids, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_relinked(each, ids, name) for each in value]
    return value
