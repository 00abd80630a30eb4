"""Events as GitHub's docs describe their files, as far as anything here reads them, and a scripted API."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

OURS, FORK = "owner/project", "stranger/project"
SHA = "a" * 40
RUN = 4711
BOT = "github-actions[bot]"
MARKER = "<!-- harness-comment:gate -->"
IDS = {OURS: 1, FORK: 2}


def repository(name: str) -> dict[str, Any]:
    owner, _, short = name.partition("/")
    return {"id": IDS[name], "full_name": name, "name": short, "owner": {"login": owner}}


def pull(number: int = 7, head: str = OURS, branch: str = "change", sha: str = SHA) -> dict[str, Any]:
    """A pull request of the REST API and of the event `pull_request`."""
    return {
        "number": number,
        "state": "open",
        "head": {"ref": branch, "sha": sha, "repo": repository(head), "label": f"{head.partition('/')[0]}:{branch}"},
        "base": {"ref": "main", "sha": "b" * 40, "repo": repository(OURS)},
    }


def pull_request(head: str = OURS) -> dict[str, Any]:
    return {"action": "synchronize", "number": 7, "pull_request": pull(head=head), "repository": repository(OURS)}


def workflow_run(head: str = OURS, **more: Any) -> dict[str, Any]:
    """The event of a run that ended. Of a fork's, `pull_requests` is empty."""
    short = {
        "id": 70,
        "number": 7,
        "head": {"ref": "change", "sha": SHA, "repo": {"id": IDS[OURS], "name": "project"}},
        "base": {"ref": "main", "sha": "b" * 40, "repo": {"id": IDS[OURS], "name": "project"}},
    }
    run = {
        "id": RUN,
        "name": "gate",
        "event": "pull_request",
        "status": "completed",
        "conclusion": "success",
        "head_branch": "change",
        "head_sha": SHA,
        "html_url": f"https://github.com/{OURS}/actions/runs/{RUN}",
        "pull_requests": [short] if head == OURS else [],
        "repository": repository(OURS),
        "head_repository": repository(head),
    }
    return {"action": "completed", "workflow_run": run | more, "repository": repository(OURS)}


def push(before: str = "c" * 40) -> dict[str, Any]:
    return {"ref": "refs/heads/main", "before": before, "after": SHA, "repository": repository(OURS)}


def issue_comment() -> dict[str, Any]:
    return {"action": "created", "issue": {"number": 7, "pull_request": {}}, "comment": {"body": "/gate"}}


def archive(verdict: Any, name: str = "verdict.json") -> bytes:
    """The artifact that a run uploaded."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, verdict if isinstance(verdict, bytes | str) else json.dumps(verdict))
    return content.getvalue()


LOST: dict[str, Any] = {
    **{"verdict": "fail", "reason": "bits_per_byte: +3 %", "metric": "bits_per_byte", "kind": "loss"},
    **{"at": {"model": "nano", "precision": "int8"}, "base": 1.0, "head": 1.03, "margin": 0.01, "unit": None},
    "worse_by": {"value": 0.03, "low": 0.02, "high": 0.04, "n": 60},
}
VERDICT: dict[str, Any] = {
    "verdict": "fail",
    "exit_code": 1,
    "reason": "1 of 2: bits_per_byte (nano): +3 %",
    "base": "origin/main (bbbbbbbbbb)",
    "head": "the working folder (aaaaaaaaaa)",
    "alpha": 0.01,
    "judged": [
        {
            **{"verdict": "pass", "reason": "not slower", "metric": "time", "kind": "time", "unit": "ms"},
            **{"at": {"call": "softmax"}, "base": 0.4, "head": 0.1, "margin": 0.05},
            "worse_by": {"value": -0.77, "low": -0.78, "high": -0.76, "n": 8},
        },
        LOST,
    ],
    "watched": [{"metric": "accuracy", "stands_out": True}, {"metric": "loss", "stands_out": False}],
    "changes": ["torch: 2.12.0 and 2.13.0"],
    "notes": [],
}
Answer = tuple[int, dict[str, str], Any]


class GitHub(ThreadingHTTPServer):
    """The API as far as it is used: one pull request with its comments, one run with an artifact."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.comments: list[dict[str, Any]] = []
        self.pulls: list[dict[str, Any]] = [pull()]
        self.artifact: bytes | None = archive(VERDICT)
        self.size: int | None = None
        self.asked: list[str] = []
        self.scripted: list[Callable[[str, str], Answer | None]] = []
        """Each is asked first; once it answers it is used up."""
        self.tokens: list[str | None] = []
        """Of requests for the file itself."""
        self.done = threading.Event()
        self._next = 1_000

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def comment(self, body: str, user: str = BOT) -> dict[str, Any]:
        self._next += 1
        one = {"id": self._next, "body": body, "user": {"login": user, "type": "Bot"}}
        self.comments.append(one)
        return one

    def script(self, method: str, path: str, *answers: Answer) -> None:
        """The next answers to a request whose path begins so."""

        def of(answer: Answer) -> Callable[[str, str], Answer | None]:
            return lambda asked, at: answer if asked == method and at.startswith(path) else None

        self.scripted += [of(answer) for answer in answers]

    def answer(self, method: str, address: str, body: Any) -> Answer:
        parts = urlsplit(address)
        path, query = parts.path, parse_qs(parts.query)
        self.asked.append(f"{method} {path}")
        for one in list(self.scripted):
            if (found := one(method, path)) is not None:
                self.scripted.remove(one)
                return found
        page = int(query.get("page", ["1"])[0])
        of_page = slice(100 * (page - 1), 100 * page)
        if path == f"/repos/{OURS}/issues/7/comments":
            if method == "POST":
                return 201, {}, self.comment(body["body"])
            return 200, {}, self.comments[of_page]
        if path.startswith(f"/repos/{OURS}/issues/comments/"):
            return self._one_comment(method, int(path.rpartition("/")[2]), body)
        if path == f"/repos/{OURS}/pulls":
            able = [one for one in self.pulls if query.get("head", [one["head"]["label"]])[0] == one["head"]["label"]]
            return 200, {}, able[of_page]
        if path == f"/repos/{OURS}/actions/runs/{RUN}/artifacts":
            size = len(self.artifact or b"") if self.size is None else self.size
            found = {"id": 55, "name": query["name"][0], "expired": False, "size_in_bytes": size}
            return 200, {}, {"artifacts": [] if self.artifact is None else [found]}
        if path == f"/repos/{OURS}/actions/artifacts/55/zip":
            return 302, {"Location": f"{self.address}/storage/55"}, None
        if path == "/storage/55":
            return 200, {}, self.artifact
        return 404, {}, {"message": "Not Found"}

    def _one_comment(self, method: str, number: int, body: Any) -> Answer:
        mine = [one for one in self.comments if one["id"] == number]
        if not mine:
            return 404, {}, {"message": "Not Found"}
        if method == "DELETE":
            self.comments.remove(mine[0])
            return 204, {}, None
        mine[0].update(body)
        return 200, {}, mine[0]


class _Handler(BaseHTTPRequestHandler):
    server: GitHub

    def _do(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        if self.path.startswith("/storage"):
            self.server.tokens.append(self.headers.get("Authorization"))
        status, headers, data = self.server.answer(self.command, self.path, body)
        if status == 0:  # says nothing
            self.server.done.wait(10)
            return
        content = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _do  # noqa: N815

    def log_message(self, *words: object) -> None:
        """Nothing is logged."""
