"""Tell a pull request the verdict of its gate: one comment, made once and updated in place.

Runs in a workflow of the default branch, on `workflow_run`, with a token that may write comments. The job that measured
ran the pull request's own code: of it only the artifact is read, as data (verdict.py). Which pull request it is, GitHub
says: the event, or for a fork the API, by the repository, branch and commit of the run.

Exit codes: 0 the comment is there, or there is nothing to tell; 2 what is wrong is one sentence.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

sys.path.insert(0, str(Path(__file__).parent))
from comment_text import comment_text, no_verdict_text
from github_api import AT_HOME, Api, ApiError
from verdict import MOST_BYTES, NoVerdict, Verdict, from_archive

NOT_RUN = ("cancelled", "skipped", "action_required", "stale", "neutral")
"""How a run ends that measured nothing: a newer one follows, or somebody has to allow it."""
TRIES = 3
"""To find a place for the comment, while others write, too."""


class Wrong(Exception):
    """What is wrong, as a sentence: exit code 2."""


class Nothing(Exception):
    """Why there is nothing to tell, as a sentence: exit code 0."""


class Run(NamedTuple):
    """A run of the gate, as GitHub tells it."""

    repository: str
    id: int
    number: int
    """Of the pull request."""
    commit: str
    link: str
    conclusion: str


def main(environment: Mapping[str, str] = os.environ, **patience: float) -> int:
    """Do it; the exit code. patience: of `Api`, for tests."""
    try:
        api = Api(environment.get("GITHUB_API_URL") or "https://api.github.com", _token(environment), **patience)
        run = _run(environment, api)
        marker = _marker(environment.get("INPUT_NAME") or "gate")
        text = _text(api, run, environment.get("INPUT_ARTIFACT") or "harness-gate-verdict", marker)
        user = environment.get("INPUT_USER") or "github-actions[bot]"
        done = tell(api, run, text, marker, user)
    except Nothing as told:
        print(_line("notice", str(told)))
        return 0
    except (Wrong, NoVerdict, ApiError) as error:
        print(_line("error", str(error)))
        return 2
    print(f"the comment on #{run.number} was {done}")
    return 0


def _token(environment: Mapping[str, str]) -> str:
    token = environment.get("GITHUB_TOKEN", "").strip()
    if not token or not token.isprintable():
        raise Wrong("there is no token: give the step `GITHUB_TOKEN: ${{ github.token }}`")
    return token


def _marker(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,60}", name) or "--" in name:
        raise Wrong("the name of a comment has letters, digits, dots and single dashes, 60 at most")
    return f"<!-- harness-comment:{name} -->"


def _run(environment: Mapping[str, str], api: Api) -> Run:
    """The run that is told of, and its pull request. Raises Wrong, Nothing and ApiError."""
    name, event = environment.get("GITHUB_EVENT_NAME", ""), _event(environment)
    repository = environment.get("GITHUB_REPOSITORY", "")
    if not re.fullmatch(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+", repository):
        raise Wrong("GITHUB_REPOSITORY is no repository: this runs in a job of GitHub Actions")
    try:
        if name == "workflow_run":
            return _of_workflow_run(event["workflow_run"], repository, environment, api)
        if name == "pull_request":
            return _of_pull_request(event["pull_request"], repository, environment)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise Wrong(f"the event `{name}` lacks what GitHub documents of it") from None
    if name in ("push", "schedule", "workflow_dispatch", "merge_group"):
        raise Nothing(f"`{name}` has no pull request to tell")
    raise Wrong(f"`{name}` is no event that this answers: use `workflow_run`, or `pull_request` of the same repository")


def _event(environment: Mapping[str, str]) -> dict[str, Any]:
    try:
        event = json.loads(Path(environment.get("GITHUB_EVENT_PATH", "")).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise Wrong(f"GITHUB_EVENT_PATH is no event that can be read ({type(error).__name__})") from None
    if not isinstance(event, dict):
        raise Wrong("GITHUB_EVENT_PATH is no event")
    return event


def _of_workflow_run(run: dict[str, Any], repository: str, environment: Mapping[str, str], api: Api) -> Run:
    if run["event"] != "pull_request":
        raise Nothing(f"the run was made by `{str(run['event'])[:40]}`, which has no pull request to tell")
    commit = _commit(run["head_sha"])
    numbers = _named(run, commit, repository) or _looked_up(run, commit, repository, api)
    if not numbers:
        raise Nothing(f"no open pull request has {commit[:10]} as its newest commit; a later one has a run of its own")
    if len(numbers) > 1:
        told = ", ".join(f"#{number}" for number in numbers)
        raise Nothing(f"{told} have the same branch and commit, so nobody can say which one was measured")
    return Run(
        repository=repository,
        id=int(run["id"]),
        number=numbers[0],
        commit=commit,
        link=_link(run["html_url"], environment),
        conclusion=str(run.get("conclusion") or ""),
    )


def _named(run: dict[str, Any], commit: str, repository: str) -> list[int]:
    """The pull requests that the event names: of a fork it names none, and those of other repositories are not ours."""
    ours = int(run["repository"]["id"])
    return [
        int(one["number"])
        for one in run.get("pull_requests") or []
        if one["head"]["sha"] == commit and int(one["base"]["repo"]["id"]) == ours
    ]


def _looked_up(run: dict[str, Any], commit: str, repository: str, api: Api) -> list[int]:
    """The open pull requests of the run's repository and branch whose newest commit is the run's."""
    head = run.get("head_repository")
    if not head or not run.get("head_branch"):
        raise Nothing("the fork or its branch is gone")
    of = f"{head['owner']['login']}:{run['head_branch']}"
    found = api.pages(f"/repos/{repository}/pulls?state=open&head={quote(of, safe='')}")
    return [
        int(one["number"])
        for one in found
        if one["head"]["sha"] == commit
        and (one["head"].get("repo") or {}).get("full_name") == head["full_name"]
        and one["base"]["repo"]["full_name"].lower() == repository.lower()
    ]


def _of_pull_request(request: dict[str, Any], repository: str, environment: Mapping[str, str]) -> Run:
    """The run that is going on, of a job behind the one that measured."""
    head = (request["head"].get("repo") or {}).get("full_name") or ""
    if head.lower() != repository.lower():
        raise Nothing("this pull request is of a fork, whose token may not write: tell it from a `workflow_run`")
    server = environment.get("GITHUB_SERVER_URL") or "https://github.com"
    number = int(environment["GITHUB_RUN_ID"])
    link = _link(f"{server}/{repository}/actions/runs/{number}", environment)
    return Run(repository, number, int(request["number"]), _commit(request["head"]["sha"]), link, "")


def _commit(text: Any) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", str(text)):
        raise ValueError(text)
    return str(text)


def _link(link: str, environment: Mapping[str, str]) -> str:
    """The run's page, on this server. Raises ValueError."""
    parts, server = urlsplit(link), urlsplit(environment.get("GITHUB_SERVER_URL") or "https://github.com")
    if (parts.scheme, parts.netloc) != (server.scheme, server.netloc) or not re.fullmatch(r"[\w./-]+", parts.path):
        raise ValueError(link)
    if parts.scheme != "https" and parts.hostname not in AT_HOME:
        raise ValueError(link)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _text(api: Api, run: Run, artifact: str, marker: str) -> str:
    """The text of the comment. Raises Nothing and ApiError."""
    told = {"marker": marker, "link": run.link, "commit": run.commit}
    try:
        verdict = _verdict(api, run, artifact)
    except NoVerdict as error:
        if run.conclusion in NOT_RUN:
            raise Nothing(f"the run ended as {run.conclusion}, without a verdict") from None
        return no_verdict_text(str(error), **told)
    return comment_text(verdict, **told)


def _verdict(api: Api, run: Run, artifact: str) -> Verdict:
    """The verdict that the run uploaded, of its newest attempt. Raises NoVerdict and ApiError."""
    of_run = f"/repos/{run.repository}/actions/runs/{run.id}/artifacts"
    answer = api.get(f"{of_run}?name={quote(artifact, safe='')}&per_page=100").data
    try:
        able = [one for one in answer["artifacts"] if one["name"] == artifact and not one["expired"]]
        newest = max(able, key=lambda one: int(one["id"]), default=None)
        number, size = (0, 0) if newest is None else (int(newest["id"]), int(newest["size_in_bytes"]))
    except (KeyError, TypeError, ValueError):
        raise ApiError("GitHub's list of artifacts is none") from None
    if newest is None:
        raise NoVerdict(f"it uploaded no artifact {artifact}")
    if size > MOST_BYTES:
        raise NoVerdict(f"its artifact has {size:,} bytes")
    return from_archive(api.fetch(f"/repos/{run.repository}/actions/artifacts/{number}/zip", MOST_BYTES))


def tell(api: Api, run: Run, text: str, marker: str, user: str) -> str:
    """Update our comment, or make it; what was done, in a word. Raises ApiError.

    A comment that was deleted meanwhile is made again. What is made is not asked for twice: where the answer was lost,
    the comments are read again. Where two jobs made one at the same time, the older one stays.
    """
    comments = f"/repos/{run.repository}/issues/{run.number}/comments"
    failed: ApiError | None = None
    for _ in range(TRIES):
        ours = _ours(api, comments, marker, user)
        try:
            if ours:
                api.ask("PATCH", f"/repos/{run.repository}/issues/comments/{ours[0]}", {"body": text})
            else:
                api.ask("POST", comments, {"body": text}, again=False)
        except ApiError as error:
            failed = error
            if not (ours and error.status in (404, 410)):
                api.wait(error)
            continue
        for extra in (ours if ours else _ours(api, comments, marker, user))[1:]:
            api.ask("DELETE", f"/repos/{run.repository}/issues/comments/{extra}")
        return "updated" if ours else "made"
    assert failed is not None
    raise failed


def _ours(api: Api, comments: str, marker: str, user: str) -> list[int]:
    """Our comments, the oldest first: those of our own user that begin with the marker."""
    try:
        return sorted(
            int(one["id"])
            for one in api.pages(comments)
            if str(one["body"] or "").startswith(marker) and (one["user"] or {}).get("login") == user
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ApiError("GitHub's answer is not as it documents it") from None


def _line(kind: str, text: str) -> str:
    """A line that the job's page shows; nothing in the text is a command."""
    for sign, written in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(sign, written)
    return f"::{kind} title=gate::{text}"


if __name__ == "__main__":
    sys.exit(main())
