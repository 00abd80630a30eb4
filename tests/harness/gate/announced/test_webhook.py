"""Webhooks against a local server that answers as it is told: what arrives, how often, and what is never said."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.errors import UserError
from harness.gate.announced import webhook as of
from harness.gate.announced.job_link import job_link
from harness.gate.announced.messages import message
from harness.gate.announced.telling import telling
from harness.gate.announced.webhook import Webhook, post, webhook
from harness.gate.verdict import Verdict
from tests.harness.gate.results import HOSTILE, every, result, row

SECRET = "T0K3N"


class Taken(ThreadingHTTPServer):
    """Takes what is posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, str]]] = []
        """The next ones; 200 after them."""
        self.bodies: list[tuple[str, Any]] = []
        self.hang = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook/{SECRET}"


class Handler(BaseHTTPRequestHandler):
    server: Taken

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.bodies.append((self.path, json.loads(self.rfile.read(length))))
        status, headers = self.server.answers.pop(0) if self.server.answers else (200, {})
        if status == 0:
            self.server.hang.wait(10)
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Taken]:
    monkeypatch.setattr(of, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(of, "MOST_WAIT", 0.05)
    monkeypatch.setattr(of, "TIMEOUT", 0.3)
    with Taken() as taken:
        thread = threading.Thread(target=taken.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield taken
        taken.hang.set()
        taken.shutdown()
        thread.join()


def test_a_message_arrives_once(server: Taken) -> None:
    assert post(webhook(server.address, "json"), {"a": 1}) is None
    assert server.bodies == [(f"/hook/{SECRET}", {"a": 1})]


@pytest.mark.parametrize(
    ("answers", "told", "tries"),
    [
        ([(429, {"Retry-After": "3600"}), (503, {})], None, 3),
        ([(500, {})] * 3, "it answers 500, 3 times", 3),
        ([(429, {"Retry-After": "soon"})] * 3, "it answers 429, 3 times", 3),
        ([(404, {})], "it answers 404", 1),
        ([(0, {})] * 3, "it does not answer within 0.3 s, 3 times", 3),
    ],
)
def test_a_busy_server_is_asked_again_and_no_longer_than_it_takes(
    server: Taken, answers: list[tuple[int, dict[str, str]]], told: str | None, tries: int
) -> None:
    server.answers = list(answers)
    assert post(Webhook(server.address), {}) == told
    assert len(server.bodies) == tries


def test_a_redirect_takes_the_message_nowhere(server: Taken) -> None:
    with Taken() as other:
        thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.answers = [(307, {"Location": other.address})]
        why = post(Webhook(server.address), {})
        other.shutdown()
        thread.join()
    assert why is not None and why.startswith("it answers with a redirect (307)")
    assert other.bodies == [] and SECRET not in why and "127.0.0.1" not in why


def test_what_can_not_be_reached_is_a_sentence_without_the_address(server: Taken) -> None:
    free = f"http://127.0.0.1:1/{SECRET}"
    why = post(Webhook(free), {})
    assert why is not None and "can't be reached" in why and SECRET not in why and "127.0.0.1" not in why
    assert SECRET not in repr(Webhook(free))


@pytest.mark.parametrize(
    "address",
    ["http://example.org/x", "ftp://example.org", "hooks", "https://", "https://a b/x", "http://[::1", "https://h:x/"],
)
def test_an_address_that_is_none_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(UserError) as error:
        webhook(address, "json")
    assert address.rpartition("/")[2] == "" or address not in str(error.value)
    assert error.value.place == "webhook"


def test_https_anywhere_and_http_at_home() -> None:
    for address in ("https://hooks.slack.com/services/x", "http://localhost:8080/x", "http://[::1]:9/x"):
        assert webhook(address, "slack").form == "slack"
    with pytest.raises(UserError, match="webhook_format: is one of json, slack, teams, not 'irc'"):
        webhook("https://example.org/x", "irc")


def test_the_whole_verdict_as_json() -> None:
    told = message(every(), "json", "https://ci.example/1")
    assert told["verdict"] == "fail" and told["exit_code"] == 1 and told["link"] == "https://ci.example/1"
    assert json.loads(json.dumps(told, allow_nan=False))["judged"][0]["verdict"] == "fail"


def test_slack_gets_blocks_that_call_nobody_and_fit() -> None:
    told = message(result(*[row(Verdict.FAIL, HOSTILE, reason=HOSTILE * 20)] * 30), "slack", "https://ci.example/1")
    header, *sections = told["blocks"]
    assert header["type"] == "header" and len(header["text"]["text"]) <= 150
    assert header["text"]["text"].startswith("❌ FAIL: head-run against main-run")
    assert all(len(one["text"]["text"]) <= 3_000 for one in sections) and len(told["blocks"]) <= 50
    assert "<!channel>" not in json.dumps(told) and "&lt;!channel&gt;" in json.dumps(told)
    assert sections[-1]["text"]["text"] == "<https://ci.example/1|The whole report>"


def test_teams_gets_a_card_whose_texts_are_no_markdown() -> None:
    told = message(result(*[row(Verdict.FAIL, HOSTILE, reason=HOSTILE * 20)] * 30), "teams", "https://ci.example/1")
    (attachment,) = told["attachments"]
    card = attachment["content"]
    assert told["type"] == "message" and card["type"] == "AdaptiveCard" and card["version"] == "1.4"
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert card["actions"][0] == {"type": "Action.OpenUrl", "title": "The whole report", "url": "https://ci.example/1"}
    assert len(json.dumps(told).encode()) < 28_000
    assert message(result(row(Verdict.PASS)), "teams")["attachments"][0]["content"].get("actions") is None


def test_a_job_tells_where_it_is() -> None:
    github = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "me/it", "GITHUB_RUN_ID": "7"}
    assert job_link(github) == "https://github.com/me/it/actions/runs/7"
    assert job_link({"CI_JOB_URL": "https://gitlab.example/j/1"}) == "https://gitlab.example/j/1"
    assert job_link({"BUILD_URL": "javascript:alert(1)"}) is None and job_link({}) is None


def test_a_webhook_that_fails_changes_no_verdict_and_is_said(
    server: Taken, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(of.VARIABLE, server.address)
    server.answers = [(410, {})]
    told = telling(webhook=server.address, webhook_format="slack")
    told.tell(result(row(Verdict.PASS)))
    said = caplog.text
    assert "the webhook did not take the verdict, which stands: it answers 410" in said and SECRET not in said
    import os

    assert of.VARIABLE not in os.environ, "what is measured is other people's code"


def test_a_command_that_an_error_ends_tells_it_everywhere(
    server: Taken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.cli.app import app

    monkeypatch.chdir(tmp_path)
    environment = {of.VARIABLE: server.address, "HARNESS_WEBHOOK_FORMAT": "json"}
    words = ["ci", "quickstart", "--base", "gone", "--junit", "j.xml", "--sarif", "s.json", "--json", "v.json"]
    done = CliRunner().invoke(app, [*words, "--markdown", "m.md"], env=environment)
    assert isinstance(done.exception, UserError) and SECRET not in str(done.exception)
    ((_, body),) = server.bodies
    assert body["verdict"] == "usage" and body["reason"] == str(done.exception)
    assert "<error" in Path("j.xml").read_text() and '"usage"' in Path("s.json").read_text()
    assert json.loads(Path("v.json").read_text())["exit_code"] == 2 and Path("m.md").read_text().startswith("## Gate:")
