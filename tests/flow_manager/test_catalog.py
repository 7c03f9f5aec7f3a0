"""The catalog answers to every name of a component and hides what is private."""

import pytest
from headrace.catalog.v1 import catalog_service_pb2 as pb
from headrace_core.errors import AlreadyExists, BadRequest, NotFound
from headrace_flow_manager.catalog.model import CatalogEntry
from headrace_flow_manager.catalog.service import Catalog

from .house import ANN, CATALOG, SET, START, House, load, scope


async def types(house: House, selector: str = "", *, private: bool = True) -> list[str]:
    request = pb.ListComponentsRequest(scope=scope(ANN), selector=selector, include_private=private)
    return [each.type for each in (await house.catalog.ListComponents(request)).components]


@pytest.mark.parametrize("name", [START, START.replace("headrace", "appmixer")])
async def test_either_spelling_finds_a_component_under_its_own_name(house: House, name: str) -> None:
    found = (await house.catalog.GetComponent(pb.GetComponentRequest(scope=scope(ANN), type=name))).component

    assert (found.type, found.version, found.private) == (START, "1.0.0", False)
    assert load(found.manifest)["name"] == START


async def test_selectors_end_at_dots_and_know_both_spellings(house: House) -> None:
    assert await types(house) == ["acme.mail.core.Send", START, SET]
    for vendor in ("headrace", "appmixer"):
        for selector in (vendor, f"{vendor}.utils", f"{vendor}.utils.controls"):
            assert await types(house, selector) == [START, SET]
        assert await types(house, f"{vendor}.utils.controls.OnStart") == [START]
        assert await types(house, f"{vendor}.util") == []
    assert await types(house, "acme.mail") == ["acme.mail.core.Send"]
    assert await types(house, "") == await types(house)


async def test_private_components_are_listed_only_when_asked(house: House) -> None:
    assert await types(house, "headrace", private=False) == [START]


async def test_unknown_components_and_nobody_get_nothing(house: House) -> None:
    for name in ("", "headrace.utils.controls.onstart", "a" * 10_000, "acme.mail.core"):
        with pytest.raises(NotFound):
            await house.catalog.GetComponent(pb.GetComponentRequest(scope=scope(ANN), type=name))
    with pytest.raises(BadRequest):
        await house.catalog.ListComponents(pb.ListComponentsRequest())


async def test_apps_and_bundles_are_those_handed_in(house: House) -> None:
    (app,) = (await house.catalog.ListApps(pb.ListAppsRequest(scope=scope(ANN)))).apps
    (bundle,) = (await house.catalog.ListBundles(pb.ListBundlesRequest(scope=scope(ANN)))).bundles

    assert (app.app_id, load(app.description_json)["label"]) == ("headrace.utils", "Utilities")
    assert (bundle.name, bundle.version) == ("headrace.utils.controls", "1.0.0")


def test_two_components_cannot_answer_to_one_name() -> None:
    twin = CatalogEntry("acme.a.b.C", {"name": "acme.a.b.C"}, aliases=(START,))

    with pytest.raises(AlreadyExists, match="OnStart"):
        Catalog([*CATALOG, twin], {}, {})
