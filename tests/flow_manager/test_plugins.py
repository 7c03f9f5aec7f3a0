"""Plugins are found by whom they are shown to, and whoever hosts them is told when something about them changes."""

import json
from collections.abc import Mapping

import pytest
from headrace.catalog.v1 import catalog_service_pb2 as pb
from headrace_core import Json
from headrace_core.errors import BadRequest, HeadraceError, NotFound, Unavailable
from headrace_flow_manager.catalog.jobs import LOOK_AGAIN, PluginJobs

from .house import House, scope
from .test_publishing import SEND, connector, developer, publish, remove

PLUGIN = "zoo/mail/plugin.js"


class Host:
    """Keeps `catalog.jobs.PluginHost`."""

    def __init__(self) -> None:
        self.refreshed: list[str] = []
        self.failure: HeadraceError | None = None

    async def refresh(self, service: str) -> None:
        self.refreshed.append(service)
        if self.failure is not None:
            raise self.failure

    def told(self) -> list[str]:
        """What it was told since it was last asked."""
        told, self.refreshed = self.refreshed, []
        return told


class Configs:
    """Keeps `catalog.jobs.Configs`."""

    def __init__(self) -> None:
        self.size = 1

    async def config(self, service: str) -> Mapping[str, Json]:
        return {"of": service, "size": self.size}


async def find(house: House, user_id: str = "", **more: bool) -> pb.FindPluginsResponse:
    request = pb.FindPluginsRequest(service="zoo.mail", scope=scope(user_id) if user_id else None, **more)
    found: pb.FindPluginsResponse = await house.catalog.FindPlugins(request)
    return found


def with_plugin(body: bytes = b"1", *, is_private: bool = False) -> dict[str, bytes]:
    files = {**connector(), PLUGIN: body, "zoo/mail/core/routes.py": b"", "zoo/mail/core/Send/plugin.js": b"no place"}
    if is_private:
        send = {"name": SEND, "private": True, "inPorts": ["in"], "outPorts": ["out"]}
        files["zoo/mail/core/Send/component.json"] = json.dumps(send).encode()
    return files


async def test_the_plugins_of_a_service_are_found_where_they_lie(house: House) -> None:
    ann = await developer(house, "ann", "zoo")
    with pytest.raises(NotFound):
        await find(house, ann)

    assert (await publish(house, ann, with_plugin())).error == ""
    found = await find(house, ann)

    places = [(each.folder, each.language) for each in found.plugins]
    assert places == [("zoo/mail", pb.LANGUAGE_JAVASCRIPT), ("zoo/mail/core", pb.LANGUAGE_PYTHON)]
    assert len(found.bundle_id) == 64 and json.loads(found.config) == {}


async def test_a_service_of_which_somebody_sees_nothing_has_no_plugin_for_them(house: House) -> None:
    ann, bob = await developer(house, "ann", "zoo"), await developer(house, "bob")
    await publish(house, ann, with_plugin())
    assert (await find(house, bob)).plugins and (await find(house)).plugins

    await publish(house, ann, with_plugin(is_private=True))

    assert (await find(house, ann)).plugins and (await find(house, for_platform=True)).plugins
    for stranger in (bob, ""):
        with pytest.raises(NotFound):
            await find(house, stranger)


async def test_the_host_hears_of_what_changes_and_of_nothing_else(house: House) -> None:
    ann, host, configs = await developer(house, "ann", "zoo"), Host(), Configs()
    jobs = PluginJobs(house.app.catalog, configs, host)
    await publish(house, ann, connector())
    await jobs.round()
    assert host.told() == [], "a service without a plugin"

    await publish(house, ann, with_plugin())
    for _ in range(2):
        await jobs.round()
    assert host.told() == ["zoo.mail"]
    await publish(house, ann, with_plugin(b"2"))
    await jobs.round()
    assert host.told() == ["zoo.mail"], "it is replaced"
    configs.size = 2
    await jobs.round()
    assert host.told() == ["zoo.mail"], "it is configured anew"
    await remove(house, ann, "zoo.mail", force=True)
    for _ in range(2):
        await jobs.round()
    assert host.told() == ["zoo.mail"], "it is removed"


async def test_what_cannot_be_told_is_told_later_and_everything_now_and_then(house: House) -> None:
    ann, host = await developer(house, "ann", "zoo"), Host()
    jobs = PluginJobs(house.app.catalog, Configs(), host)
    await publish(house, ann, with_plugin())

    host.failure = Unavailable("The executor is away.")
    for _ in range(2):
        await jobs.round()
    assert host.told() == ["zoo.mail"] * 2
    host.failure = BadRequest("The plugin cannot be started.")
    for _ in range(2):
        await jobs.round()
    assert host.told() == ["zoo.mail"], "that is for its vendor to mend"
    host.failure = None
    for _ in range(LOOK_AGAIN):
        await jobs.round()
    assert host.told() == ["zoo.mail"], "the scheduler may have lost it"
