"""The in-memory platform keeps the promises of `headrace_sdk.context`."""

from datetime import timedelta

import pytest
from headrace_sdk import CancelError, Component, Condition, Context, HttpResponse, LockUnavailable, TransientError
from headrace_sdk.testing import HttpRequest, World, run_component, run_tick


class Remember(Component):
    """Writes, counts and then fails when told so."""

    async def receive(self, context: Context) -> None:
        await context.state.set("last", context.content)
        total = await context.state.inc("total", 2)
        await context.run_state.set("seen", True)
        await context.send_json(total)
        if context.content == "fail":
            raise TransientError("asked to fail")


async def test_plain_writes_are_kept_only_when_the_step_succeeds() -> None:
    world = World()

    with pytest.raises(TransientError):
        await run_component(Remember, content="fail", world=world)
    outcome = await run_component(Remember, content="good", world=world)

    assert outcome.state == {"last": "good", "total": 4}
    assert outcome.run_state == {"seen": True}


async def test_an_atomic_verb_of_a_repeated_step_counts_once() -> None:
    world = World()

    with pytest.raises(TransientError):
        await run_component(Remember, content="fail", world=world, step_id="one")
    outcome = await run_component(Remember, content="good", world=world, step_id="one")

    assert outcome.outputs == [("out", 2)]
    assert outcome.state["total"] == 2


async def test_state_of_a_run_dies_with_it() -> None:
    world = World()
    await run_component(Remember, content="a", world=world, run_id="first")

    class Look(Component):
        async def receive(self, context: Context) -> None:
            await context.send_json([await context.run_state.all(), await context.state.get("last")])

    outcome = await run_component(Look, world=world, run_id="second")

    assert outcome.outputs == [("out", [{}, "a"])]


async def test_sets_hold_a_value_once() -> None:
    class Collect(Component):
        async def receive(self, context: Context) -> None:
            await context.flow_state.add_to_set("ids", context.content)
            await context.flow_state.add_to_set("ids", context.content)
            await context.flow_state.add_to_set("ids", {"b": 1})
            await context.flow_state.remove_from_set("ids", {"b": 1})

    outcome = await run_component(Collect, content="a")

    assert outcome.flow_state == {"ids": ["a"]}


async def test_clear_forgets_what_was_and_keeps_what_comes_after() -> None:
    class Clear(Component):
        async def receive(self, context: Context) -> None:
            await context.state.set("lost", 1)
            await context.state.clear()
            await context.state.set("kept", 2)
            await context.state.unset("never")

    outcome = await run_component(Clear, state={"old": True})

    assert outcome.state == {"kept": 2}


async def test_an_unknown_out_port_cancels() -> None:
    class Send(Component):
        async def receive(self, context: Context) -> None:
            await context.send_array([1, 2], "out")
            await context.send_json(3, "elsewhere")

    with pytest.raises(CancelError, match="'elsewhere'"):
        await run_component(Send, out_ports=["out"])


async def test_requests_go_through_the_handler_and_are_kept() -> None:
    class Fetch(Component):
        async def tick(self, context: Context) -> None:
            answer = await context.http.request("get", "https://a.example/x?y=1", params={"q": "a b"})
            await context.send_json({"status": answer.status, "text": answer.text, "type": answer.header("X-Kind")})
            await context.http.request("POST", "https://a.example", json={"a": 1})
            await context.http.request("POST", "https://a.example", data={"a": "1"})

    async def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse(201, [("x-kind", "fine"), ("Content-Type", "text/plain; charset=latin-1")], b"\xe9")

    outcome = await run_tick(Fetch, http=answer)

    assert outcome.on("out") == [{"status": 201, "text": "é", "type": "fine"}]
    got, posted, form = outcome.world.requests
    assert (got.method, got.url) == ("GET", "https://a.example/x?y=1&q=a+b")
    assert (posted.content, posted.headers["content-type"]) == (b'{"a": 1}', "application/json")
    assert form.content == b"a=1"


async def test_without_a_handler_nothing_answers() -> None:
    class Fetch(Component):
        async def receive(self, context: Context) -> None:
            await context.http.request("GET", "https://a.example")

    with pytest.raises(TransientError, match=r"a\.example"):
        await run_component(Fetch)


async def test_a_lock_is_held_by_one() -> None:
    class Twice(Component):
        async def receive(self, context: Context) -> None:
            async with context.lock("mine") as held:
                await held.extend(timedelta(seconds=5))
                async with context.lock("mine"):
                    await context.send_json("never")

    with pytest.raises(LockUnavailable, match="'mine'"):
        await run_component(Twice)


async def test_timeouts_calls_answers_and_stops_are_recorded() -> None:
    class Everything(Component):
        async def receive(self, context: Context) -> None:
            gone = await context.set_timeout("gone", timedelta(minutes=1))
            await context.set_timeout({"n": 1}, timedelta(minutes=2))
            await context.clear_timeout(gone)
            await context.call_flow("other", "start", {"x": 1})
            await context.answer_call("done")
            await context.response({"ok": True}, 201, {"x-a": "b"})
            context.log("hello")
            await context.stop_flow()

    outcome = await run_component(Everything)

    assert [each.content for each in outcome.timeouts] == ["gone", {"n": 1}]
    assert [each.content for each in outcome.world.timeouts.values()] == [{"n": 1}]
    assert [(each.flow_id, each.node_id, each.content) for each in outcome.calls] == [("other", "start", {"x": 1})]
    assert outcome.answers == ["done"]
    assert [(each.body, each.status) for each in outcome.responses] == [({"ok": True}, 201)]
    assert outcome.logs == [("info", "hello")]
    assert outcome.stopped


async def test_stores_are_found_by_key_and_condition() -> None:
    world = World()
    store = await world.stores.create_store("people")
    store_id = str(store["storeId"])
    for name, age in (("ada", 36), ("bob", 7), ("Adam", 50)):
        await world.stores.set(store_id, name, {"age": age})

    by_key = await world.stores.find(store_id, "ad")
    by_age = await world.stores.find(store_id, query=[Condition("value.age", "greater", 10)], limit=1)
    changed = await world.stores.set(store_id, "bob", {"age": 8})

    assert sorted(str(each["key"]) for each in by_key) == ["Adam", "ada"]
    assert len(by_age) == 1
    assert changed["oldValue"] == {"age": 7}
    assert await world.stores.remove(store_id, "bob") is True
    assert await world.stores.remove(store_id, "bob") is False
    assert await world.stores.clear(store_id) == 2
    with pytest.raises(CancelError, match="no store 'nowhere'"):
        await world.stores.get("nowhere", "x")


async def test_files_come_back_as_they_were_saved() -> None:
    files = World().files

    info = await files.save("a.csv", b"1,2")

    assert (info.filename, info.size_bytes, info.content_type) == ("a.csv", 3, "text/csv")
    assert await files.load(info.file_id) == b"1,2"
    await files.remove(info.file_id)
    with pytest.raises(CancelError, match="no file"):
        await files.info(info.file_id)
