"""The modifiers are the built-in ones until an administrator replaces them."""

from typing import Any

import pytest
from headrace.setting.v1 import setting_service_pb2 as pb
from headrace_core import Json
from headrace_core.errors import BadRequest, TooLarge, ValidationFailed
from headrace_core.expressions import default_modifiers

from .house import ANN, House, dump, load, scope

OWN: dict[str, Json] = {"categories": {"mine": {"label": "Mine", "index": 0}}, "modifiers": {"g_own": {"label": "Own"}}}


async def current(house: House) -> dict[str, Json]:
    return load((await house.settings.GetModifiers(pb.GetModifiersRequest())).document)


async def replace(house: House, document: Json) -> Any:
    return await house.settings.PutModifiers(pb.PutModifiersRequest(scope=scope(ANN), document=dump(document)))


async def test_modifiers_are_replaced_whole_and_given_back(house: House) -> None:
    assert await current(house) == default_modifiers()

    await replace(house, OWN)
    assert await current(house) == OWN
    for _ in range(2):
        await house.settings.DeleteModifiers(pb.DeleteModifiersRequest(scope=scope(ANN)))

    assert await current(house) == default_modifiers()


async def test_the_built_in_set_may_be_saved_as_it_is(house: House) -> None:
    await replace(house, default_modifiers())

    assert await current(house) == default_modifiers()


@pytest.mark.parametrize(
    "document",
    [{}, {"categories": {}}, {"categories": [], "modifiers": {}}, {"categories": {}, "modifiers": {"x": 1}},
     {"categories": {}, "modifiers": {"x": {"label": 1}}}, {"categories": {}, "modifiers": {}, "more": 1},
     {"categories": {}, "modifiers": {"x": {"arguments": {}}}}],
)  # fmt: skip
async def test_what_is_no_modifiers_document_is_refused(house: House, document: Json) -> None:
    with pytest.raises(ValidationFailed):
        await replace(house, document)

    assert await current(house) == default_modifiers()


async def test_nobody_and_too_much_are_refused(house: House) -> None:
    with pytest.raises(BadRequest):
        await house.settings.PutModifiers(pb.PutModifiersRequest(document=dump(OWN)))
    with pytest.raises(BadRequest):
        await house.settings.DeleteModifiers(pb.DeleteModifiersRequest())
    with pytest.raises(TooLarge):
        await replace(house, {"categories": {}, "modifiers": {"x": {"label": "x" * 2_200_000}}})
