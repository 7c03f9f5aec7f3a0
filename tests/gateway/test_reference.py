"""The API reference is made from the routes, so it names all of them and nothing else."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from headrace_cli.main import app as cli
from headrace_gateway.openapi import openapi_document, operation_id
from headrace_gateway.routes import ROUTES
from headrace_gateway.routing import Policy, Route
from headrace_gateway.schemas import PROJECTION
from openapi_spec_validator import OpenAPIV31SpecValidator

Document = dict[str, Any]
STATUS = re.compile(r"[1-5]\d\d\Z|default\Z")


@pytest.fixture(scope="module")
def document() -> Document:
    return openapi_document(ROUTES)


def test_every_route_is_an_operation(document: Document) -> None:
    webhook = document["paths"]["/flows/{flowId}/components/{componentId}"]
    named = {(method, path) for path, operations in document["paths"].items() for method in operations}
    expected = {(route.method.lower(), route.path) for route in ROUTES}

    assert named - expected == {(method, "/flows/{flowId}/components/{componentId}") for method in webhook}
    assert expected <= named


def test_operations_have_unique_ids(document: Document) -> None:
    ids = [each["operationId"] for operations in document["paths"].values() for each in operations.values()]

    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z0-9_A-Z]+", each) for each in ids)


def test_the_document_has_the_structure_of_openapi(document: Document) -> None:
    assert document["openapi"] == "3.1.0"
    assert {"title", "version"} <= set(document["info"])
    for path, operations in document["paths"].items():
        in_path = set(re.findall(r"{(\w+)}", path))
        for operation in operations.values():
            declared = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert declared == in_path
            assert all(each["in"] in {"path", "query", "header"} for each in operation["parameters"])
            assert operation["responses"]
            assert all(STATUS.match(status) for status in operation["responses"])
            assert all("description" in each or "$ref" in each for each in operation["responses"].values())
            for body in [operation.get("requestBody")]:
                assert body is None or body["content"]


def test_the_document_is_valid_openapi(document: Document) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_reference_leads_somewhere(document: Document) -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from [inner] if name == "$ref" else references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    for reference in references(document):
        place = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


@pytest.mark.parametrize("route", [each for each in ROUTES if PROJECTION in each.parameters], ids=operation_id)
def test_an_answer_whose_fields_the_caller_chooses_promises_none(route: Route, document: Document) -> None:
    schema = document["paths"][route.path][route.method.lower()]["responses"]["200"]["content"]["application/json"]
    shown = schema["schema"].get("items", schema["schema"])
    while "$ref" in shown:
        shown = document["components"]["schemas"][shown["$ref"].rpartition("/")[2]]

    assert shown["properties"]
    assert not shown.get("required")


@pytest.mark.parametrize("route", ROUTES, ids=operation_id)
def test_security_is_what_the_policy_says(route: Route, document: Document) -> None:
    operation = document["paths"][route.path][route.method.lower()]

    assert (operation["security"] == []) == (route.policy is Policy.PUBLIC)
    assert route.policy.value in operation["description"]


async def test_the_document_is_served(nobody: httpx.AsyncClient, document: Document) -> None:
    answer = await nobody.get("/openapi.json")

    assert answer.json() == document


async def test_the_page_names_every_route_and_runs_nothing(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.get("/docs/api")

    for route in ROUTES:
        assert f'id="{operation_id(route)}"' in answer.text
    assert "<script" not in answer.text
    assert not re.search(r'(src|href)="(https?:)?//', answer.text)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_the_landing_page_names_no_command_that_is_not_there(nobody: httpx.AsyncClient) -> None:
    page = (await nobody.get("/", headers={"Accept": "text/html"})).text

    commands = {command.name or command.callback.__name__ for command in cli.registered_commands if command.callback}
    assert commands >= {"up"}
    assert set(re.findall(r"<code>headrace (\w+)", page)) <= commands


async def test_pages_have_colours_of_their_own_for_the_dark(nobody: httpx.AsyncClient) -> None:
    for path in ("/", "/docs/api"):
        page = (await nobody.get(path, headers={"Accept": "text/html"})).text
        dark = page.partition("@media (prefers-color-scheme: dark)")[2]
        assert "--accent" in dark and "--dim" in dark
