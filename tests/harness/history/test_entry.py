"""What is added: runs, and what `harness ci` and `harness ab` measured, each with its verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from harness.baselines.setting import set_baseline
from harness.cli.app import app
from harness.errors import UserError
from harness.gate.change.ci import VERDICT, ci
from harness.gate.lockstep.ab import ab
from harness.history.entry import add_to_history, entry_of, entry_of_folder
from harness.history.folder import read_history
from harness.kept_file import read_json
from harness.results.run import Run
from tests.harness.history.generated import git

CODE = """
def work(times):
    total = 0
    for number in range(times):
        total += number * number % 7
    return total
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.gate.lockstep.launch.LAUNCH_NS", 20_000_000)
    monkeypatch.setattr("harness.gate.lockstep.launch.WARM_SECONDS", 0.01)
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "kernels.py").write_text(CODE)
    (folder / "ci.yaml").write_text(
        'name: project\ncalls:\n  work: {call: "kernels:work", arguments: [3000], threads: 1}\n'
    )
    (folder / ".gitignore").write_text("results/\n__pycache__/\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "base")
    (folder / "kernels.py").write_text(CODE.replace("% 7", "% 7 + 0"))
    git(folder, "commit", "-qam", "head")
    return folder


def test_ratios_of_ci_and_ab_are_to_the_commit_of_the_base(project: Path) -> None:
    base, head = git(project, "rev-list", "--reverse", "HEAD").split()
    change = ci("HEAD~1", "ci.yaml", minutes=0.1, seed=1)
    compared = ab("call=kernels:work,arguments=[3000],revision=HEAD~1", "here", launches=1, minutes=1.0, threads=1)
    of_ci, of_ab = (
        add_to_history(str(change.folder), "results/history"),
        add_to_history(str(compared.folder), "results/history"),
    )
    assert of_ci.rows is not None and of_ci.verdict is not None and of_ab.verdict is not None
    rows = read_history("results/history").table.to_pylist()
    assert {(one["suite"], one["metric"], one["kind"], one["unit"]) for one in rows} == {
        ("project", "time", "ratio", "ratio"),
        ("ab", "time", "ratio", "ratio"),
    }
    for one in rows:
        assert (one["commit"], one["pinned"], one["parents"], one["branch"]) == (head, base, [base], "main")
        assert one["dirty"] is False and one["depends_on"] == "time" and one["launches"] >= 1
        assert one["value"] > 0 and "in lockstep" in one["definition"]
    where = next(json.loads(one["where"]) for one in rows if one["suite"] == "project")
    assert where == {"arguments": "[3000]", "call": "work", "function": "kernels:work", "threads": 1}
    verdicts = read_history("results/history").verdicts
    assert sorted((one.kind, one.commit, one.base) for one in verdicts) == [("ab", head, base), ("ci", head, base)]
    again = add_to_history(str(change.folder), "results/history")
    assert again.rows is not None and not again.rows.is_new and again.verdict is not None and not again.verdict.is_new


def test_unchanged_code_is_a_ratio_of_one(project: Path) -> None:
    (project / "README").write_text("words")
    change = ci("HEAD", "ci.yaml", minutes=0.1, seed=1)
    (one,) = entry_of_folder(change.folder).rows
    assert (one.value, one.launches, one.dirty, one.status) == (1.0, 0, True, "ok")
    assert one.interval is not None and one.interval.startswith("exact")


def test_two_arms_of_one_commit_have_no_pinned_one(project: Path) -> None:
    compared = ab(
        "call=kernels:work,arguments=[3000]", "call=kernels:work,arguments=[3100]", launches=1, minutes=1.0, threads=1
    )
    (one,) = entry_of_folder(compared.folder).rows
    assert (
        one.pinned is None and one.kind == "ratio" and json.loads(json.loads(one.where)["a"]) == {"arguments": "[3000]"}
    )


def test_a_folder_of_an_earlier_version_says_what_it_lacks(project: Path) -> None:
    change = ci("HEAD~1", "ci.yaml", minutes=0.1, seed=1)
    path = change.folder / VERDICT
    said = json.loads(read_json(path, VERDICT))
    for name in ("states", "suite_name", "suite_hash", "suite_text", "machine_class", "time"):
        del said[name]
    path.write_text(json.dumps(said))
    entry = entry_of_folder(change.folder)
    assert entry.rows == () and "an earlier version of harness wrote this without commits" in entry.notes[0]
    with pytest.raises(UserError, match="nothing to add"):
        add_to_history(str(change.folder), "results/history")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"judged": 1, "states": 2}', '{"arms": {}, "states": {}}', "\0"]
)
def test_a_damaged_verdict_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / VERDICT).write_text(content)
    with pytest.raises(UserError, match="verdict"):
        entry_of(str(tmp_path))


def test_a_flipped_bit_of_a_verdict_is_noticed(project: Path) -> None:
    path = ci("HEAD~1", "ci.yaml", minutes=0.1, seed=1).folder / VERDICT
    path.write_text(path.read_text().replace('"margin": 0.05', '"margin": 0.06'))
    with pytest.raises(UserError, match="its sha256 is another"):
        entry_of_folder(path.parent)


def test_a_run_is_added_with_all_its_records(full_run: Run, tmp_path: Path) -> None:
    kept = add_to_history(str(full_run.folder), tmp_path / "history")
    rows = read_history(tmp_path / "history").rows
    assert kept.rows is not None and len(rows) == sum(len(cell.records) for cell in full_run.cells)
    assert set(rows["suite"]) == {full_run.manifest.suite} and set(rows["commit"]) == {full_run.manifest.git["commit"]}
    times = rows[rows["metric"] == "decode_rate"]
    assert set(times["depends_on"]) == {"time"} and set(times["launches"]) == {5} and set(times["kind"]) == {"value"}
    assert rows[rows["metric"] == "perplexity"]["depends_on"].isna().all()


def test_a_baseline_is_the_run_that_it_was_set_from(full_run: Run, tmp_path: Path) -> None:
    kept = add_to_history(str(full_run.folder), tmp_path / "history")
    baseline = set_baseline(
        full_run,
        name="b",
        why="a test",
        by="me",
        incomplete=True,
        dirty=True,
        below=tmp_path / "baselines",
    ).run
    again = add_to_history(str(baseline.folder), tmp_path / "history")
    assert kept.rows is not None and again.rows is not None
    assert again.rows == replace(kept.rows, is_new=False) and again.entry.name == full_run.manifest.run


def test_a_model_that_the_suite_changed_is_another_entry(full_run: Run, builders: ModuleType, tmp_path: Path) -> None:
    found = []
    for preset in ("nano", "micro"):
        text = f"name: s\nmodels:\n  nano: {{reference: {preset}}}\n"
        run = builders.write_run(tmp_path / preset, cells=full_run.cells[:1], suite_text=text)
        found.append(entry_of(str(run.folder)).rows[0])
    a, b = found
    assert a.model == "nano" and a.model_entry and b.model_entry
    assert a.model_entry != b.model_entry and a.cell == b.cell


def test_the_commands_add_what_they_measure(project: Path) -> None:
    words = ["--history", "results/history"]
    run = CliRunner().invoke
    done = run(
        app,
        [
            "ab",
            "--a",
            "call=kernels:work,arguments=[3000],revision=HEAD~1",
            "--b",
            "here",
            "--launches",
            "1",
            "--threads",
            "1",
            *words,
        ],
    )
    assert "1 row of" in done.output and "was added" in done.output and "the verdict on" in done.output
    done = run(app, ["ci", "ci.yaml", "--base", "HEAD~1", "--minutes", "0.1", *words])
    assert "1 row of" in done.output
    assert len(read_history("results/history").table) == 2
    (project / "file").write_text("")
    done = run(app, ["ci", "ci.yaml", "--base", "HEAD~1", "--history", "file"])
    assert isinstance(done.exception, UserError) and "--history: file is a file" in str(done.exception)
