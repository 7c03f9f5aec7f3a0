"""Hostile requests, made from the live routes and a seed: what fits the schema, then bent in one to four places."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, quote_from_bytes

import orjson
from headrace_core import Json
from headrace_gateway.openapi import openapi_document
from headrace_gateway.routes import ROUTES
from headrace_gateway.routing import Route

from .corpus import BYTES, DEPTH, HEADERS, METHODS, PARAMETERS, QUERIES, TEXTS, VALUES

LARGE_BYTES = 2 * 2**20
"""More than any body may have; twice of it teaches nothing more."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One request as ASGI carries it; `role` says whose token it brings."""

    method: str
    raw_path: bytes
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    role: str = ""

    def told(self) -> str:
        """The request in one line, to be looked into."""
        query = f"?{self.query[:200]!r}" if self.query else ""
        return f"{self.method} {self.raw_path[:200]!r}{query} as {self.role} {self.headers!r:.400} {self.body[:400]!r}"


@dataclass(slots=True)
class Gunner:
    """Makes hostile requests; equal seeds and equal ids make equal ones."""

    random: random.Random
    ids: Sequence[str]
    webhooks: Sequence[str]
    roles: Sequence[str]
    _document: dict[str, Any] = field(default_factory=lambda: openapi_document(ROUTES))

    def shot(self) -> Shot:
        """The next request."""
        random = self.random
        shot = self._webhook() if random.random() < 0.08 else self._fitting(random.choice(ROUTES))
        for _ in range(random.choice([0, 1, 1, 1, 2, 2, 3, 4])):
            shot = random.choice(self._bends())(shot)
        return shot

    def _bends(self) -> list[Callable[[Shot], Shot]]:
        return [*[self._body] * 3, self._bytes, *[self._parameter] * 2, self._header, self._path, self._method]

    def _fitting(self, route: Route) -> Shot:
        parts = [self._segment() if part.startswith("{") else part for part in route.path.split("/")]
        query = [(each.name, self._fit(each.schema, 0)) for each in route.parameters if self.random.random() < 0.3]
        body = b""
        if route.request is not None:
            body = orjson.dumps(self._fit(route.request, 0))
        headers = ((b"content-type", route.request_media_type.encode()),) if body else ()
        text = "&".join(f"{name}={quote(str(value))}" for name, value in query)
        return Shot(
            route.method, "/".join(parts).encode(), text.encode(), headers, body, self.random.choice(self.roles)
        )

    def _webhook(self) -> Shot:
        body = orjson.dumps({"name": self.random.choice(TEXTS)})
        headers = ((b"content-type", b"application/json"),)
        return Shot("POST", self.random.choice(self.webhooks).encode(), b"", headers, body, "")

    def _segment(self) -> str:
        if self.random.random() < 0.6:
            return quote(self.random.choice(self.ids), safe="")
        return quote(self.random.choice(TEXTS)[:600], safe="") or "a"

    def _fit(self, schema: Mapping[str, Any], depth: int) -> Json:
        """A value that more or less fits a schema."""
        random = self.random
        if "$ref" in schema:
            schema = self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if depth > DEPTH:
            return None
        if "enum" in schema:
            chosen: Json = random.choice(schema["enum"])
            return chosen
        kinds = schema.get("type", ["string", "object", "array", "number"])
        match random.choice(kinds) if isinstance(kinds, list) else kinds:
            case "object":
                return self._object(schema, depth)
            case "array":
                return [self._fit(schema.get("items", {}), depth + 1) for _ in range(random.choice([0, 1, 1, 2, 5]))]
            case "integer" | "number":
                return random.choice([0, 1, 2, 10, schema.get("maximum", 100), schema.get("minimum", 0)])
            case "boolean":
                return random.random() < 0.5
            case "null":
                return None
        return random.choice([*self.ids, "word", "start", "stop", random.choice(TEXTS)])

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Json]:
        known: Mapping[str, Any] = schema.get("properties", {})
        wanted = [name for name in known if name in schema.get("required", ()) or self.random.random() < 0.5]
        made = {name: self._fit(known[name], depth + 1) for name in wanted}
        if not known:
            made = {
                self.random.choice(TEXTS)[:50]: self._fit({}, depth + 2) for _ in range(self.random.choice([0, 1, 3]))
            }
        return made

    def _body(self, shot: Shot) -> Shot:
        """Change one place of a JSON body."""
        try:
            value = orjson.loads(shot.body or b"{}")
        except orjson.JSONDecodeError:
            return replace(shot, body=b"{}")
        return replace(shot, body=_dumped(self._bent(value, 0))[:LARGE_BYTES])

    def _bent(self, value: Json, depth: int) -> Json:
        random = self.random
        if isinstance(value, dict) and value and depth < DEPTH and random.random() < 0.75:
            name = random.choice(list(value))
            return {**value, name: self._bent(value[name], depth + 1)}
        if isinstance(value, list) and value and depth < DEPTH and random.random() < 0.75:
            place = random.randrange(len(value))
            return [*value[:place], self._bent(value[place], depth + 1), *value[place + 1 :]]
        return random.choice(
            [
                lambda: random.choice(VALUES),
                lambda: random.choice(TEXTS),
                lambda: random.choice(self.ids),
                lambda: _many(value, random.choice([2, 50, 1000])),
                lambda: {random.choice(TEXTS)[:200]: value},
                lambda: _nested(value, random.choice([10, 60, 200])),
            ]
        )()

    def _bytes(self, shot: Shot) -> Shot:
        """Break a body as bytes."""
        body, random = shot.body, self.random
        if not body or random.random() < 0.3:
            return replace(shot, body=random.choice(BYTES))
        place = random.randrange(len(body))
        broken = [body[:place], body[:place] + random.randbytes(3) + body[place + 1 :], body * 2, body + b"\x00"]
        return replace(shot, body=random.choice(broken)[:LARGE_BYTES])

    def _parameter(self, shot: Shot) -> Shot:
        random = self.random
        names = [*PARAMETERS, random.choice(TEXTS)[:50]]
        value = random.choice([*TEXTS, *QUERIES, *self.ids])
        raw = quote(value[:3000]) if random.random() < 0.9 else quote_from_bytes(random.randbytes(6))
        more = f"{quote(random.choice(names))}={raw}".encode() * random.choice([1, 1, 1, 1, 60])
        return replace(shot, query=shot.query + b"&" + more)

    def _header(self, shot: Shot) -> Shot:
        name = self.random.choice(list(HEADERS))
        value = self.random.choice(HEADERS[name])
        others = (
            shot.headers
            if self.random.random() < 0.3
            else tuple(each for each in shot.headers if each[0] != name.encode())
        )
        return replace(shot, headers=(*others, (name.encode(), value)))

    def _path(self, shot: Shot) -> Shot:
        parts = shot.raw_path.decode("latin-1").split("/")
        parts[self.random.randrange(len(parts))] = self._segment()
        path = "/".join(parts)
        return replace(shot, raw_path=(path if path.startswith("/") else "/" + path).encode("latin-1"))

    def _method(self, shot: Shot) -> Shot:
        return replace(shot, method=self.random.choice(METHODS))


def _many(value: Json, times: int) -> Json:
    """The value again and again, as long as it is still near what a body may have."""
    return [value] * max(2, min(times, LARGE_BYTES // len(_dumped(value))))


def _nested(value: Json, depth: int) -> Json:
    for _ in range(depth):
        value = [value]
    return value


def _dumped(value: Json) -> bytes:
    try:
        return orjson.dumps(value)
    except (orjson.JSONEncodeError, TypeError):
        return b"[" * 300
