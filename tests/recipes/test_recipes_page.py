"""docs/ci-recipes.md: workflows as in the repository, snippets that parse, and commands that are asked right."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from harness.cli.app import app
from harness.gate.accepted import read_accepted
from harness.gate.verdict import Verdict
from harness.suite.load import load_suite
from tests.harness.cli.test_ab_page import NOTED
from tests.recipes.test_workflows import ROOT, linted, parsed

TEXT = (ROOT / "docs/ci-recipes.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", TEXT, re.S | re.M)
    return [textwrap.dedent(text) for _, text in found]


SUITE, GATE, COMMENT, ACCEPTED, GITLAB, BUILDKITE = blocks("yaml")
(JENKINS,) = blocks("groovy")
PROJECT = """
def inputs(n):
    return [i % 7 - 3.0 for i in range(n)]

def softmax(values):
    return [value / 2 for value in values]
"""


def commands() -> list[str]:
    """The shell commands of all snippets."""
    found = [*yaml.safe_load(GITLAB)["gate"]["script"], *yaml.safe_load(BUILDKITE)["steps"][0]["commands"]]
    return [*found, *re.findall(r"sh '(.*)'", JENKINS)]


def test_the_options_are_those_of_the_commands() -> None:
    shown = CliRunner().invoke(app, ["ci", "--help"], env={"COLUMNS": "200"}).output
    asked = [command for command in commands() if "harness ci" in command]
    assert len(asked) == 3
    for option in re.findall(r"(?<![-\w])--[a-z][a-z-]+", " ".join(asked) + " ".join(re.findall(r"`(--.*?)`", TEXT))):
        assert option in shown, option
    for verdict in Verdict:
        row = rf"^\| {int(verdict.exit_code)} \| [^|]*{verdict.word}"
        assert re.search(row, TEXT, re.M), verdict


def test_the_suite_and_the_agreement_are_right(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    assert load_suite(str(tmp_path / "suite.yaml")).suite.calls
    (tmp_path / "harness-accept.yaml").write_text(ACCEPTED)
    assert len(read_accepted(tmp_path / "harness-accept.yaml").entries) == 1


def test_the_workflows_are_those_of_the_repository_and_lint() -> None:
    for text, name in ((GATE, "gate.yml"), (COMMENT, "gate-comment.yml")):
        (ours,), (theirs,) = (one["jobs"].values() for one in (parsed(ROOT / ".github/workflows" / name), loaded(text)))
        assert {**loaded(text), "jobs": 0, "on": 0}.items() <= {**parsed_without(name), "jobs": 0, "on": 0}.items()
        assert [one["uses"] for one in ours["steps"]] == [one["uses"] for one in theirs["steps"]]
        assert ours.get("permissions") == theirs.get("permissions") and ours.get("if") == theirs.get("if")
    assert linted({"gate": GATE, "comment": COMMENT}) == []


def loaded(text: str) -> dict[str, Any]:
    return {("on" if key is True else key): value for key, value in yaml.safe_load(text).items()}


def parsed_without(name: str) -> dict[str, Any]:
    found: dict[str, Any] = parsed(ROOT / ".github/workflows" / name)
    return found


def test_each_workflow_asks_for_inputs_that_the_action_has() -> None:
    for text in (GATE, COMMENT):
        (job,) = loaded(text)["jobs"].values()
        for step in job["steps"]:
            if step["uses"].startswith("./"):
                inputs = parsed(ROOT / step["uses"] / "action.yml")["inputs"]
                assert set(step.get("with", {})) <= set(inputs)


def test_gitlab_and_buildkite_keep_the_list_of_tests() -> None:
    gate = yaml.safe_load(GITLAB)["gate"]
    assert gate["artifacts"]["reports"] == {"junit": "junit.xml"} and gate["artifacts"]["when"] == "always"
    assert str(gate["variables"]["GIT_DEPTH"]) == "0"
    (step,) = yaml.safe_load(BUILDKITE)["steps"]
    assert "junit.xml" in step["artifact_paths"]
    assert all(re.search(r"(?<!\$)\$[A-Z]", command) is None for command in step["commands"]), "$$ is of the job"


def test_the_jenkinsfile_is_balanced_and_declarative() -> None:
    text = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"|//.*", "", JENKINS)
    open_ones = []
    for sign in text:
        if sign in "{([":
            open_ones.append(sign)
        elif sign in "})]":
            assert open_ones.pop() + sign in ("{}", "()", "[]")
    assert open_ones == [] and "'" not in text and '"' not in text
    assert re.findall(r"^(\w+)", JENKINS.partition("\n")[2], re.M) == ["pipeline"]
    sections = re.findall(r"^    (\w+) ", JENKINS, re.M)
    assert sections == ["agent", "options", "stages", "post"]
    assert "junit testResults: 'junit.xml'" in JENKINS


@pytest.mark.skipif(os.name != "posix", reason="bash")
def test_every_command_is_one_that_bash_and_the_harness_take(tmp_path: Path) -> None:
    """Each is run in a project, with a pip, a venv and a harness that write down what they are asked."""
    for folder in ("bin", ".venv/bin", "suites"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("bin/harness", "bin/pip", ".venv/bin/harness", ".venv/bin/pip", "bin/python3.real"):
        (tmp_path / name).write_text(NOTED)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "kernels.py").write_text(PROJECT)
    (tmp_path / "suites/ci.yaml").write_text(SUITE)
    identity = {f"GIT_{who}_{what}": "me@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    targets = ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CHANGE_TARGET", "BUILDKITE_PULL_REQUEST_BASE_BRANCH")
    environment = os.environ | identity | dict.fromkeys(targets, "main")
    environment |= {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "HARNESS": str(ROOT), "SLACK_ADDRESS": "x"}
    made = "git init -q -b main && git add . && git commit -qm one && git remote add origin ."
    subprocess.run(["bash", "-euc", made], cwd=tmp_path, env=environment, check=True)
    ours = [command.replace("$$", "$").replace("python3 -m venv .venv && ", "") for command in commands()]
    for command in [*blocks("bash"), *ours]:
        subprocess.run(["bash", "-euc", command], cwd=tmp_path, env=environment, check=True, capture_output=True)
    asked = [json.loads(line) for line in (tmp_path / "asked.jsonl").read_text().splitlines()]
    gates = [words for words in asked if words[0] == "ci"]
    assert len(gates) == 5 and {words[words.index("--base") + 1] for words in gates} == {"HEAD", "origin/main"}
    assert (tmp_path / ".github/actions/harness-gate/gate.py").is_file()
    assert [words for words in asked if words[0] == "install"] == [["install", "gpt-harness", "."]] * 3
    assert all(shlex.join(words).isprintable() for words in asked)
