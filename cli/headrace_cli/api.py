"""The API of a host, as anybody calls it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, NoReturn
from urllib.parse import quote

import httpx

from headrace_cli.failures import Failure, Status

_PAGE = 500
_MAX_ITEMS = 100_000
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_STATUSES = {
    401: Status.NOT_SIGNED_IN,
    403: Status.FORBIDDEN,
    404: Status.NOT_FOUND,
    409: Status.CONFLICT,
    412: Status.CONFLICT,
    429: Status.UNAVAILABLE,
    502: Status.UNAVAILABLE,
    503: Status.UNAVAILABLE,
    504: Status.UNAVAILABLE,
}
_FIXES = {
    Status.NOT_SIGNED_IN: "Sign in: headrace login {url}",
    Status.FORBIDDEN: "Ask an administrator, or sign in as one.",
    Status.CONFLICT: "Look at what it is now, and try again.",
    Status.UNAVAILABLE: "Try again in a moment.",
}


class Api:
    """Calls one host. Whatever it refuses is a Failure with the status that the command ends with."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        headers = {"User-Agent": "headrace-cli", **({"Authorization": f"Bearer {token}"} if token else {})}
        try:
            self._client = httpx.Client(base_url=self.url, headers=headers, timeout=_TIMEOUT)
        except (httpx.InvalidURL, ValueError) as error:
            raise Failure(Status.USAGE, f"{url!r} is no URL: {error}", "Write https://host:port.") from None

    def __enter__(self) -> Api:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """The answer to one request. Raises Failure."""
        try:
            answer = self._client.request(
                method, path, json=body, params=params or None, headers=headers, content=content
            )
        except httpx.HTTPError as error:
            self._out_of_reach(error)
        if answer.status_code >= 400:
            raise self._refusal(answer)
        return answer

    def get(self, path: str, **params: str) -> Any:
        return self.call("GET", path, params=params).json()

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, {} if body is None else body).json()

    def pages(self, path: str, **params: str) -> Iterator[Any]:
        """All items of a list that is read by pages."""
        for offset in range(0, _MAX_ITEMS, _PAGE):
            page = self.get(path, **params, offset=str(offset), limit=str(_PAGE))
            items = page["items"] if isinstance(page, dict) else page
            yield from items
            if len(items) < _PAGE:
                return

    def events(self, path: str) -> Iterator[tuple[str, str]]:
        """Name and data of each server-sent event, until the host ends the stream. Raises Failure."""
        try:
            with self._client.stream("GET", path, timeout=httpx.Timeout(5.0, read=60.0)) as answer:
                if answer.status_code >= 400:
                    answer.read()
                    raise self._refusal(answer)
                name = ""
                for line in answer.iter_lines():
                    if line.startswith("event:"):
                        name = line[6:].strip()
                    elif line.startswith("data:"):
                        yield name, line[5:].strip()
        except httpx.HTTPError as error:
            self._out_of_reach(error)

    def until(self, path: str, is_over: Any, within_seconds: float) -> Any:
        """What a place answers once it is over. Raises Failure when it is not in time."""
        deadline, pause = time.monotonic() + within_seconds, 0.05
        while True:
            found = self.get(path)
            if is_over(found):
                return found
            if time.monotonic() > deadline:
                said = f"{path} is not over after {within_seconds:g} s; it goes on by itself."
                raise Failure(Status.UNAVAILABLE, said, "Look again later, or allow more with --timeout.")
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    def _out_of_reach(self, error: httpx.HTTPError) -> NoReturn:
        said = f"{self.url} does not answer: {error or type(error).__name__}"
        raise Failure(Status.UNAVAILABLE, said, "Is it running (headrace up), and is the URL right?") from None

    def _refusal(self, answer: httpx.Response) -> Failure:
        try:
            told = answer.json()
        except ValueError:
            told = {}
        told = told if isinstance(told, dict) else {}
        status = _STATUSES.get(answer.status_code, Status.FAILED)
        message = str(told.get("message") or f"{self.url} answered {answer.status_code}.")
        problems = tuple(_problem(each) for each in told.get("problems") or () if isinstance(each, dict))
        return Failure(status, message, _FIXES.get(status, "").format(url=self.url), problems)


def part(text: str) -> str:
    """A name or id as one part of a path."""
    return quote(text, safe="")


def _problem(told: Mapping[str, Any]) -> str:
    """One finding in a line."""
    where = ".".join(str(told[key]) for key in ("node", "field") if told.get(key)) or str(told.get("where") or "")
    return " ".join(str(each) for each in (f"{where}:" if where else "", told.get("message"), told.get("fix")) if each)
