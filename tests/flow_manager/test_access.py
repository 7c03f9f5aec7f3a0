"""Access rules are kept whole and in order, and wrong ones are refused by field."""

import pytest
from headrace.setting.v1 import setting_service_pb2 as pb
from headrace_core.errors import NotFound, ValidationFailed

from .house import ANN, House, scope

GOOD = pb.AccessRule(role="user", resource="flows", actions=["read", "!create"])


async def put(house: House, kind: str, *rules: pb.AccessRule) -> None:
    await house.settings.PutAccessRules(pb.PutAccessRulesRequest(scope=scope(ANN), type=kind, rules=rules))


async def kept(house: House, kind: str) -> list[pb.AccessRule]:
    return list((await house.settings.GetAccessRules(pb.GetAccessRulesRequest(type=kind))).rules)


async def test_rules_of_a_type_are_replaced_whole(house: House) -> None:
    private = pb.AccessRule(role="*", resource="acme.mail", actions=["!*"], attributes=["non-private"])
    assert await kept(house, "routes") == []

    await put(house, "routes", GOOD, GOOD)
    await put(house, "components", private)
    assert (await kept(house, "routes"), await kept(house, "components")) == ([GOOD, GOOD], [private])

    await put(house, "routes")
    assert await kept(house, "routes") == []


@pytest.mark.parametrize(
    ("kind", "wrong", "field"),
    [
        ("routes", pb.AccessRule(role="user", resource="flows", actions=["fly"]), "1.action"),
        ("routes", pb.AccessRule(role="user", resource="flows"), "1.action"),
        ("routes", pb.AccessRule(resource="flows", actions=["*"]), "1.role"),
        ("routes", pb.AccessRule(role="user", resource="x" * 300, actions=["*"]), "1.resource"),
        ("routes", pb.AccessRule(role="u", resource="a", actions=["*"], attributes=["non-private"]), "1.attributes"),
    ],
)
async def test_a_wrong_rule_is_named_and_nothing_is_changed(
    house: House, kind: str, wrong: pb.AccessRule, field: str
) -> None:
    await put(house, kind, GOOD)

    with pytest.raises(ValidationFailed) as refused:
        await put(house, kind, GOOD, wrong)

    assert [each.where for each in refused.value.problems] == [field]
    assert await kept(house, kind) == [GOOD]


async def test_a_type_that_is_none_is_not_found(house: House) -> None:
    with pytest.raises(NotFound):
        await kept(house, "modifiers")
    with pytest.raises(NotFound):
        await put(house, "modifiers", GOOD)
