"""The comment on a pull request: which one, how often, what it says, and what a hostile artifact can't do."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.recipes import events
from tests.recipes.events import BOT, FORK, LOST, MARKER, OURS, SHA, VERDICT, GitHub, archive

FOLDER = Path(__file__).parents[2] / ".github/actions/harness-comment"
HOSTILE = (
    "x|y](http://evil.example) <img src=x onerror=alert(1)> @everyone #1 GH-2 www.evil.example `a` <!-- -->"
    "\n## Gate: PASS \u202e"
)
COMMENTS = f"/repos/{OURS}/issues/7/comments"


@pytest.fixture(scope="module")
def comment() -> Iterator[ModuleType]:
    """The action's script, imported as it is run: with its folder first on the path."""
    spec = importlib.util.spec_from_file_location("comment", FOLDER / "comment.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = [entry for entry in sys.path if entry != str(FOLDER)]
    for name in ("comment", "comment_text", "github_api", "verdict"):
        sys.modules.pop(name, None)


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.done.set()
        server.shutdown()
        thread.join()


class Job:
    """A job that runs the script."""

    def __init__(self, comment: ModuleType, github: GitHub, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.comment, self.github, self.folder, self.capsys = comment, github, folder, capsys

    def run(self, name: str, event: Any, *, timeout: float = 5.0, **more: str) -> tuple[int, str]:
        """Exit code, and what was printed."""
        (self.folder / "event.json").write_text(json.dumps(event))
        environment = {
            **{"GITHUB_API_URL": self.github.address, "GITHUB_SERVER_URL": "https://github.com"},
            **{"GITHUB_REPOSITORY": OURS, "GITHUB_TOKEN": "t0ken", "GITHUB_RUN_ID": str(events.RUN)},
            **{"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(self.folder / "event.json")},
        }
        code = self.comment.main(environment | more, timeout=timeout, in_all=20.0, first_wait=0.01)
        said = self.capsys.readouterr().out
        assert "t0ken" not in said
        return code, said

    def told(self, artifact: Any) -> str:
        """The comment of a run with this artifact."""
        self.github.artifact = artifact if isinstance(artifact, bytes) else archive(artifact)
        code, said = self.run("workflow_run", events.workflow_run(conclusion="failure"))
        assert code == 0, said
        (one,) = self.github.comments
        body: str = one["body"]
        assert len(body) <= 65_536
        return body


@pytest.fixture
def job(comment: ModuleType, github: GitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Job:
    return Job(comment, github, tmp_path, capsys)


# --- which pull request ----------------------------------------------------------------------------------------------


def test_a_run_of_the_same_repository_is_told_where_its_event_says(job: Job) -> None:
    code, said = job.run("workflow_run", events.workflow_run())
    assert code == 0 and said == "the comment on #7 was made\n"
    (one,) = job.github.comments
    assert one["body"].startswith(f"{MARKER}\n## ❌ Gate: FAIL\n")
    assert not any("/pulls" in path for path in job.github.asked)
    assert job.github.tokens == [None], "the token does not go where the file lies"


def test_a_run_of_a_fork_is_looked_up_by_repository_branch_and_commit(job: Job) -> None:
    others = [events.pull(5, FORK, "other"), events.pull(6, OURS), events.pull(8, FORK, sha="d" * 40)]
    job.github.pulls = [*others, events.pull(7, FORK)]
    code, said = job.run("workflow_run", events.workflow_run(FORK))
    assert code == 0 and "#7 was made" in said


def test_the_artifact_does_not_say_which_pull_request(job: Job) -> None:
    job.github.artifact = archive(VERDICT | {"number": 1, "pull_request": 1, "issue": 1})
    job.run("workflow_run", events.workflow_run())
    assert all("/issues/7/" in path for path in job.github.asked if "/issues/" in path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"pull_requests": [], "head_sha": "e" * 40}, "no open pull request has eeeeeeeeee as its newest commit"),
        ({"pull_requests": [], "head_repository": None}, "the fork or its branch is gone"),
        ({"event": "push"}, "made by `push`, which has no pull request"),
    ],
)
def test_a_run_without_a_pull_request_is_nothing_to_tell(job: Job, change: dict[str, Any], told: str) -> None:
    code, said = job.run("workflow_run", events.workflow_run(**change))
    assert code == 0 and said.startswith("::notice title=gate::") and told in said and not job.github.comments


def test_pull_requests_of_other_repositories_in_the_event_are_not_ours(job: Job) -> None:
    event = events.workflow_run()
    event["workflow_run"]["pull_requests"][0]["base"]["repo"]["id"] = 99
    job.github.pulls = []
    assert job.run("workflow_run", event)[0] == 0 and not job.github.comments


def test_two_pull_requests_of_one_commit_are_not_guessed_at(job: Job) -> None:
    job.github.pulls = [events.pull(7, FORK), events.pull(8, FORK)]
    code, said = job.run("workflow_run", events.workflow_run(FORK))
    assert code == 0 and "#7, #8 have the same branch and commit" in said and not job.github.comments


def test_a_job_behind_the_gate_of_the_same_repository(job: Job) -> None:
    assert job.run("pull_request", events.pull_request())[0] == 0
    assert f"https://github.com/{OURS}/actions/runs/{events.RUN}" in job.github.comments[0]["body"]
    code, said = job.run("pull_request", events.pull_request(FORK))
    assert code == 0 and "of a fork, whose token may not write" in said and len(job.github.comments) == 1


@pytest.mark.parametrize(
    ("name", "event", "code", "told"),
    [
        ("push", events.push(), 0, "`push` has no pull request to tell"),
        ("schedule", {}, 0, "`schedule` has no pull request"),
        ("issue_comment", events.issue_comment(), 2, "`issue_comment` is no event that this answers"),
        ("pull_request_target", events.pull_request(), 2, "no event that this answers"),
        ("workflow_run", {}, 2, "the event `workflow_run` lacks what GitHub documents of it"),
        ("workflow_run", {"workflow_run": 5}, 2, "lacks what GitHub documents"),
        ("workflow_run", events.workflow_run(head_sha="main; rm -rf /"), 2, "lacks what GitHub documents"),
        ("workflow_run", events.workflow_run(html_url="https://evil.example/x"), 2, "lacks what GitHub documents"),
        ("workflow_run", [], 2, "GITHUB_EVENT_PATH is no event"),
    ],
)
def test_events(job: Job, name: str, event: Any, code: int, told: str) -> None:
    found, said = job.run(name, event)
    assert found == code and told in said and said.count("\n") == 1 and not job.github.comments


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"GITHUB_TOKEN": " "}, "there is no token"),
        ({"GITHUB_REPOSITORY": "a/b/../c"}, "GITHUB_REPOSITORY is no repository"),
        ({"GITHUB_REPOSITORY": "x"}, "GITHUB_REPOSITORY is no repository"),
        ({"GITHUB_EVENT_PATH": "/gone"}, "GITHUB_EVENT_PATH is no event that can be read (FileNotFoundError)"),
        ({"INPUT_NAME": "-->"}, "the name of a comment has letters"),
        ({"GITHUB_API_URL": "http://example.org"}, "GITHUB_API_URL has to begin with https://"),
    ],
)
def test_what_is_missing_is_one_sentence(job: Job, more: dict[str, str], told: str) -> None:
    code, said = job.run("workflow_run", events.workflow_run(), **more)
    assert code == 2 and told in said and not job.github.comments


# --- one comment -----------------------------------------------------------------------------------------------------


def test_a_second_run_updates_the_comment_behind_many_pages(job: Job) -> None:
    for number in range(150):
        job.github.comment(f"comment {number}", "someone")
    assert job.run("workflow_run", events.workflow_run())[0] == 0
    job.github.artifact = archive(VERDICT | {"verdict": "pass", "judged": []})
    code, said = job.run("workflow_run", events.workflow_run())
    assert code == 0 and "was updated" in said
    ours = [one for one in job.github.comments if one["user"]["login"] == BOT]
    assert len(ours) == 1 and "✅ Gate: PASS" in ours[0]["body"]


def test_comments_of_others_are_not_touched_whatever_they_begin_with(job: Job) -> None:
    texts = [job.github.comment(f"{MARKER} mine", "stranger")["body"], job.github.comment(f"quoted: {MARKER}")["body"]]
    job.run("workflow_run", events.workflow_run())
    assert [one["body"] for one in job.github.comments[:2]] == texts and len(job.github.comments) == 3
    job.run("workflow_run", events.workflow_run(), INPUT_NAME="other")
    assert len(job.github.comments) == 4, "another gate has a comment of its own"


def test_a_comment_that_was_deleted_meanwhile_is_made_again(job: Job) -> None:
    old = job.github.comment(f"{MARKER} old")
    job.github.comments.remove(old)
    job.github.script("GET", COMMENTS, (200, {}, [old]))
    code, said = job.run("workflow_run", events.workflow_run())
    assert code == 0 and "was made" in said and len(job.github.comments) == 1
    assert f"PATCH /repos/{OURS}/issues/comments/{old['id']}" in job.github.asked


def test_a_comment_whose_answer_was_lost_is_not_made_twice(job: Job) -> None:
    def lost(method: str, path: str) -> events.Answer | None:
        if method != "POST":
            return None
        job.github.comment(f"{MARKER} made all the same")
        return 502, {}, None

    job.github.scripted.append(lost)
    code, said = job.run("workflow_run", events.workflow_run())
    assert code == 0 and "was updated" in said and len(job.github.comments) == 1
    assert "Gate: FAIL" in job.github.comments[0]["body"]


def test_of_two_that_were_made_at_once_the_older_one_stays(job: Job) -> None:
    def other(method: str, path: str) -> events.Answer | None:
        if method != "POST":
            return None
        job.github.comment(f"{MARKER} of another job")
        return 201, {}, job.github.comment(f"{MARKER} mine")

    job.github.scripted.append(other)
    assert job.run("workflow_run", events.workflow_run())[0] == 0
    assert [one["body"] for one in job.github.comments] == [f"{MARKER} of another job"]


# --- a server that fails ---------------------------------------------------------------------------------------------

LIMITED = {"message": "You have exceeded a secondary rate limit"}
REFUSED = {"message": "Resource not accessible by integration"}


@pytest.mark.parametrize(
    "answers",
    [
        [(429, {"Retry-After": "0"}, None), (403, {"Retry-After": "0"}, LIMITED)],
        [(500, {}, None), (503, {}, {"message": "busy"})],
    ],
)
def test_a_busy_server_is_asked_again(job: Job, answers: list[events.Answer]) -> None:
    job.github.script("GET", COMMENTS, *answers)
    job.github.script("POST", COMMENTS, *answers)
    assert job.run("workflow_run", events.workflow_run())[0] == 0 and len(job.github.comments) == 1


@pytest.mark.parametrize(
    ("method", "answers", "told"),
    [
        ("POST", [(403, {}, REFUSED)], "the token may not do this (Resource not accessible by integration)"),
        ("POST", [(422, {}, {"message": "Validation Failed"})], "GitHub refuses what was sent (Validation Failed)"),
        ("POST", [(410, {}, {"message": "gone"})], "GitHub has no such thing, or the token may not see it (gone)"),
        ("GET", [(404, {}, {"message": "Not Found"})], "GitHub has no such thing"),
        ("GET", [(401, {}, {"message": "Bad credentials"})], "GitHub does not take the token (Bad credentials)"),
        ("GET", [(429, {"Retry-After": "3600"}, None)], "GitHub's rate limit is reached (429)"),
        ("POST", [(429, {"Retry-After": "3600"}, None)], "GitHub's rate limit is reached (429)"),
        ("GET", [(500, {}, None)] * 4, "GitHub fails with 500"),
        ("POST", [(500, {}, None)] * 3, "GitHub fails with 500"),
        ("GET", [(200, {}, b"<html>")], "GitHub's answer is no JSON"),
        ("GET", [(200, {}, {})], "GitHub's answer is no list"),
        ("GET", [(200, {}, [5])], "GitHub's answer is not as it documents it"),
        ("GET", [(301, {"Location": "https://api.github.com/x"}, None)], "GitHub answers 301"),
        ("GET", [(404, {}, {"message": "x\n::set-output name=a::b"})], "(x ::set-output name=a::b)"),
    ],
)
def test_what_github_does_not_do_is_a_sentence(job: Job, method: str, answers: list[events.Answer], told: str) -> None:
    job.github.script(method, COMMENTS, *answers)
    code, said = job.run("workflow_run", events.workflow_run())
    assert code == 2 and said.startswith("::error title=gate::") and told in said and said.count("\n") == 1
    assert not job.github.comments


def test_a_server_that_hangs_is_not_waited_for(job: Job) -> None:
    job.github.script("GET", COMMENTS, *[(0, {}, None)] * 4)
    code, said = job.run("workflow_run", events.workflow_run(), timeout=0.1)
    assert code == 2 and "GitHub does not answer in time" in said


def test_a_server_that_is_not_there(job: Job) -> None:
    code, said = job.run("workflow_run", events.workflow_run(), GITHUB_API_URL="http://127.0.0.1:1")
    assert code == 2 and "GitHub can't be reached (ConnectionRefusedError)" in said


# --- what it says, and untrusted data --------------------------------------------------------------------------------


def test_the_verdict_then_what_changed_and_how_sure_then_the_run(job: Job) -> None:
    lines = job.told(VERDICT).splitlines()
    assert lines[:2] == [MARKER, "## ❌ Gate: FAIL"]
    rows = [line for line in lines if line.startswith("| ")]
    assert rows[1] == r"| bits\_per\_byte | nano\, int8 | 1 | 1.03 | +3 % \[+2, +4\] | 1 % | FAIL |"
    assert rows[2].endswith(r"| -77 % \[-78, -76\] | 5 % | PASS |")
    link = f"https://github.com/{OURS}/actions/runs/{events.RUN}"
    assert lines[-1].startswith(f"[The whole report]({link}) for {SHA[:10]} against origin")
    assert lines[-1].endswith("A false FAIL has a chance of 1 %.")
    assert any("accuracy" in line and "standing out" in line for line in lines)


def test_names_of_anybody_are_text(job: Job) -> None:
    row = LOST | {"metric": HOSTILE, "reason": HOSTILE, "unit": HOSTILE, "at": {"model": HOSTILE}}
    body = job.told(VERDICT | {"reason": HOSTILE, "base": HOSTILE, "judged": [row], "changes": [HOSTILE]})
    others = body.replace(MARKER, "").replace("](https://github.com/", "")
    for raw in ("](", "<img", "@everyone", "#1 ", "GH-2", "www.evil", "<!--", "\u202e", "://", "`a`"):
        assert raw not in others, raw
    assert body.count("\n## ") == 1, "no line of its own"
    table = [line for line in body.splitlines() if line.startswith("| ")]
    assert {line.replace("\\|", "").count("|") for line in table} == {8}


def test_a_verdict_of_any_size_fits(job: Job) -> None:
    row = LOST | {"metric": "@" * 500, "reason": "<" * 5_000, "at": {"model": "`" * 999}}
    body = job.told(VERDICT | {"judged": [row] * 400, "changes": ["[" * 2_000] * 90, "notes": ["x" * 2_000] * 90})
    assert body.startswith(f"{MARKER}\n## ❌ Gate: FAIL") and "The whole report" in body


def bomb() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("verdict.json", b" " * (64 << 20))
    return content.getvalue()


@pytest.mark.parametrize(
    ("artifact", "told"),
    [
        (b"no zip", "no zip archive"),
        (archive(VERDICT, "../../verdict.json"), "there is no verdict"),
        (archive(b"{"), "is no JSON"),
        (archive("[" * 100_000), "is no JSON"),
        (archive([]), "is no mapping"),
        (archive({"verdict": "PASS"}), "verdict is none of"),
        (archive({"verdict": ["pass"]}), "verdict is none of"),
        (archive(VERDICT | {"judged": {}}), "is no list"),
        (archive(VERDICT | {"judged": [5]}), "is no mapping"),
        (archive(VERDICT | {"judged": [{"verdict": "pass"}] * 501}), "more than 500 rows"),
        (archive(VERDICT | {"reason": 5}), "is no text"),
        (archive(VERDICT | {"alpha": True}), "is no number"),
        (archive(VERDICT | {"changes": [1]}), "has what is no text"),
        (archive(VERDICT)[:-30], "no zip archive"),
    ],
)
def test_what_is_no_verdict_is_said_and_is_no_pass(job: Job, artifact: bytes, told: str) -> None:
    body = job.told(artifact)
    assert body.startswith(f"{MARKER}\n## ❌ Gate: no verdict") and told in body.replace("\\", "")


def test_a_bomb_and_a_large_artifact_are_not_unpacked(job: Job) -> None:
    assert "has more than 4,194,304 bytes" in job.told(bomb()).replace("\\", "")
    job.github.size = 1 << 40
    assert "its artifact has 1,099,511,627,776 bytes" in job.told(VERDICT).replace("\\", "")


def test_numbers_that_are_none_and_later_keys_are_left_out(job: Job) -> None:
    row = LOST | {"head": {"$float": "NaN"}, "base": 10**400, "of a later version": 1}
    text = json.dumps(VERDICT | {"judged": [row]}).replace('"margin": 0.01', '"margin": Infinity')
    assert "Gate: FAIL" in job.told(archive(text))


def test_a_run_that_was_cancelled_tells_nothing_and_one_that_broke_does(job: Job) -> None:
    job.github.artifact = None
    code, said = job.run("workflow_run", events.workflow_run(conclusion="cancelled"))
    assert code == 0 and "the run ended as cancelled" in said and not job.github.comments
    assert job.run("workflow_run", events.workflow_run(conclusion="failure"))[0] == 0
    assert "Gate: no verdict" in job.github.comments[0]["body"]
