"""Run `harness ci` in a job of GitHub Actions, and leave what the job shows: a verdict, a summary, outputs.

Whatever happens there is a verdict.json when this ends, so that a comment can say what happened. The exit code is an
output, by which a later step ends the job: what was measured is uploaded first. What the measured code prints is shown
and is no command to the runner.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MOST_SUMMARY = 1 << 20
"""Bytes of the summaries of a step."""
VERDICTS = {0: "pass", 1: "fail", 3: "inconclusive", 4: "not comparable", 5: "baseline missing"}
"""Of an exit code, where nothing was written; `usage` of all others."""


class Wrong(Exception):
    """What is wrong, as a sentence."""


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Do it; 0, unless a verdict could not even be written."""
    folder = Path(environment["RUNNER_TEMP"]) / "harness-gate"
    folder.mkdir(parents=True, exist_ok=True)
    verdict, summary = folder / "verdict.json", folder / "summary.md"
    for old in (verdict, summary):
        old.unlink(missing_ok=True)
    try:
        words = command(environment, folder)
        code, last = run(words)
    except Wrong as error:
        code, last = 2, str(error)
        print(f"::error title=gate::{last}")
    told = read(verdict)
    if told is None:
        told = {"verdict": VERDICTS.get(code, "usage"), "exit_code": code, "reason": last or f"exit code {code}"}
        verdict.write_text(json.dumps(told | {"judged": [], "watched": []}), encoding="utf-8")
    if not summary.is_file():
        word = str(told["verdict"]).upper()
        summary.write_text(f"## Gate: {word}\n\n```text\n{fenced(last)}\n```\n", encoding="utf-8")
    show(summary.read_bytes(), environment.get("GITHUB_STEP_SUMMARY", ""))
    outputs = {"verdict": told["verdict"], "exit-code": code, "folder": folder.as_posix()}
    if output := environment.get("GITHUB_OUTPUT"):
        with Path(output).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in outputs.items())
    return 0


def command(environment: Mapping[str, str], folder: Path) -> list[str]:
    """The command that measures. Raises Wrong."""
    asked = {name: environment.get(f"INPUT_{name}", "").strip() for name in INPUTS}
    words = [sys.executable, "-m", "harness", "ci"]
    if asked["SUITE"]:
        words.append(asked["SUITE"])
    words += ["--base", base(environment, asked["BASE"]), "--out", str(folder / "runs")]
    for name, option in OPTIONS.items():
        if asked[name]:
            words += [option, asked[name]]
    for name in ("json", "markdown", "junit", "sarif"):
        words += [f"--{name}", str(folder / FILES[name])]
    try:
        return words + shlex.split(asked["OPTIONS"])
    except ValueError as error:
        raise Wrong(f"the input `options` is no command line ({error})") from None


OPTIONS = {"MINUTES": "--minutes", "THREADS": "--threads", "ON_INCONCLUSIVE": "--on-inconclusive"}
INPUTS = ("SUITE", "BASE", "OPTIONS", *OPTIONS)
FILES = {"json": "verdict.json", "markdown": "summary.md", "junit": "junit.xml", "sarif": "gate.sarif"}


def base(environment: Mapping[str, str], given: str) -> str:
    """The revision to compare with: the given one, else what the event tells. Raises Wrong."""
    if given:
        return given
    name = environment.get("GITHUB_EVENT_NAME", "")
    try:
        event = json.loads(Path(environment.get("GITHUB_EVENT_PATH", "")).read_bytes())
    except (OSError, ValueError):
        event = {}
    try:
        if name == "pull_request":  # what is checked out is the merge of the request into its base's tip
            return "HEAD^1" if parents() == 2 else commit(event["pull_request"]["base"]["sha"])
        if name == "merge_group":
            return commit(event["merge_group"]["base_sha"])
        if name == "push":  # a new branch was nowhere before
            return commit(event["before"]) if set(event["before"]) != {"0"} else "HEAD^1"
    except (KeyError, TypeError):
        raise Wrong(f"the event `{name}` lacks what GitHub documents of it; give the input `base`") from None
    raise Wrong(f"`{name or 'no event'}` says nothing of what to compare with; give the input `base`")


def commit(text: Any) -> str:
    """A commit's name, which can be no option. Raises Wrong."""
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", str(text)):
        raise Wrong("the event names a base that is no commit; give the input `base`")
    return str(text)


def parents() -> int:
    """Parents of what is checked out."""
    done = subprocess.run(["git", "rev-list", "--parents", "-n", "1", "HEAD"], capture_output=True, text=True)
    return len(done.stdout.split()) - 1


def run(words: list[str]) -> tuple[int, str]:
    """Run a command and show what it prints; its exit code and its last lines. A job that is cancelled is Ctrl-C."""
    last: deque[str] = deque(maxlen=20)
    fence = secrets.token_hex(16)
    print(f"$ {shlex.join(words)}\n::stop-commands::{fence}", flush=True)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: process.send_signal(signal.SIGINT))
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        last.append(line[:2_000])
    code = process.wait()
    print(f"\n::{fence}::", flush=True)
    return code if code >= 0 else 128 - code, "".join(last).strip()


def read(verdict: Path) -> dict[str, Any] | None:
    """What was written; None where there is no verdict in it."""
    try:
        told = json.loads(verdict.read_bytes())
        words = {*VERDICTS.values(), "usage", "accepted", "minor"}
        return told if told["verdict"] in words else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fenced(text: str) -> str:
    """Text that ends no block of code."""
    return text.replace("```", "` ` `")


def show(content: bytes, summary: str) -> None:
    """Add to the step's summary as much as it takes, whole lines."""
    if not summary:
        return
    path = Path(summary)
    room = MOST_SUMMARY - (path.stat().st_size if path.exists() else 0)
    if len(content) > room:
        more = b"\n\n(The rest is in the artifact.)\n"
        content = content[: max(room - len(more), 0)].rpartition(b"\n")[0] + more if room > len(more) else b""
    with path.open("ab") as file:
        file.write(content)


if __name__ == "__main__":
    sys.exit(main())
