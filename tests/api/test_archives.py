"""What a tenant owns goes out in one archive and comes in again: elsewhere, twice, interrupted, at somebody else's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from headrace_core.errors import Unavailable
from headrace_gateway.app import Gateway
from headrace_gateway.archives.exporting import Export, Wanted
from headrace_gateway.archives.layout import OWNED

from .archive_parts import (
    BIG,
    CONTENT,
    KINDS,
    PHRASE,
    belongings,
    exported,
    furnish,
    imported,
    lines,
    manifest,
    members,
    rebuilt,
)
from .conftest import open_people
from .people import EMBEDDED, HOOK, People, give_role


def by_id(said: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in said["items"]}


async def user_id(client: httpx.AsyncClient) -> str:
    return str((await client.get("/user")).json()["id"])


async def test_an_archive_holds_everything_and_the_sum_of_each_member(people: People) -> None:
    ids = await furnish(people.ann, people.mark)
    archive = await exported(people.ann)
    said, parts = manifest(archive), members(archive)

    assert (said["format"], said["version"], said["userId"]) == ("headrace-archive", 1, await user_id(people.ann))
    assert {each["name"] for each in said["members"]} == parts.keys() - {"manifest.json"}
    assert [each["flow"]["flowId"] for each in lines(archive, "flows") if "flow" in each] == [
        ids["flow"],
        ids["instance"],
    ]
    versions = [each["version"] for each in lines(archive, "flows") if "version" in each]
    assert [(each["version"], each["label"]) for each in versions][:3] == [(1, "first"), (2, ""), (3, "third")]
    records = {each["record"]["key"]: each["record"]["value"] for each in lines(archive, "stores") if "record" in each}
    assert len(records) == 42 and records["big"] == {"big": BIG} and records["ün/?"] == [None, 1.5, "\u2028", {}]
    files = {each["file"]["fileId"]: parts[each["file"]["member"]] for each in lines(archive, "files")}
    assert files == {ids["file"]: CONTENT, ids["empty"]: b""}
    assert said["incomplete"] == [] and said["secrets"] is None
    assert b"hr_pat_" not in archive and b"correct horse" not in b"".join(parts.values())


async def test_another_installation_has_it_all_under_the_same_ids_and_a_second_import_changes_nothing(
    people: People, tmp_path: Path
) -> None:
    ids = await furnish(people.ann, people.mark)
    await people.admin.put(f"/users/{await user_id(people.ann)}", json={"metadata": {"host": {"a": 1}}})
    archive = await exported(people.ann)

    async with open_people(tmp_path / "elsewhere") as there:
        rehearsed = await imported(there.bob, archive, dryRun="true")
        assert (await there.bob.get("/flows")).json() == [] and (await there.bob.get("/files")).json() == []
        first = await imported(there.bob, archive)
        after = await exported(there.bob)
        revisions = {path: (await there.bob.get(path)).json() for path in ("/flows", "/charts", "/url-aliases")}
        second = await imported(there.bob, archive)
        unchanged = {path: (await there.bob.get(path)).json() for path in revisions}
        flow = (await there.bob.get(f"/flows/{ids['flow']}")).json()
        called = await there.bob.post(f"/{people.mark}/orders", json={"name": "x"})
        await there.bob.post(f"/flows/{ids['flow']}/coordinator", json={"command": "start"})
        answered = await there.bob.post(f"/{people.mark}/orders", json={"name": "Ann"})

    assert first["counts"] == rehearsed["counts"] == {"created": 9}, first
    assert [each["verdict"] for each in rehearsed["items"]] == [each["verdict"] for each in first["items"]]
    assert first["ids"] == {} and first["wereRunning"] == [ids["flow"]] and first["secrets"] == "none"
    assert belongings(after) == belongings(archive)
    assert second["counts"] == {"unchanged": 9}, second
    assert unchanged == revisions
    assert flow["stage"] == "stopped"
    assert called.status_code == 404  # nobody answers before it is started
    assert (answered.status_code, answered.text) == (200, "Ann")


async def test_at_another_tenant_taken_ids_are_new_ones_and_links_follow(people: People) -> None:
    ids = await furnish(people.ann, people.mark)
    archive = await exported(people.ann)
    before = await exported(people.ann)

    said = await imported(people.bob, archive)
    again = await imported(people.bob, archive)

    flow_id, store_id = said["ids"]["flow"][ids["flow"]], said["ids"]["store"][ids["store"]]
    flow = (await people.bob.get(f"/flows/{flow_id}")).json()
    instance = (await people.bob.get(f"/flows/{said['ids']['flow'][ids['instance']]}")).json()
    chart = (await people.bob.get(f"/charts/{said['ids']['chart'][ids['chart']]}")).json()
    assert flow["flow"]["reply"]["config"]["properties"] == {"storeId": store_id, "note": ids["store"][:8]}
    assert flow["customFields"] == {"of": store_id}
    assert instance["templateId"] == flow_id
    assert chart["traces"]["t1"]["source"]["targets"] == [flow_id, instance["flowId"]]
    assert (await people.bob.get(f"/store/{store_id}/key-3")).json()["value"] == {"number": 3, "mark": people.mark}
    assert (await people.bob.get(f"/files/{ids['file']}")).content == CONTENT
    assert (await people.bob.get(f"/flows/{flow_id}/versions/1")).json()["label"] == "first"
    alias = by_id(said)[ids["alias"]]
    assert (alias["verdict"], "taken" in alias["why"]) == ("failed", True)
    assert said["counts"] == {"created": 7, "unchanged": 1, "failed": 1}  # unchanged: no settings on either side
    assert again["counts"] == {"unchanged": 8, "failed": 1} and again["ids"] == said["ids"]
    assert belongings(await exported(people.ann)) == belongings(before)


async def changed_everywhere(client: httpx.AsyncClient, ids: dict[str, str], mark: str) -> None:
    await client.put(f"/flows/{ids['flow']}?forceUpdate=true", json={"description": "changed here"})
    await client.post(f"/store/{ids['store']}/key-3", json="changed here")
    await client.put(f"/charts/{ids['chart']}", json={"name": "changed here"})
    await client.put(
        f"/url-aliases/{ids['alias']}", json={"alias": f"{mark}/orders", "flowId": ids["flow"], "componentId": "reply"}
    )
    upload = {"uploader-file-id": ids["file"], "uploader-file-name": f"{mark}%20%C3%A4.bin"}
    changed = await client.post(
        "/files", content=b"changed here", headers={**upload, "Content-Type": "application/octet-stream"}
    )
    assert changed.status_code == 200, changed.text


CHANGED = ("flow", "store", "chart", "alias", "file")


@pytest.mark.parametrize(
    ("policy", "verdict", "again"),
    [("skip", "skipped", "skipped"), ("replace", "replaced", "unchanged"), ("rename", "renamed", "unchanged")],
)
async def test_what_is_here_and_differs_stays_is_replaced_or_gets_a_copy(
    policy: str, verdict: str, again: str, people: People
) -> None:
    ids = await furnish(people.ann, people.mark)
    archive = await exported(people.ann)
    await changed_everywhere(people.ann, ids, people.mark)
    changed = belongings(await exported(people.ann))

    rehearsed = await imported(people.ann, archive, onConflict=policy, dryRun="true")
    assert belongings(await exported(people.ann)) == changed
    said = await imported(people.ann, archive, onConflict=policy)
    after = belongings(await exported(people.ann))
    second = await imported(people.ann, archive, onConflict=policy)

    for found, expected in ((rehearsed, verdict), (said, verdict), (second, again)):
        verdicts = {each["id"]: each["verdict"] for each in found["items"]}
        assert {kind: verdicts[ids[kind]] for kind in CHANGED} == dict.fromkeys(CHANGED, expected)
        # It is as it was, but links to what was copied: beside it comes one that links to the copies.
        assert verdicts[ids["instance"]] == ("unchanged" if expected in ("skipped", "replaced") else expected)
    assert belongings(await exported(people.ann)) == after
    if policy == "skip":
        assert after == changed
    if policy == "replace":
        flows = {each["flow"]["flowId"]: each["flow"]["record"] for each in lines(archive, "flows") if "flow" in each}
        now = {each["flow"]["flowId"]: each["flow"]["record"] for each in after["flows"] if "flow" in each}
        assert now == flows
        before = belongings(archive)
        for kind in set(KINDS) - {"flows"}:  # in the order in which they were last written
            assert sorted(map(json.dumps, after[kind])) == sorted(map(json.dumps, before[kind]))
    if policy == "rename":
        copies = said["ids"]
        copy = (await people.ann.get(f"/flows/{copies['flow'][ids['flow']]}")).json()
        assert (copy["name"], copy["description"]) == (f"Flow {people.mark} (imported)", people.mark)
        assert copy["flow"]["reply"]["config"]["properties"]["storeId"] == copies["store"][ids["store"]]
        assert (await people.ann.get(f"/files/{copies['file'][ids['file']]}")).content == CONTENT
        assert (await people.ann.get(f"/files/{ids['file']}")).content == b"changed here"
        assert all(line in after[kind] for kind in KINDS for line in changed[kind])


class Dying:
    """A client that does so many calls and is away then."""

    def __init__(self, client: Any, calls: int) -> None:
        self._client = client
        self._left = calls

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)

        async def call(*given: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise Unavailable("The flow manager is away.")
            return await real(*given, **named)

        return call


@EMBEDDED
async def test_an_import_that_was_interrupted_anywhere_is_finished_by_importing_again(people: People) -> None:
    await furnish(people.ann, people.mark)
    archive = await exported(people.ann, include=["flows", "stores"])
    app = people.app
    assert isinstance(app, Gateway)
    whole: dict[str, Any] | None = None

    for calls in (*range(1, 34, 4), 60, 90):
        email = f"interrupted{calls}@example.com"
        made = await people.admin.post("/user", json={"email": email, "password": "correct horse"})
        token = {"Authorization": f"Bearer {made.json()['token']}"}
        async with httpx.AsyncClient(base_url=people.admin.base_url, headers=token, timeout=60) as client:
            interrupted = Dying(app.clients.belongings, calls)
            whose = app.clients
            app.clients = replaced(whose, interrupted)
            try:
                died = await client.post("/import", content=archive, headers={"Content-Type": "application/zip"})
            finally:
                app.clients = whose
            assert died.status_code in (200, 503), died.text
            if died.status_code == 503:
                assert "Import the archive again" in died.json()["message"]

            said = await imported(client, archive)
            again = await imported(client, archive)
            after = belongings(await exported(client, include=["flows", "stores"]))

        assert set(said["counts"]) <= {"created", "completed", "unchanged"}, said
        assert set(again["counts"]) == {"unchanged"}, again
        shape = json.loads(json.dumps(after))
        for old, new in {**said["ids"].get("flow", {}), **said["ids"].get("store", {})}.items():
            shape = json.loads(json.dumps(shape).replace(new, old))
        whole = whole or shape
        assert sorted(map(json.dumps, shape["stores"])) == sorted(map(json.dumps, whole["stores"]))
        assert sorted(map(json.dumps, shape["flows"])) == sorted(map(json.dumps, whole["flows"])), calls


def replaced(clients: Any, belongings_client: Any) -> Any:
    return replace(clients, belongings=belongings_client)


async def test_only_administrators_export_and_import_for_others(people: People) -> None:
    ids = await furnish(people.ann, people.mark)
    ann, bob = await user_id(people.ann), await user_id(people.bob)
    archive = await exported(people.ann)

    for whose in (ann, "f" * 24):
        refused = await people.bob.post("/export", json={"userId": whose})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert (await imported(people.bob, archive, status=403, userId=whose))["code"] == "forbidden"
    assert (await people.bob.post("/export", json={"include": ["installation"]})).status_code == 403
    assert (await people.admin.post("/export", json={"userId": "f" * 24})).status_code == 404
    assert belongings(await exported(people.admin, userId=ann)) == belongings(archive)

    said = await imported(people.admin, archive, userId=bob)
    assert (await people.bob.get(f"/flows/{said['ids']['flow'][ids['flow']]}")).status_code == 200
    assert (await people.admin.get("/flows")).json() == []


async def test_a_component_that_a_role_may_not_use_does_not_come_in(people: People) -> None:
    ids = await furnish(people.ann, people.mark)
    archive = await exported(people.ann)
    role = await give_role(people, people.bob)
    rule = {"role": role, "resource": "appmixer.utils.http.WebhookTrigger", "action": ["!*"]}
    await people.admin.post("/acl/components", json=[rule])

    said = by_id(await imported(people.bob, archive))

    assert (said[ids["flow"]]["verdict"], "WebhookTrigger" in said[ids["flow"]]["why"]) == ("failed", True)
    assert (await people.bob.get("/flows")).json() == []


async def set_up_installation(admin: httpx.AsyncClient) -> None:
    await admin.put("/service-config/acme:mail", json={"clientId": "id", "clientSecret": "sesame"})
    await admin.post("/config", json={"key": "colour", "value": {"secret": "sesame"}})
    await admin.put("/origins/acme", json={"origins": ["https://acme.test"]})
    await admin.post("/acl/routes", json=[{"role": "guest", "resource": "*", "action": ["!*"], "attributes": []}])
    await admin.put("/modifiers", json={"categories": {}, "modifiers": {"g_own": {"label": "Own"}}})


async def installation_of(admin: httpx.AsyncClient) -> dict[str, Any]:
    places = ("/service-config", "/config", "/origins", "/acl/routes", "/modifiers")
    return {path: (await admin.get(path)).json() for path in places}


async def test_secrets_go_under_a_pass_phrase_or_not_at_all(people: People, tmp_path: Path) -> None:
    await set_up_installation(people.admin)
    plain = await exported(people.admin, include=["installation"])
    sealed = await exported(people.admin, include=["installation"], passPhrase=PHRASE)

    for archive in (plain, sealed):
        assert b"sesame" not in b"".join(members(archive).values())
    assert (manifest(plain)["secrets"], manifest(plain)["secretsLeftOut"]) == (None, 2)
    assert manifest(sealed)["secrets"]["n"] >= 2**15 and manifest(sealed)["secretsLeftOut"] == 0

    async with open_people(tmp_path / "elsewhere") as there:
        fresh = await installation_of(there.admin)
        wrong = await imported(there.admin, sealed, phrase=PHRASE + "!", status=403)
        assert "pass phrase" in wrong["message"] and await installation_of(there.admin) == fresh
        by_user = await imported(there.ann, sealed, phrase=PHRASE)
        assert set(by_user["counts"]) == {"leftOut"}
        assert by_user["secrets"] == "leftOut" and await installation_of(there.admin) == fresh
        without = await imported(there.admin, sealed)
        assert without["secrets"] == "leftOut" and (await there.admin.get("/config")).json() == []
        said = await imported(there.admin, sealed, phrase=PHRASE)
        again = await imported(there.admin, sealed, phrase=PHRASE)

        assert said["secrets"] == "imported" and set(again["counts"]) == {"unchanged"}
        assert await installation_of(there.admin) == await installation_of(people.admin)


async def test_secrets_do_not_open_in_an_archive_that_was_changed(people: People) -> None:
    await set_up_installation(people.admin)
    sealed = await exported(people.admin, include=["installation"], passPhrase=PHRASE)

    def swap(parts: dict[str, bytes]) -> None:
        parts["installation.ndjson"] = parts["installation.ndjson"].replace(b"acme.test", b"evil.test")

    assert "changed" in (await imported(people.admin, rebuilt(sealed, swap), phrase=PHRASE, status=403))["message"]
    for name, value in (("n", 2**30), ("n", 2**14), ("n", 40_000), ("r", 64), ("kdf", "none"), ("salt", "AAAA")):

        def change(said: dict[str, Any], name: str = name, value: Any = value) -> None:
            said["secrets"][name] = value

        archive = rebuilt(sealed, lambda parts: None, manifest_change=change)
        assert (await imported(people.admin, archive, phrase=PHRASE, status=400))["code"] == "bad_request"
    short = await people.admin.post("/export", json={"passPhrase": "short"})
    assert (short.status_code, short.json()["problems"][0]["field"]) == (400, "passPhrase")


@EMBEDDED
async def test_an_export_is_written_in_pieces_however_much_there_is(people: People) -> None:
    await people.ann.post("/files", files={"file": ("random.bin", CONTENT * 3)})
    store_id = (await people.ann.post("/stores", json={"name": "Large"})).json()["storeId"]
    for number in range(12):
        await people.ann.post(f"/store/{store_id}/{number}", json=CONTENT[:400_000].hex())
    app = people.app
    assert isinstance(app, Gateway)
    scope = (await app.authenticator.caller(people.ann.headers["authorization"])).scope

    export = Export(app.clients, app.archives.sealer, Wanted(scope, OWNED), app.clock.now())
    sizes = [len(piece) async for piece in export.pieces()]

    assert max(sizes) < 1_500_000 and len(sizes) > 5


async def test_a_path_of_the_platforms_own_does_not_come_in(people: People) -> None:
    flow_id = (await furnish(people.ann, people.mark))["flow"]
    archive = await exported(people.ann)

    def rename(parts: dict[str, bytes]) -> None:
        parts["aliases.ndjson"] = json.dumps(
            {"alias": {"id": "a1", "alias": "flows/mine", "flowId": flow_id, "componentId": HOOK}}
        ).encode()

    said = by_id(await imported(people.ann, rebuilt(archive, rename)))

    assert (said["a1"]["verdict"], "own" in said["a1"]["why"]) == ("failed", True)
