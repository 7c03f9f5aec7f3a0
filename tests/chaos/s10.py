"""S10: tokens that nobody gave and answers of services that belong to somebody else open nothing.

`python -m tests.chaos.s10 --level ci|nightly [--mutant any_state]` from the root of the repository. On the embedded
platform: a user's token with one character changed each time, cut, lengthened and in the wrong place, and tokens of the
kinds that others were fooled with. Then connections of OAuth 2, whose state comes back changed, from another
connection, at another service or browser, and a second time: nothing of it is exchanged, and the right answer is, once.
Last, runs that all need a token that has ended: one new one is asked for.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.api.conftest import open_people
from tests.api.connector import VENDOR
from tests.api.people import People, until
from tests.api.test_account_tokens import runs_in, send, working
from tests.api.test_accounts import begin, browser, enter, ready
from tests.chaos.confined import Verdict
from tests.chaos.served import served_folder
from tests.chaos.verdict import command, play
from tests.provider import Provider, provider

REFUSED = (400, 401, 431)
SPENT = 401


@dataclass(frozen=True, slots=True)
class Level:
    """How many changed tokens and states are tried, and how many runs need a new token at once."""

    tokens: int
    states: int
    runs: int


LEVELS = {"short": Level(20, 10, 10), "ci": Level(300, 200, 50), "nightly": Level(3_000, 1_000, 150)}


async def run(folder: Path, level: Level, seed: int, mutant: str = "") -> Verdict:
    verdict, drawn = Verdict("S10"), random.Random(seed)
    async with open_people(folder, HEADRACE_CHAOS_MUTANT=mutant) as people, provider() as service:
        await _tokens(people, level, drawn, verdict)
        await ready(people, service, "oauth")
        await _states(people, service, level, drawn, verdict)
        await _renewals(people, service, level, verdict)
    return verdict


# Tokens.


async def _tokens(people: People, level: Level, drawn: random.Random, verdict: Verdict) -> None:
    token = people.ann.headers["Authorization"].removeprefix("Bearer ")
    user = (await people.ann.get("/user")).json()
    forged = [*_changed(token, level.tokens, drawn), *_forged(user["id"], user["email"])]
    async with httpx.AsyncClient(base_url=people.ann.base_url, timeout=20) as stranger:
        for what, headers, query in [
            *((f"token {each[:60]!r}", {"Authorization": f"Bearer {each}"}, {}) for each in forged),
            ("the token as a password", {"Authorization": _basic(token)}, {}),
            ("a scheme without a token", {"Authorization": "Bearer"}, {}),
            ("the token without its scheme", {"Authorization": token}, {}),
            ("the token in a cookie", {"Cookie": f"token={token}; session={token}"}, {}),
            ("the token in the query", {}, {"token": token, "access_token": token}),
            ("a header of a proxy", {"X-User-Id": user["id"], "X-Forwarded-User": user["email"]}, {}),
        ]:
            answer = await stranger.get("/user", headers=headers, params=query)
            if answer.status_code not in REFUSED:
                verdict.wrong.append(f"{what} was answered {answer.status_code}")
    if (await people.ann.get("/user")).status_code != 200:
        verdict.wrong.append("the right token opens nothing any more")
    verdict.told["tokens"] = len(forged) + 6


def _changed(token: str, count: int, drawn: random.Random) -> Iterator[str]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for _ in range(count):
        place = drawn.randrange(len(token))
        yield token[:place] + drawn.choice(letters.replace(token[place], "")) + token[place + 1 :]
    yield from (token[:-1], token[1:], f"{token}A", f"{token}.", token.swapcase(), f"{token} {token}", "null")


def _forged(user_id: str, email: str) -> Iterator[str]:
    """Tokens in the form that others sign, with what they were fooled with."""
    claims = {"sub": user_id, "id": user_id, "username": email, "scope": ["admin"], "exp": 4_000_000_000}
    for algorithm in ("none", "None", "nOnE", ""):
        yield _jwt({"alg": algorithm, "typ": "JWT"}, claims, b"")
    for key in (b"", b"secret", b"headrace", b"changeme", user_id.encode()):
        yield _jwt(
            {"alg": "HS256", "typ": "JWT"}, claims, hmac.digest(key, _unsigned({"alg": "HS256"}, claims), "sha256")
        )
    for more in (
        {"kid": "/dev/null"},
        {"jku": "http://127.0.0.1/keys"},
        {"crit": ["exp"]},
        {"x5u": "file:///dev/null"},
    ):
        yield _jwt({"alg": "HS256", **more}, claims, hmac.digest(b"", b"", hashlib.sha256))
    yield "A" * 6_000


def _jwt(head: dict[str, object], claims: dict[str, object], signature: bytes) -> str:
    return _unsigned(head, claims).decode() + "." + base64.urlsafe_b64encode(signature).decode().rstrip("=")


def _unsigned(head: dict[str, object], claims: dict[str, object]) -> bytes:
    parts = (base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in (head, claims))
    return b".".join(parts)


def _basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"{token}:{token}".encode()).decode()


# States.


async def _states(people: People, service: Provider, level: Level, drawn: random.Random, verdict: Verdict) -> None:
    ticket, url = await begin(people.ann, f"{VENDOR}:oauth")
    _, other_url = await begin(people.bob, f"{VENDOR}:oauth")
    async with browser(people) as visitor, browser(people) as thief:
        there = await enter(visitor, url)
        if "code_challenge_method=S256" not in there:
            verdict.wrong.append("a connection goes without PKCE")
        back = str((await visitor.get(there)).headers["location"])
        others = str((await thief.get(await enter(thief, other_url))).headers["location"])
        path, query = urlsplit(back).path, parse_qs(urlsplit(back).query)
        state, code = query["state"][0], query["code"][0]
        theirs = parse_qs(urlsplit(others).query)["state"][0]
        tried = [(visitor, path, {"code": code, "state": each}) for each in _changed(state, level.states, drawn)]
        tried += [
            (visitor, path, {"code": code}),
            (visitor, path, {"code": code, "state": theirs}),
            (visitor, path, {"code": code, "state": f"{ticket}~{theirs.rpartition('~')[2]}"}),
            (visitor, path.replace("oauth", "key"), {"code": code, "state": state}),
            (thief, path, {"code": code, "state": state}),
        ]
        for who, where, sent in tried:
            answer = await who.get(where, params=sent)
            if answer.status_code != SPENT:
                verdict.wrong.append(f"the state {sent.get('state', '')[-30:]!r} was answered {answer.status_code}")
        if service.asked["token authorization_code"]:
            verdict.wrong.append(f"{service.asked['token authorization_code']} codes were exchanged for nobody")
        accepted, spent = await visitor.get(back), await visitor.get(back)
    if "appmixer.auth.success" not in accepted.text or spent.status_code != SPENT:
        verdict.wrong.append(f"the right answer: {accepted.status_code}, and again: {spent.status_code}")
    if service.asked["token authorization_code"] != 1:
        verdict.wrong.append(f"{service.asked['token authorization_code']} codes were exchanged in the end")
    verdict.told["states"] = len(tried)


# Renewals.


async def _renewals(people: People, service: Provider, level: Level, verdict: Verdict) -> None:
    flow_id, _ = await working(people, service)
    service.worked.clear()
    service.asked.clear()
    service.expire()
    await asyncio.gather(*(send(people.ann, flow_id, number) for number in range(level.runs)))
    await until(
        lambda: people.ann.get("/runs", params={"flowId": flow_id}), lambda page: page["totalCount"] == level.runs
    )
    await runs_in(people.ann, flow_id, "done", level.runs)
    renewed = service.asked["token refresh_token"]
    if renewed != 1:
        verdict.wrong.append(f"{level.runs} runs asked {renewed} times for a new token")
    if sorted(map(int, service.worked)) != list(range(level.runs)):
        verdict.wrong.append(f"of {level.runs} calls {len(service.worked)} arrived")
    verdict.told |= {"runs": level.runs, "renewed": renewed}


def main() -> int:
    chosen = command(__doc__, LEVELS, "any_state").parse_args()
    level = LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder:
        return play(chosen, [level], lambda: asyncio.run(run(folder, level, chosen.seed, chosen.mutant)))


if __name__ == "__main__":
    sys.exit(main())
