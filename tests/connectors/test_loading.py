"""A connector folder that does not fit together is refused when it is loaded, by its path."""

import json
from pathlib import Path

import headrace_connectors
import pytest
from headrace_core.errors import Internal

PLACE = ("utils", "controls", "Join")


@pytest.mark.parametrize(
    ("path", "written", "message"),
    [
        (PLACE, '{"name": "headrace.utils.controls.Joint"}', "utils/controls/Join.*'headrace.utils.controls.Joint'"),
        (PLACE, '{"label": "Join"}', "has None"),
        (PLACE, "[]", "must have the name"),
        (PLACE, "{", "is not JSON"),
        (("utils", "Join"), '{"name": "headrace.utils.Join"}', "<service>/<module>/<Component>"),
    ],
)
def test_a_manifest_must_fit_its_folder(tmp_path: Path, path: tuple[str, ...], written: str, message: str) -> None:
    (tmp_path / "component.json").write_text(written)

    with pytest.raises(Internal, match=message):
        headrace_connectors._load(path, tmp_path)


def test_a_folder_holds_one_component(tmp_path: Path) -> None:
    (tmp_path / "component.json").write_text(json.dumps({"name": "headrace.utils.controls.Join"}))

    loaded = headrace_connectors._load(PLACE, tmp_path)

    assert loaded.type == "headrace.utils.controls.Join"
    with pytest.raises(Internal, match="defines 0 components"):
        headrace_connectors._component_of(PLACE, json)
