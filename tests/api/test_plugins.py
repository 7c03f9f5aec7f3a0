"""Routes of published plugins, in JavaScript and in Python, are served below their service's place."""

from __future__ import annotations

import json

import httpx

from .people import People, caller, until
from .test_publishing import ICON, SEND, archive, become_developer, publish

PLUGIN = """
'use strict';
module.exports = async (context) => {
    const { router, auth, HttpError } = context.http;
    const add = (method, path, handler, options = {}) =>
        router.register({ method, path, options: { ...options, handler } });
    const anybody = { auth: { strategies: ['jwt-strategy', 'public'] } };
    add('GET', '/me/{name?}', async (req) => {
        const { params: { name = null }, headers: { authorization: secret = null } } = req;
        const user = await auth.getUser(req);
        return { id: user.getId(), email: user.getEmail(), name, secret };
    });
    add('POST', '/notes', async ({ payload, headers, query: { q } }, h) => {
        await context.service.stateSet('note', payload);
        return h.response({ kept: payload, kind: headers['x-kind'], q, size: context.config.size ?? null }).code(201);
    }, { auth: false });
    add('PUT', '/notes', async () => ({ note: await context.service.stateGet('note') }), { auth: false });
    add('PATCH', '/notes', () => { throw HttpError.forbidden('Not now.'); }, anybody);
    add('DELETE', '/notes', () => { throw new Error('it broke'); }, { auth: false });
};
"""
ROUTES = """
from headrace_sdk.routes import Request, route

@route("GET", "/words/{word}", public=True)
async def word(request: Request):
    return {"word": request.params["word"], "size": request.context.config.get("size")}
"""
AT = "/plugins/zoo/mail"


async def _published(people: People, client: httpx.AsyncClient, plugin: str = PLUGIN, **more: str) -> None:
    await become_developer(people, client)
    told = await publish(client, archive(**{"zoo/mail/plugin.js": plugin, "zoo/mail/say/routes.py": ROUTES, **more}))
    assert told["finished"] and "err" not in told, told


async def test_a_plugin_answers_whom_its_routes_are_for(people: People) -> None:
    await _published(people, people.ann)
    config = {"serviceId": "zoo:mail", "size": 7}
    assert (await people.admin.post("/service-config", json=config)).status_code in (200, 201)
    async with caller(people.ann.base_url) as stranger:
        mine = (await people.bob.get(f"{AT}/me/a%2Fb")).json()
        refused = await stranger.get(f"{AT}/me")
        noted = await stranger.post(f"{AT}/notes?q=1", json={"a": 1}, headers={"x-kind": "k"})
        kept = await people.bob.put(f"{AT}/notes")
        forbidden = await stranger.patch(f"{AT}/notes")
        broken = await people.bob.delete(f"{AT}/notes")
        nowhere = await people.bob.get(f"{AT}/nowhere")
        of_module = await stranger.get(f"{AT}/say/words/hello")
    await people.admin.delete("/service-config/zoo:mail")

    bob = (await people.bob.get("/user")).json()
    assert mine == {"id": bob["id"], "email": bob["email"], "name": "a/b", "secret": None}
    assert refused.status_code == 401 and "www-authenticate" not in refused.headers
    assert (noted.status_code, noted.json()) == (201, {"kept": {"a": 1}, "kind": "k", "q": "1", "size": 7})
    assert kept.json() == {"note": {"a": 1}}, "a plugin is one for all who call"
    assert (forbidden.status_code, forbidden.json()["message"]) == (403, "Not now.")
    assert (broken.status_code, "it broke" in broken.text) == (500, False), "the log has it"
    assert (nowhere.status_code, of_module.json()) == (404, {"word": "hello", "size": 7})


async def test_a_plugin_s_state_is_not_its_users(people: People) -> None:
    """What a component keeps for its service is its user's; the plugin's own state is another."""
    await _published(people, people.ann)
    await people.ann.post(f"{AT}/notes", json={"of": "the plugin"})

    assert (await people.ann.get("/stores")).json() == []
    assert (await people.bob.put(f"{AT}/notes")).json() == {"note": {"of": "the plugin"}}


async def test_a_private_service_is_there_for_its_vendor_alone(people: People) -> None:
    hidden = {"zoo/mail/core/Send/component.json": json.dumps({"name": SEND, "icon": ICON, "private": True})}
    await _published(people, people.ann, **hidden)
    async with caller(people.ann.base_url) as stranger:
        answers = [await each.put(f"{AT}/notes") for each in (people.ann, people.bob, stranger)]

    assert [each.status_code for each in answers] == [200, 404, 404]


async def test_what_is_published_anew_answers_at_once_and_what_is_removed_no_more(people: People) -> None:
    await _published(people, people.ann)
    assert (await people.bob.get(f"{AT}/me")).status_code == 200
    register = "context.http.router.register({ method: 'GET', path: 'me', options: { handler: () => 'new' } })"
    await publish(people.ann, archive(**{"zoo/mail/plugin.js": f"module.exports = (context) => {register};"}))

    assert (await people.bob.get(f"{AT}/me")).text == "new"
    assert (await people.ann.delete("/components/zoo.mail", params={"force": "true"})).status_code == 200
    assert (await people.bob.get(f"{AT}/me")).status_code == 404


async def test_a_job_runs_when_it_is_due(people: People) -> None:
    job = """
        module.exports = async (context) => {
            await context.scheduleJob('count', '*/5 * * * * *', async () => {
                await context.service.stateSet('runs', (await context.service.stateGet('runs') ?? 0) + 1);
            });
            const handler = async () => ({ runs: await context.service.stateGet('runs') });
            context.http.router.register({ method: 'GET', path: '/runs', options: { handler } });
        };
        """
    await _published(people, people.ann, job)
    before = (await people.ann.get(f"{AT}/runs")).json()["runs"] or 0

    after = await until(lambda: people.ann.get(f"{AT}/runs"), lambda told: (told["runs"] or 0) >= before + 2)

    assert after["runs"] == before + 2, "each due time once"


async def test_a_plugin_s_collections_are_there_for_all_who_call(people: People) -> None:
    keeping = """
        module.exports = (context) => {
            const pets = context.db.collection('pets');
            const add = (method, handler) =>
                context.http.router.register({ method, path: '/pets/{id?}', options: { handler } });
            add('PUT', async ({ params: { id }, payload }) =>
                pets.updateOne({ _id: id }, { $set: payload, $inc: { writes: 1 } }, { upsert: true }));
            add('GET', async () => pets.find({ writes: { $gte: 1 } }, { sort: { _id: 1 } }).toArray());
            add('DELETE', async () => pets.deleteMany({}));
        };
        """
    await _published(people, people.ann, keeping)
    await people.ann.delete(f"{AT}/pets")
    for client, kind in ((people.ann, "dog"), (people.bob, "wolf"), (people.ann, "wolf")):
        answer = await client.put(f"{AT}/pets/rex", json={"kind": kind})
        assert answer.status_code == 200, answer.text
    await people.bob.put(f"{AT}/pets/tom", json={"kind": "cat"})

    pets = (await people.ann.get(f"{AT}/pets")).json()

    assert pets == [{"_id": "rex", "kind": "wolf", "writes": 3}, {"_id": "tom", "kind": "cat", "writes": 1}]
    assert (await people.bob.delete(f"{AT}/pets")).json()["deletedCount"] == 2
    assert (await people.bob.get("/stores")).json() == []
