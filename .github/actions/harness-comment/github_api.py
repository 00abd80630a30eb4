"""GitHub's REST API by the standard library alone: a few requests, none of which hangs or is asked for ever.

Busy answers are asked again: 429, 403 with a rate limit, and 5xx. What can't be had is one sentence (`ApiError`).
Redirects are not followed: the token would go with them.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import urlsplit

AT_HOME = ("localhost", "127.0.0.1", "::1")
MOST_BYTES = 8 << 20
"""Of one answer: a page of 100 comments has 6.5 MB at most."""


class ApiError(Exception):
    """What GitHub did not do, as a sentence; `status` is 0 where it did not answer."""

    def __init__(self, sentence: str, status: int = 0, *, wait: float | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.wait = wait
        """Seconds after which it may be another answer; None where it stays."""


class Answer(NamedTuple):
    """An answer of the API."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def data(self) -> Any:
        """The body as JSON. Raises ApiError."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise ApiError("GitHub's answer is no JSON", self.status) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


class Api:
    """The API at one address, with one token and a time in which all has to be done."""

    def __init__(
        self, address: str, token: str, *, timeout: float = 20.0, in_all: float = 180.0, first_wait: float = 1.0
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme != "https" and parts.hostname not in AT_HOME:
            raise ApiError("GITHUB_API_URL has to begin with https://")
        self.address, self._token = address.rstrip("/"), token
        self._timeout, self._ends, self._first_wait = timeout, time.monotonic() + in_all, first_wait

    def get(self, path: str) -> Answer:
        """Read what is at `path`. Raises ApiError."""
        return self.ask("GET", path)

    def pages(self, path: str, most: int = 100) -> list[Any]:
        """All entries of a list, a hundred a page. Raises ApiError."""
        found: list[Any] = []
        for number in range(1, most + 1):
            entries = self.get(f"{path}{'&' if '?' in path else '?'}per_page=100&page={number}").data
            if not isinstance(entries, list):
                raise ApiError("GitHub's answer is no list")
            found += entries
            if len(entries) < 100:
                return found
        raise ApiError(f"there are more than {100 * most:,} entries")

    def ask(self, method: str, path: str, body: Any = None, *, again: bool = True) -> Answer:
        """One request, again where the server is busy. again: False tries once, for what must not be done twice.
        Raises ApiError."""
        content = None if body is None else json.dumps(body).encode()
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self._token}",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "harness-comment",
        }
        request = urllib.request.Request(self.address + path, content, headers, method=method)
        return self._sent(request, MOST_BYTES, 4 if again else 1)

    def fetch(self, path: str, most: int) -> bytes:
        """The file that `path` redirects to, without the token. most: its bytes. Raises ApiError."""
        answer = self.ask("GET", path)
        if answer.status != 302:
            raise ApiError("GitHub does not say where the artifact is", answer.status)
        address = answer.headers.get("location", "")
        parts = urlsplit(address)
        here = parts.hostname in AT_HOME and urlsplit(self.address).hostname in AT_HOME
        if parts.scheme != "https" and not here:
            raise ApiError("the artifact is at an address without https")
        return self._sent(urllib.request.Request(address), most, 4).body

    def _sent(self, request: urllib.request.Request, most: int, tries: int) -> Answer:
        for number in range(tries):
            try:
                return _answer(request, min(self._timeout, self._left()), most)
            except ApiError as error:
                if error.wait is None:
                    raise
                error.wait = max(error.wait, self._first_wait * 2**number)
                if number + 1 == tries or error.wait > self._left():
                    raise
                time.sleep(error.wait)
        raise AssertionError

    def wait(self, error: ApiError) -> None:
        """Wait as long as an answer asks. Raises the error where that is too long, or no use."""
        if error.wait is None or error.wait > self._left():
            raise error
        time.sleep(error.wait)

    def _left(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise ApiError("GitHub took too long")
        return left


def _answer(request: urllib.request.Request, timeout: float, most: int) -> Answer:
    """One answer. Raises ApiError."""
    try:
        with _OPENER.open(request, timeout=timeout) as response:
            body = response.read(most + 1)
            if len(body) > most:
                raise ApiError(f"an answer has more than {most:,} bytes", response.status)
            return Answer(response.status, _headers(response.headers), body)
    except urllib.error.HTTPError as error:
        with error:
            headers, body = _headers(error.headers), error.read(100_000)
        if error.code == 302:
            return Answer(302, headers, b"")
        raise _refusal(error.code, headers, body) from None
    except (TimeoutError, urllib.error.URLError, http.client.HTTPException, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        slow = isinstance(reason, TimeoutError)
        why = "GitHub does not answer in time" if slow else f"GitHub can't be reached ({type(reason).__name__})"
        raise ApiError(why, wait=0.0) from None


def _headers(found: Any) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in found.items()}


def _refusal(status: int, headers: dict[str, str], body: bytes) -> ApiError:
    said = _said(body)
    limited = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0" or "rate limit" in said.lower()
    if status == 429 or (status == 403 and limited):
        return ApiError(f"GitHub's rate limit is reached ({status})", status, wait=_wait(headers))
    if status >= 500:
        return ApiError(f"GitHub fails with {status}", status, wait=_wait(headers))
    told = f" ({said})" if said else ""
    if status == 401:
        return ApiError(f"GitHub does not take the token{told}", status)
    if status == 403:
        return ApiError(
            f"the token may not do this{told}: the job needs `permissions:` with `actions: read` and "
            "`pull-requests: write`",
            status,
        )
    if status in (404, 410):
        return ApiError(f"GitHub has no such thing, or the token may not see it{told}", status)
    if status == 422:
        return ApiError(f"GitHub refuses what was sent{told}", status)
    return ApiError(f"GitHub answers {status}{told}", status)


def _wait(headers: dict[str, str]) -> float:
    """Seconds that the server asks to wait; 0 where it says nothing."""
    for name, since in (("retry-after", 0.0), ("x-ratelimit-reset", time.time())):
        if name == "x-ratelimit-reset" and headers.get("x-ratelimit-remaining") != "0":
            continue
        try:
            return max(0.0, float(headers[name]) - since)
        except (KeyError, ValueError):
            continue
    return 0.0


def _said(body: bytes) -> str:
    try:
        message = json.loads(body).get("message", "")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return " ".join(str(message).split())[:200]
