"""A baseline is found by its name, told from a run of that name, and believed where its log tells of what is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness import kept_file
from harness.errors import ExitCode, UserError
from harness.results.baseline import LOG, Baseline, BaselineMissing, Move, baselines, suite_baseline
from harness.results.find import find_cells, find_run, find_whole_name
from harness.results.run_folder import CELLS, MANIFEST

Makes = Callable[..., Baseline]


@pytest.fixture
def make(builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Makes:
    """Writes a baseline by hand: a run folder with a log."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, moves: int = 1, **manifest: Any) -> Baseline:
        folder = tmp_path / "results/baselines" / name
        run = run_of(builders, folder, f"id of {name}", **manifest)
        kept_file.write_lines(folder / LOG, [move(run, n).model_dump_json() for n in range(1, moves + 1)], LOG)
        return Baseline(Path("results/baselines") / name)

    return write


def run_of(builders: ModuleType, folder: Path, identity: str, **manifest: Any) -> Any:
    """A run of two cells."""
    axes, sizes = {"precision": "fp32", "device": "cpu", "threads": 2}, {"context": 512}
    cells = [
        builders.cell_result(folder, name, "memory", axes, sizes, builders.memory_measurements(name, "fp32"))
        for name in ("nano", "micro")
    ]
    cells = [cell.model_copy(update={"run_id": identity}) for cell in cells]
    return builders.write_run(folder, cells=cells, id=identity, **manifest)


def move(run: Any, number: int, **more: Any) -> Move:
    told = {"run": run.name, "run_id": run.manifest.id, "started": run.manifest.started, "suite": run.manifest.suite}
    told |= {"suite_hash": "0", "number": number, "time": "2026-11-30T00:00:00+00:00", "who": "me", "why": "first"}
    return Move(**told | {"cells_sha256": kept_file.content_sha256(run.folder / CELLS)} | more)


def test_a_baseline_goes_by_its_name(make: Makes, builders: ModuleType, tmp_path: Path) -> None:
    make("main")
    out = tmp_path / "results/runs"
    for name in ("baseline:main", "main", "results/baselines/main"):
        for find in (find_run, find_cells, find_whole_name):
            assert find(name, out).manifest.id == "id of main"
    run_of(builders, out / "20260101-000000-s", "a run")
    with pytest.raises(UserError, match="no run 'mai'; runs here: 20260101-000000-s"):
        find_run("mai", out)
    assert find_run("2026", out).manifest.id == find_run("latest", out).manifest.id == "a run"


def test_a_run_of_the_same_name_is_told_from_it(
    make: Makes, builders: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make("ci")
    out = tmp_path / "results/runs"
    run_of(builders, out / "20260101-ci", "a run")
    assert find_run("ci", out).manifest.id == "id of ci", "a whole name comes before a part of one"
    assert "'ci' is the baseline baseline:ci here; the run is called 20260101-ci" in caplog.text
    run_of(builders, out / "ci", "another run")
    with pytest.raises(UserError, match="a run and a baseline are both called 'ci': baseline:ci is the baseline, and"):
        find_run("ci", out)
    assert find_run("baseline:ci", out).manifest.id == "id of ci"
    assert find_run(str(out / "ci"), out).manifest.id == "another run"


@pytest.mark.parametrize("name", ["mian", "", "../runs", "/etc", "a/b", "latest"])
def test_a_baseline_that_is_not_there(make: Makes, tmp_path: Path, name: str) -> None:
    make("main")
    with pytest.raises(BaselineMissing, match="baselines here: main") as caught:
        find_run(f"baseline:{name}", tmp_path)
    assert caught.value.exit_code is ExitCode.BASELINE_MISSING
    assert ("did you mean 'main'?" in str(caught.value)) == (name == "mian")


def test_a_file_names_a_run_by_its_whole_name(make: Makes, builders: ModuleType, tmp_path: Path) -> None:
    run_of(builders, tmp_path / "20260101-ci", "a run")
    assert find_whole_name("20260101-ci", tmp_path).manifest.id == "a run"
    for name in ("ci", "latest", "", "2026"):
        with pytest.raises(BaselineMissing, match="there is no run and no baseline"):
            find_whole_name(name, tmp_path)


def _no_log(folder: Path) -> None:
    (folder / LOG).unlink()


def _cut_short(folder: Path) -> None:
    content = (folder / LOG).read_bytes()
    (folder / LOG).write_bytes(content[:-20])


def _empty(folder: Path) -> None:
    (folder / LOG).write_bytes(b"")


def _other_cells(folder: Path) -> None:
    lines = (folder / CELLS).read_bytes().splitlines(keepends=True)
    (folder / CELLS).write_bytes(b"".join(lines[1:]))


def _no_cells(folder: Path) -> None:
    (folder / CELLS).unlink()


def _other_run(folder: Path) -> None:
    manifest = Baseline(folder).run.manifest.model_copy(update={"id": "another", "run": "b"})
    kept_file.write_json(folder / MANIFEST, manifest.model_dump_json(), MANIFEST)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_no_log, "there is no log.jsonl in this folder, so nobody knows who made it a baseline and why"),
        (_cut_short, "log.jsonl is cut short, or its last line is damaged"),
        (_empty, "log.jsonl is cut short"),
        (_other_cells, "cells.jsonl is not what was set .*: it was changed by hand"),
        (_no_cells, "cells.jsonl can't be read"),
        (_other_run, "the log was last moved to the run main, and what lies here is b"),
    ],
)
def test_what_was_moved_otherwise_is_not_believed(
    make: Makes, tmp_path: Path, damage: Callable[[Path], None], told: str
) -> None:
    damage(make("main", 2).folder)
    with pytest.raises(UserError, match=told) as caught:
        find_cells("baseline:main", tmp_path)
    assert caught.value.exit_code is ExitCode.USAGE and "set it with `harness baseline set`" in str(caught.value)


def test_a_damaged_manifest_and_one_of_a_later_version_are_named(make: Makes, tmp_path: Path) -> None:
    folder = make("main").folder
    manifest = Baseline(folder).run.manifest
    kept_file.write_json(
        folder / MANIFEST, manifest.model_copy(update={"schema_version": 99}).model_dump_json(), MANIFEST
    )
    with pytest.raises(UserError, match=r"main/manifest.json: written by a later version of harness \(format 99"):
        find_run("main", tmp_path)
    (folder / MANIFEST).write_text((folder / MANIFEST).read_text().replace("quickstart", "slowstart"))
    with pytest.raises(UserError, match="the manifest is corrupted"):
        find_run("main", tmp_path)


def test_a_hole_in_the_log_is_told_of_and_the_baseline_holds(
    make: Makes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make("main", 5).folder
    lines = (folder / LOG).read_bytes().splitlines(keepends=True)
    (folder / LOG).write_bytes(b"".join([lines[0], lines[1].replace(b"first", b"worst"), lines[4]]))
    assert find_cells("baseline:main", tmp_path).cells
    said = caplog.text
    assert "log.jsonl:2: this line is damaged (its sha256 is another than when it was written)" in said
    assert "log.jsonl:3: this is move 5, and 3 was expected: lines are missing" in said


def test_a_repair_ends_the_damage_before_it(make: Makes) -> None:
    baseline = make("main", 2)
    texts = [move(baseline.run, 1), move(baseline.run, 7), move(baseline.run, 8, damage=("lines were lost",))]
    kept_file.write_lines(baseline.folder / LOG, [text.model_dump_json() for text in texts], LOG)
    again = Baseline(baseline.folder)
    assert again.log_damage == [] and again.why_not is None


def test_the_baseline_of_a_suite(make: Makes, tmp_path: Path) -> None:
    with pytest.raises(BaselineMissing, match="there is no baseline of the suite quickstart"):
        suite_baseline("quickstart")
    make("main")
    assert suite_baseline("quickstart").name == "main"
    make("release")
    with pytest.raises(
        UserError, match="several baselines are of the suite quickstart: name one of baseline:main, bas"
    ):
        suite_baseline("quickstart")
    make("quickstart")
    assert suite_baseline("quickstart").name == "quickstart"
    assert [one.name for one in baselines()] == ["main", "quickstart", "release"]
    (tmp_path / "results/baselines/.building").mkdir(), (tmp_path / "results/baselines/empty").mkdir()
    assert len(baselines()) == 3
