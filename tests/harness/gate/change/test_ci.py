"""`harness ci` on small projects of their own: what changed is found, and what can't be measured is one sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import ExitCode, UserError
from harness.gate.change.ci import SUMMARY, VERDICT, Asked, Change, ci, judge_change
from harness.gate.change.project import base_state, head_state
from harness.gate.verdict import Verdict
from harness.results.baseline import BaselineMissing
from tests.tiny_models import gpt2, save_byte_pairs, save_folder

CODE = """
def work(times):
    total = 0
    for number in range(times):
        total += number * number % 7
    return total
"""
SUITE = """
name: project
calls:
  work: {call: "kernels:work", arguments: [3000], threads: 1, tolerance: 0}
"""


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without a pyproject.toml, which is put on the path as it is."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.gate.lockstep.launch.LAUNCH_NS", 40_000_000)
    monkeypatch.setattr("harness.gate.lockstep.launch.WARM_SECONDS", 0.01)
    monkeypatch.setattr("harness.gate.lockstep.launch.TURN_NS", 200_000)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "kernels.py").write_text(CODE)
    (folder / "suite.yaml").write_text(SUITE)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "base")
    monkeypatch.chdir(folder)
    return folder


def judged(tmp_path: Path, **more: object) -> Change:
    return ci("HEAD", "suite.yaml", out=tmp_path / "out", minutes=1.5, seed=1, **more)


def test_a_slowdown_fails(project: Path, tmp_path: Path) -> None:
    (project / "kernels.py").write_text(CODE.replace("in range(times)", "in range(times + times // 2)"))
    (project / "suite.yaml").write_text(SUITE.replace(", tolerance: 0", ""))
    change = judged(tmp_path)
    assert change.result.verdict is Verdict.FAIL and change.result.exit_code is ExitCode.UNMET
    (row,) = change.result.rows
    assert row.change is not None and row.change.value > 0.3 and row.head is not None and row.base is not None
    assert "slower by" in row.reason and row.where == "call work"
    told = json.loads((change.folder / VERDICT).read_text())
    assert told["verdict"] == "fail" and told["judged"][0]["details"]["fresh_launches"] >= 5
    assert (change.folder / SUMMARY).read_text().startswith("## Gate: FAIL")


def test_other_values_fail_whatever_the_speed(project: Path, tmp_path: Path) -> None:
    (project / "kernels.py").write_text(CODE.replace("% 7", "% 5"))
    change = judged(tmp_path)
    assert change.result.verdict is Verdict.FAIL
    assert "differ by up to" in change.result.rows[0].reason


def test_unchanged_code_passes_and_says_so(project: Path, tmp_path: Path) -> None:
    (project / "README").write_text("only words\n")
    change = judged(tmp_path)
    assert change.result.verdict is Verdict.PASS
    assert "the base and the head run the same code" in change.result.rows[0].reason


def test_code_that_breaks_in_the_head_fails(project: Path, tmp_path: Path) -> None:
    (project / "kernels.py").write_text(CODE.replace("total = 0", "total = undefined"))
    change = judged(tmp_path)
    assert change.result.verdict is Verdict.FAIL
    assert "it works in the base" in change.result.reason and "undefined" in change.result.reason


def test_code_that_is_broken_in_the_base_is_no_verdict_on_the_head(project: Path, tmp_path: Path) -> None:
    (project / "kernels.py").write_text("raise RuntimeError('broken')\n")
    git(project, "commit", "-qam", "broken")
    (project / "kernels.py").write_text(CODE)
    change = judged(tmp_path)
    assert change.result.verdict is Verdict.USAGE and change.result.exit_code is ExitCode.USAGE
    assert "arm a" in change.result.reason and "broken" in change.result.reason


def test_where_all_is_new_nothing_is_comparable(project: Path, tmp_path: Path) -> None:
    (project / "kernels.py").write_text(CODE.replace("def work", "def other"))
    git(project, "commit", "-qam", "renamed")
    (project / "kernels.py").write_text(CODE)
    assert judged(tmp_path).result.verdict is Verdict.NOT_COMPARABLE


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_code_that_is_broken_in_both_is_no_verdict_on_the_head(project: Path, tmp_path: Path, seed: int) -> None:
    """Whichever is started first, which chance decides."""
    (project / "kernels.py").write_text(CODE.replace("total = 0", "total = undefined"))
    git(project, "commit", "-qam", "broken")
    (project / "kernels.py").write_text(CODE.replace("total = 0", "total = undefined + 1"))
    change = judge_change(Asked(base="HEAD", suite="suite.yaml", out=tmp_path / "out", minutes=1.5, seed=seed))
    assert change.result.verdict is Verdict.USAGE, change.result.reason
    assert "arm a" in change.result.reason and "undefined" in change.result.reason


def test_an_accepted_slowdown_is_shown_as_such(project: Path, tmp_path: Path) -> None:
    (project / "kernels.py").write_text(CODE.replace("in range(times)", "in range(times + times // 2)"))
    (project / "suite.yaml").write_text(SUITE.replace(", tolerance: 0", ""))
    (project / "harness-accept.yaml").write_text(
        "- {metric: time, where: {call: work}, allowed: 3, reason: exact now, who: me, expires: 2999-01-01}\n"
        "- {metric: loss, allowed: 3, reason: of old, who: me, expires: 2999-01-01}\n"
    )
    change = judged(tmp_path)
    unused = [note for note in change.result.notes if "acceptance" in note]
    assert len(unused) == 1 and "harness-accept.yaml:2: this acceptance was not used (loss" in unused[0]
    assert change.result.verdict is Verdict.ACCEPTED and change.result.exit_code is ExitCode.PASS


def test_a_suite_that_loads_nothing_of_the_project_proves_nothing(project: Path, tmp_path: Path) -> None:
    (project / "suite.yaml").write_text(SUITE.replace("kernels:work", "elsewhere:work"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/elsewhere.py").write_text(CODE)
    (project / "kernels.py").write_text(CODE + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path / "elsewhere"))
        change = judged(tmp_path)
    assert change.result.verdict is Verdict.USAGE
    assert "nothing was loaded from" in change.result.reason or "loads this project" in change.result.reason


@pytest.mark.parametrize(
    ("base", "why"),
    [
        ("", "'' is no revision"),
        ("no-such", "there is no revision no-such"),
        ("origin/main", "there is no revision origin/main"),
    ],
)
def test_a_missing_base_has_an_exit_code_of_its_own(project: Path, tmp_path: Path, base: str, why: str) -> None:
    with pytest.raises(BaselineMissing, match=why) as caught:
        ci(base, "suite.yaml", out=tmp_path / "out")
    assert caught.value.exit_code is ExitCode.BASELINE_MISSING


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is in no git repository"):
        ci("HEAD", "suite.yaml", out=tmp_path / "out")


def test_a_suite_in_which_no_change_can_show(project: Path, tmp_path: Path) -> None:
    (project / "suite.yaml").write_text("name: empty\nanalyse:\n  - scaling_law: {of: loss, over: parameters}\n")
    with pytest.raises(UserError, match="no change can show"):
        judged(tmp_path)


@pytest.mark.parametrize("where", ["share_time", "begin_with"])
def test_ctrl_c_keeps_what_was_decided(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (project / "kernels.py").write_text(CODE.replace("% 7", "% 7 * 1"))
    told: list[str | Change] = []

    def interrupt(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"harness.gate.change.ci.{where}", interrupt)
    with pytest.raises(KeyboardInterrupt):
        judge_change(Asked(base="HEAD", suite="suite.yaml", out=tmp_path / "out"), told.append)
    (change,) = (one for one in told if isinstance(one, Change))
    assert change.result.verdict is Verdict.INCONCLUSIVE
    assert json.loads((change.folder / VERDICT).read_text())["interrupted"] is True


def test_both_states_are_built_from_their_own_files(project: Path) -> None:
    (project / "kernels.py").write_text("head = True\n")
    (project / "new.py").write_text("new = True\n")
    (project / ".gitignore").write_text("ignored.py\n")
    (project / "ignored.py").write_text("secret = True\n")
    (project / "gone.py").write_text("")
    git(project, "add", "gone.py")
    (project / "gone.py").unlink()
    said: list[str] = []
    tell: Callable[[str], None] = said.append
    with base_state("HEAD", project, tell) as base:
        head = head_state(project, tell)
        assert (base.folder / "kernels.py").read_text() == CODE and (base.path / "kernels.py").read_text() == CODE
    assert (head.path / "kernels.py").read_text() == "head = True\n" and head.dirty
    assert (head.path / "new.py").exists() and not (head.path / "ignored.py").exists()
    assert not base.folder.exists() and head.folder == project.resolve()
    assert [line.partition(" (")[0] for line in said] == ["building HEAD", "building the working folder"]
    head_state(project, tell)
    assert len(said) == 2, "what was built is kept"


@pytest.mark.slow
def test_weights_that_a_change_broke_fail_and_their_speed_is_not_measured(project: Path, tmp_path: Path) -> None:
    """A model's folder lies in the project: each state measures its own with its own code."""
    tokenizer = save_byte_pairs(tmp_path / "tokenizer.json", [CODE, SUITE], 300)

    def save(spread: float) -> None:
        model = gpt2(vocab_size=300, n_positions=256, initializer_range=spread)
        save_folder(project / "model", model, tokenizer)

    save(0.05)
    (project / "suite.yaml").write_text(MODEL_SUITE)
    git(project, "add", "-f", ".")
    git(project, "commit", "-q", "-m", "a model")
    unchanged = judged(tmp_path)
    assert unchanged.result.verdict is Verdict.PASS, unchanged.result.reason
    quality, speed = unchanged.result.rows
    assert quality.metric == "probe_bits_per_byte" and quality.verdict is Verdict.PASS
    assert "run the same code" in speed.reason
    save(1.0)  # sure of itself, and wrong
    broken = judged(tmp_path)
    assert broken.result.verdict is Verdict.FAIL
    quality, speed = broken.result.rows
    assert quality.verdict is Verdict.FAIL
    assert speed.verdict is Verdict.INCONCLUSIVE and "speed counts only where its quality passed" in speed.reason


@pytest.mark.slow
def test_a_model_that_is_new_is_told_of_and_one_that_is_gone_fails(project: Path, tmp_path: Path) -> None:
    tokenizer = save_byte_pairs(tmp_path / "tokenizer.json", [CODE, SUITE], 300)

    def save(name: str) -> None:
        save_folder(project / name, gpt2(vocab_size=300, n_positions=256), tokenizer)

    save("model")
    (project / "suite.yaml").write_text(MODEL_SUITE)
    git(project, "add", "-f", ".")
    git(project, "commit", "-q", "-m", "a model")
    save("other")
    (project / "suite.yaml").write_text(MODEL_SUITE.replace("measures:", "  new: {transformers: other}\nmeasures:"))
    added = judged(tmp_path)
    assert added.result.verdict is Verdict.PASS, added.result.reason
    assert any("new is new: the base has no such folder" in note for note in added.result.notes)
    assert {row.at["model"] for row in added.result.rows} == {"mine"}
    (project / "suite.yaml").write_text(MODEL_SUITE)
    shutil.rmtree(project / "model")
    gone = judged(tmp_path)
    assert gone.result.verdict is Verdict.FAIL and "the folders of mine are gone" in gone.result.reason
    assert (gone.folder / SUMMARY).read_text().startswith("## Gate: FAIL")


def test_a_head_that_hangs_is_ended_and_fails(project: Path, tmp_path: Path) -> None:
    (project / "kernels.py").write_text(CODE.replace("total = 0", "import time; time.sleep(30); total = 0"))
    change = judged(tmp_path, timeout=1.5)
    assert change.result.verdict is Verdict.FAIL and "took more than" in change.result.reason


def test_values_that_differ_without_a_tolerance_are_told_of(project: Path, tmp_path: Path) -> None:
    (project / "kernels.py").write_text(CODE.replace("% 7", "% 5"))
    (project / "suite.yaml").write_text(SUITE.replace(", tolerance: 0", ""))
    (row,) = judged(tmp_path).result.rows
    assert "its values: unchecked: they differ by up to" in row.reason


def test_what_is_measured_is_no_part_of_the_project(project: Path) -> None:
    said: list[str] = []
    head_state(project, said.append, Path("results"))
    (project / "results").mkdir()
    (project / "results/verdict.json").write_text("{}")
    head_state(project, said.append, Path("results"))
    assert len(said) == 1, "nothing was built again"


MODEL_SUITE = """
name: project
models:
  mine: {transformers: model}
measures:
  - probe: {documents: 8}
  - inference: {prompt: 8, generate: 8}
gate:
  - {metric: probe_bits_per_byte}
  - {metric: decode_rate, guarded_by: [probe_bits_per_byte]}
"""


def test_a_function_that_only_the_head_has_is_judged_by_nobody(project: Path, tmp_path: Path) -> None:
    (project / "kernels.py").write_text(CODE + "\ndef fresh():\n    return 1\n")
    (project / "suite.yaml").write_text(SUITE + '  fresh: {call: "kernels:fresh", threads: 1}\n')
    result = judged(tmp_path).result
    assert [row.at["call"] for row in result.rows] == ["work"] and result.verdict is not Verdict.USAGE
    assert any(note.startswith("fresh has no baseline: arm a: ") and "has no fresh" in note for note in result.notes)


@pytest.mark.parametrize("seed", range(4))
def test_a_function_that_nobody_has_is_no_fault_of_the_head(project: Path, tmp_path: Path, seed: int) -> None:
    (project / "kernels.py").write_text(CODE.replace("% 7", "%  7"))
    (project / "suite.yaml").write_text('name: p\ncalls:\n  work: {call: "kernels:wrok", threads: 1}\n')
    result = ci("HEAD", "suite.yaml", out=tmp_path / "out", minutes=0.2, seed=seed).result
    assert result.exit_code is ExitCode.USAGE and "neither the base nor the head can do it" in result.reason


def test_a_submodule_is_each_state_s_own(project: Path, tmp_path: Path) -> None:
    inner = project / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "part.py").write_text("OLD = 1\n")
    git(inner, "add", "."), git(inner, "commit", "-qm", "old")
    git(project, "add", "inner"), git(project, "commit", "-qm", "with a submodule")
    (inner / "part.py").write_text("NEW = 1\n")
    git(inner, "commit", "-qam", "new")
    with base_state("HEAD", project, lambda said: None) as base:
        head = head_state(project, lambda said: None)
        assert (base.path / "inner/part.py").read_text() == "OLD = 1\n"
        assert (head.path / "inner/part.py").read_text() == "NEW = 1\n"
    git(project, "commit", "-qam", "another one")
    shutil.rmtree(inner / ".git")
    with (
        pytest.raises(UserError, match=r"the submodule inner is not here at .*git submodule update"),
        base_state("HEAD", project, lambda said: None),
    ):
        pass
