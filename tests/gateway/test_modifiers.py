"""Modifiers and transforms can be tried before they are used."""

import httpx
import pytest
from headrace_core import Json


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"helperFn": "g_uppercase", "arguments": ["ann"]}, "ANN"),
        ({"helperFn": "g_add", "arguments": [1, 2]}, 3),
        ({"helperFn": "g_join", "arguments": [["a", "b"], "-"]}, "a-b"),
        ({"helperFn": "g_replace", "arguments": ["aXbX", "X", "-"], "hash": {"global": True}}, "a-b-"),
    ],
)
async def test_a_modifier_answers_with_its_result(given: Json, made: Json, user: httpx.AsyncClient) -> None:
    answer = await user.post("/modifiers/test", json=given)

    assert (answer.status_code, answer.json()) == (200, made)


@pytest.mark.parametrize(
    "given",
    [
        {"helperFn": "g_no_such"},
        {"helperFn": "g_first", "arguments": [[]]},
        {"helperFn": "g_add", "arguments": [{}, 1]},
        {"arguments": []},
    ],
)
async def test_a_modifier_that_gives_nothing_is_400(given: Json, user: httpx.AsyncClient) -> None:
    assert (await user.post("/modifiers/test", json=given)).status_code == 400


async def test_code_is_tried_by_administrators_only(user: httpx.AsyncClient) -> None:
    given = {"helperFn": "function (value) { return value; }", "arguments": [1]}

    assert (await user.post("/modifiers/test", json=given)).status_code == 403


async def test_a_transform_makes_content_of_outputs(user: httpx.AsyncClient) -> None:
    variable = {"variable": "$.hook.request.data.name", "functions": [{"name": "g_uppercase"}]}
    entry = {"type": "json2new", "modifiers": {"text": {"v": variable}}, "lambda": {"text": "Hello {{{v}}}"}}

    made = await user.post(
        "/modifiers/transform", json={"transform": entry, "outputs": {"hook": {"request": {"data": {"name": "ann"}}}}}
    )
    wrong = await user.post("/modifiers/transform", json={"transform": {"lambda": 1}})

    assert (made.status_code, made.json()) == (200, {"text": "Hello ANN"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "validation_failed")
