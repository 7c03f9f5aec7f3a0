"""Quotas are what connectors bring until an administrator puts something else; the revision never falls."""

from typing import Any

import pytest
from headrace.setting.v1 import setting_service_pb2 as pb
from headrace_core.errors import BadRequest, NotFound, RevisionConflict, ValidationFailed

from .house import ANN, QUOTA, House, scope

STRICT = "module.exports = { rules: [{ limit: 1, window: 60 * 1000, scope: 'userId' }] };"


async def put(house: House, source: str = STRICT, name: str = "acme:crm", revision: int = 0) -> Any:
    request = pb.PutQuotaRequest(scope=scope(ANN), name=name, source=source, expected_revision=revision)
    return (await house.settings.PutQuota(request)).quota


async def reset(house: House, name: str = "acme:crm", revision: int = 0) -> Any:
    request = pb.ResetQuotaRequest(scope=scope(ANN), name=name, expected_revision=revision)
    return (await house.settings.ResetQuota(request)).quota


async def listed(house: House) -> dict[str, Any]:
    return {
        each.name: each for each in (await house.settings.ListQuotas(pb.ListQuotasRequest(scope=scope(ANN)))).quotas
    }


async def test_quotas_that_connectors_bring_and_components_name_are_listed(house: House) -> None:
    found = await listed(house)

    assert list(found) == ["acme:crm", "acme:mail"]
    crm, mail = found.values()
    assert (crm.source, crm.default_source, crm.is_custom, crm.revision) == (QUOTA, QUOTA, False, 1)
    assert [(each.limit, each.window.ToMilliseconds(), list(each.resources)) for each in crm.rules] == [
        (10, 1000, ["requests"])
    ]
    assert (mail.source, list(mail.rules)) == ("", [])


async def test_a_source_that_is_put_holds_until_it_is_reset(house: House) -> None:
    saved = await put(house)
    found = (await house.settings.GetQuota(pb.GetQuotaRequest(name="acme:crm"))).quota
    again = await put(house)
    back = await reset(house)
    still = await reset(house)

    assert saved == found == again
    assert (saved.source, saved.default_source, saved.is_custom) == (STRICT, QUOTA, True)
    assert (saved.revision, saved.changed_by) == (2, ANN)
    assert [(each.limit, list(each.scope)) for each in saved.rules] == [(1, ["userId"])]
    assert (back.source, back.is_custom, back.revision) == (QUOTA, False, 3)
    assert still == back


async def test_a_quota_of_no_connector_is_known_as_long_as_it_is_put(house: House) -> None:
    await put(house, name="other:api:v2")
    assert "other:api:v2" in await listed(house)

    await reset(house, "other:api:v2")

    assert "other:api:v2" not in await listed(house)
    for call in (
        lambda: reset(house, "other:api:v2"),
        lambda: reset(house, "no:body"),
        lambda: house.settings.GetQuota(pb.GetQuotaRequest(name="other:api:v2")),
    ):
        with pytest.raises(NotFound):
            await call()
    assert (await put(house, name="other:api:v2")).revision == 4


async def test_who_decided_on_an_old_revision_is_refused(house: House) -> None:
    await put(house, revision=1)

    for call in (lambda: put(house, "module.exports = { rules: [] };", revision=1), lambda: reset(house, revision=1)):
        with pytest.raises(RevisionConflict):
            await call()

    assert (await listed(house))["acme:crm"].source == STRICT
    assert (await reset(house, revision=2)).revision == 3


@pytest.mark.parametrize("source", ["", "x", "module.exports = { rules: [f()] }", "module.exports = { rules: [{}] }"])
async def test_what_is_no_quota_is_refused(house: House, source: str) -> None:
    with pytest.raises(ValidationFailed):
        await put(house, source)

    assert not (await listed(house))["acme:crm"].is_custom


async def test_names_and_callers_have_their_form(house: House) -> None:
    for name in ("", "crm", "a:b:c:d", "a:b\n", "a:" + "b" * 300, "a/b:c"):
        with pytest.raises(ValidationFailed):
            await put(house, name=name)
    with pytest.raises(BadRequest):
        await house.settings.PutQuota(pb.PutQuotaRequest(name="acme:crm", source=STRICT))
    with pytest.raises(BadRequest):
        await house.settings.ListQuotas(pb.ListQuotasRequest())
