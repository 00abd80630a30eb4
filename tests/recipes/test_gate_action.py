"""The action that measures: what it compares with, what it leaves behind whatever happens, and its cache's key."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.recipes import events

FOLDER = Path(__file__).parents[2] / ".github/actions/harness-gate"
HARNESS = """
import json, os, pathlib, signal, sys, time
words = sys.argv[1:]
pathlib.Path("asked.json").write_text(json.dumps(words))
where = {name: words[words.index("--" + name) + 1] for name in ("json", "markdown", "out")}
print("::set-output name=verdict::pass")
print("last words", flush=True)
how = os.environ["HOW"]
if how == "sleep":
    try:
        time.sleep(30)
    except KeyboardInterrupt:
        how = "fail"
if how in ("pass", "fail"):
    pathlib.Path(where["json"]).write_text(json.dumps({"verdict": how, "exit_code": how == "fail", "reason": "why"}))
    pathlib.Path(where["markdown"]).write_text("## Gate\\n" + "line of text\\n" * int(os.environ.get("LINES", 1)))
if how == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit({"pass": 0, "fail": 1, "usage": 2, "missing": 5}[how])
"""


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"action_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def job(tmp_path: Path) -> dict[str, str]:
    """The environment of a job whose harness is a stand-in, and whose checkout is a merge."""
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness/__init__.py").write_text("")  # else the one that is installed would be found first
    (tmp_path / "harness/__main__.py").write_text(HARNESS)
    commands = (
        "git init -q -b main && git commit -q --allow-empty -m one && git checkout -q -b change && "
        "git commit -q --allow-empty -m two && git checkout -q main && git commit -q --allow-empty -m three && "
        "git merge -q --no-ff -m merge change"
    )
    identity = {f"GIT_{who}_{what}": "me@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["bash", "-euc", commands], cwd=tmp_path, env=os.environ | identity, check=True)
    (tmp_path / "event.json").write_text(json.dumps(events.pull_request()))
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **{"RUNNER_TEMP": str(tmp_path / "temp"), "GITHUB_OUTPUT": str(tmp_path / "output")},
        **{"GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "GITHUB_EVENT_PATH": str(tmp_path / "event.json")},
        **{"GITHUB_EVENT_NAME": "pull_request", "INPUT_MINUTES": "10", "PYTHONPATH": str(tmp_path), "HOW": "pass"},
    }


def ran(job: dict[str, str], folder: Path) -> tuple[dict[str, str], dict[str, Any], str]:
    """Outputs, the verdict, and what was printed."""
    done = subprocess.run(
        [sys.executable, FOLDER / "gate.py"], cwd=folder, env=job, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    outputs = dict(line.split("=", 1) for line in (folder / "output").read_text().splitlines())
    (folder / "output").unlink()
    return outputs, json.loads((folder / "temp/harness-gate/verdict.json").read_text()), done.stdout


@pytest.mark.parametrize(
    ("how", "code", "verdict"),
    [("pass", 0, "pass"), ("fail", 1, "fail"), ("usage", 2, "usage"), ("missing", 5, "baseline missing")],
)
def test_there_is_a_verdict_whatever_happens(
    job: dict[str, str], tmp_path: Path, how: str, code: int, verdict: str
) -> None:
    outputs, told, said = ran(job | {"HOW": how}, tmp_path)
    assert outputs["exit-code"] == str(code) and outputs["verdict"] == told["verdict"] == verdict
    assert (tmp_path / "summary").read_text().startswith("## Gate")
    if how in ("usage", "missing"):
        assert "last words" in told["reason"]
    start, end = (said.index(f"::{word}") for word in ("stop-commands::", "set-output"))
    fence = said.split("::stop-commands::")[1].split("\n")[0]
    assert start < end < said.index(f"::{fence}::"), "what is measured commands nothing"


def test_a_killed_harness_is_no_pass(job: dict[str, str], tmp_path: Path) -> None:
    outputs, told, _ = ran(job | {"HOW": "killed"}, tmp_path)
    assert outputs["exit-code"] == "137" and told["verdict"] == "usage"


def test_an_old_verdict_is_not_taken_for_a_new_one(job: dict[str, str], tmp_path: Path) -> None:
    assert ran(job, tmp_path)[0]["verdict"] == "pass"
    assert ran(job | {"HOW": "usage"}, tmp_path)[0]["verdict"] == "usage"


def test_a_long_summary_is_cut_at_a_line(job: dict[str, str], tmp_path: Path) -> None:
    ran(job | {"LINES": "100000"}, tmp_path)
    text = (tmp_path / "summary").read_bytes()
    assert len(text) <= 1 << 20 and text.endswith(b"line of text\n\n(The rest is in the artifact.)\n")


@pytest.mark.parametrize("cut", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_is_cancelled_is_ctrl_c_for_the_harness(job: dict[str, str], tmp_path: Path, cut: int) -> None:
    command = [sys.executable, FOLDER / "gate.py"]
    with subprocess.Popen(command, cwd=tmp_path, env=job | {"HOW": "sleep"}, stdout=subprocess.PIPE, text=True) as done:
        assert done.stdout is not None
        while "last words" not in done.stdout.readline():
            pass
        time.sleep(0.1)
        done.send_signal(cut)
        done.stdout.read()
    assert json.loads((tmp_path / "temp/harness-gate/verdict.json").read_text())["verdict"] == "fail"


def test_inputs_are_words_and_no_shell(job: dict[str, str], tmp_path: Path) -> None:
    inputs = {
        "SUITE": "my suite.yaml",
        "ON_INCONCLUSIVE": "pass",
        "OPTIONS": "--seed 1 '--timeout=5'",
        "THREADS": "$(id)",
    }
    ran(job | {f"INPUT_{name}": value for name, value in inputs.items()}, tmp_path)
    words = json.loads((tmp_path / "asked.json").read_text())
    assert words[:4] == ["ci", "my suite.yaml", "--base", "HEAD^1"] and words[-3:] == ["--seed", "1", "--timeout=5"]
    assert words[words.index("--threads") + 1] == "$(id)" and {"--junit", "--sarif"} <= set(words)
    outputs, told, _ = ran(job | {"INPUT_OPTIONS": "'open"}, tmp_path)
    assert outputs["exit-code"] == "2" and "`options` is no command line" in told["reason"]


@pytest.mark.parametrize(
    ("name", "event", "base"),
    [
        ("push", events.push(), "c" * 40),
        ("push", events.push("0" * 40), "HEAD^1"),
        ("merge_group", {"merge_group": {"base_sha": "d" * 40}}, "d" * 40),
        ("push", events.push("--exec=id"), "names a base that is no commit"),
        ("push", {}, "the event `push` lacks what GitHub documents"),
        ("schedule", {}, "`schedule` says nothing of what to compare with; give the input `base`"),
    ],
)
def test_what_is_compared_with(job: dict[str, str], tmp_path: Path, name: str, event: Any, base: str) -> None:
    (tmp_path / "event.json").write_text(json.dumps(event))
    outputs, told, _ = ran(job | {"GITHUB_EVENT_NAME": name}, tmp_path)
    if " " in base:
        assert outputs["exit-code"] == "2" and base in told["reason"]
    else:
        words = json.loads((tmp_path / "asked.json").read_text())
        assert words[words.index("--base") + 1] == base


def test_a_given_base_and_a_checkout_that_is_no_merge(job: dict[str, str], tmp_path: Path) -> None:
    subprocess.run(["git", "checkout", "-q", "change"], cwd=tmp_path, check=True)
    for more, base in (({}, "b" * 40), ({"INPUT_BASE": "v1.0"}, "v1.0")):
        ran(job | more, tmp_path)
        assert json.loads((tmp_path / "asked.json").read_text())[2] == base


def test_the_key_goes_by_weights_and_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache_key = script("cache_key")
    monkeypatch.chdir(tmp_path)
    text = "name: x\nmodels: {m: {reference: nano, train: {corpus: microworld, tokens: 1000}}}\n"
    text += "measures: [perplexity: {text: TEXT}]\n"
    keys = {}
    for name, corpus in (("none", "microworld/test"), ("shakespeare", "asset:shakespeare/test")):
        (tmp_path / f"{name}.yaml").write_text(text.replace("TEXT", corpus))
        keys[name] = cache_key.weights(f"{name}.yaml")
    assert keys["none"] != keys["shakespeare"] and cache_key.weights("gone.yaml") == "none"
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("INPUT_SUITE", "shakespeare.yaml")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    assert cache_key.main() == 0
    lines = (tmp_path / "output").read_text().splitlines()
    key = lines[0].removeprefix("key=")
    assert keys["shakespeare"] in key and lines[1] == f"path={tmp_path / 'cache'}"
    assert lines[2:] == ["restore-keys<<END", f"{key.rpartition('-')[0]}-", f"{key.rsplit('-', 2)[0]}-", "END"]
