"""Runs of earlier versions are read by this one: their records, samples, findings, comparisons and reports."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.console import Console

import harness
from harness import kept_file, notice
from harness.cli.app import app
from harness.errors import UserError
from harness.measures.measure import in_first_row
from harness.measures.registry import MEASURES
from harness.report.terminal import print_runs
from harness.results.find import find_run
from harness.results.fingerprint import Fingerprint
from harness.results.record import CellResult, Status, whole_numbers
from harness.results.records_frame import records_frame
from harness.results.run import Run
from harness.results.run_folder import CELLS, MANIFEST
from harness.results.schema_version import LaterVersion
from harness.results.software import software_changes

STORED = Path(__file__).parents[2] / "stored"
MISSING = ["report.html: it is missing; `harness report"]
"""What is said of it: the page was left out, being fifty times the rest."""


def unpack(version: int, folder: Path) -> Path:
    with tarfile.open(STORED / f"run-{version}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "every"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(2, tmp_path_factory.mktemp("stored"))


@pytest.fixture
def run(unpacked: Path, tmp_path: Path) -> Run:
    """A copy, which may be written to."""
    return Run(shutil.copytree(unpacked, tmp_path / "every"))


def stored(run: Run, name: str) -> pd.DataFrame:
    """A table as it was written, read by no code of ours."""
    return pq.ParquetFile(run.folder / name).read().to_pandas()


def test_it_is_whole(run: Run) -> None:
    assert run.manifest.status == "finished" and run.manifest.suite == "every"
    assert len({cell.measure for cell in run.cells}) == 12 and {cell.measure for cell in run.cells} <= set(MEASURES)
    assert Counter(cell.status for cell in run.cells) == {Status.OK: 23, Status.SKIPPED: 3}
    assert [sentence.removeprefix(f"{run.folder}/")[: len(MISSING[0])] for sentence in run.damage] == MISSING
    assert not run.unchecked
    assert run.manifest.fingerprint_class == "49abba2de8aa"


def test_its_records_are_those_that_were_written(run: Run) -> None:
    """Column by column; a later version may add some."""
    before, now = stored(run, "records.parquet"), run.records
    assert len(before) == len(now) == 174
    assert set(before.columns) <= set(now.columns)
    pd.testing.assert_frame_equal(now[before.columns], before, check_exact=True, check_dtype=False)
    known = before.set_index(["measure", "metric", "precision"])["value"]
    assert known["perplexity", "perplexity", "fp32"] == 114.83319169352791


def test_its_samples_are_those_that_were_written(run: Run) -> None:
    kept = [cell for cell in run.cells if cell.samples is not None]
    assert {cell.measure for cell in kept} == {cell.measure for cell in run.cells}
    for cell in kept:
        assert cell.samples is not None
        before, now = stored(run, cell.samples), run.samples_of(cell)
        assert len(now) > 0
        pd.testing.assert_frame_equal(now[before.columns], before, check_exact=True, check_dtype=False)


def test_compared_with_itself_it_is_the_same(run: Run) -> None:
    found = harness.compare(run.folder, run.folder)
    assert len(found) == 174 and found["comparable"].sum() > 160
    changes = found.loc[found["comparable"], "change"].value_counts()
    assert changes["same"] == 100 and set(changes.index) <= {"same", "same?", "undecided", ""}, (
        "nothing is better or worse"
    )
    assert set(found["ratio"].dropna()) == {1.0}
    assert (found["base"].eq(found["head"]) | (found["base"].isna() & found["head"].isna())).all()
    assert found.loc[~found["comparable"], "reason"].str.startswith("skipped in the base: ").all()


def test_known_bad_a_cell_that_is_lost_is_seen(run: Run, unpacked: Path) -> None:
    cells = run.folder / "cells.jsonl"
    lines = cells.read_bytes().splitlines(keepends=True)
    cells.write_bytes(b"".join(lines[1:]))
    lost = Run(run.folder)
    assert any("1 of 26 cells are missing" in sentence for sentence in lost.damage)
    assert len(lost.records) < len(stored(lost, "records.parquet"))
    assert "only the base has this cell" in set(harness.compare(unpacked, run.folder)["reason"])


def test_its_documents_are_paired_and_explained(run: Run) -> None:
    found = harness.diff(run.folder, run.folder, of_base=["precision=fp32"], of_head=["precision=int8"])
    counts = found.counts.set_index("task")
    of_each = counts[["paired", "both", "only_base", "only_head", "neither"]].to_dict("index")
    assert {task: list(row.values()) for task, row in of_each.items()} == {
        "microworld_facts": [8, 2, 0, 0, 6],
        "microworld_addition_1": [8, 0, 0, 0, 8],
    }
    told: list[Any] = harness.explain(run.folder, "microworld_facts", 0)
    assert [one.at["precision"] for one in told] == ["fp32", "int8"]


def test_its_reports_are_made_again(run: Run) -> None:
    """From cells and samples alone, with the findings and outcomes that it had."""
    before = Run(shutil.copytree(run.folder, run.folder.with_name("before")))
    again = harness.make_report(run.folder)
    assert again.damage == []
    assert again.findings == before.findings != []
    assert again.expectations == before.expectations
    assert [item.outcome for item in again.expectations] == ["met", "unmet"]
    assert (again.folder / "report.html").stat().st_size > 100_000
    records, written = stored(again, "records.parquet"), stored(before, "records.parquet")
    pd.testing.assert_frame_equal(records[written.columns], written, check_exact=True, check_dtype=False)
    summary = (again.folder / "summary.md").read_text()
    for model_and_value in ("| tiny | fp32 |", "114.8"):
        assert model_and_value in summary


def test_a_run_without_checksums_is_read_and_marked(unpacked: Path, tmp_path: Path) -> None:
    """Of version 1, in another commit and with the same seeds: what was counted and what is not timed is the same."""
    old = Run(unpack(1, tmp_path))
    assert old.manifest.schema_version == 1 and old.unchecked
    assert [sentence for sentence in old.damage if "report.html" not in sentence] == []
    before, now = stored(old, "records.parquet"), old.records
    pd.testing.assert_frame_equal(now[before.columns], before, check_exact=True, check_dtype=False)
    found = harness.compare(old.folder, unpacked)
    numbers = found[found["measure"].isin(["perplexity", "fidelity"]) & found["comparable"]]
    assert len(numbers) > 10 and set(numbers["ratio"].dropna()) == {1.0}
    for cell in old.cells:
        if cell.samples is not None:
            assert len(old.samples_of(cell)) > 0


def test_it_is_compared_with_one_under_other_software(
    unpacked: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same machine with another torch: computed from the fingerprints that both manifests hold."""
    machine = Fingerprint.model_validate(run.manifest.fingerprint)
    upgraded = machine.model_copy(update={"packages": machine.packages | {"torch": "9.9.9"}})
    before, after = machine.class_id, upgraded.class_id
    assert before == "49abba2de8aa" != after and machine.machine_class == upgraded.machine_class == "885783be6fdb"
    lines = [kept_file.unseal(line, CELLS).decode() for line in (run.folder / CELLS).read_bytes().splitlines()]
    (run.folder / CELLS).write_text(
        "".join(f"{kept_file.seal(line.replace(before, after), CELLS)}\n" for line in lines)
    )
    told = {"fingerprint": upgraded.model_dump(mode="json"), "fingerprint_class": after}
    resealed_manifest(run, told)
    found = harness.compare(unpacked, run.folder)
    timed = found[found["metric"].isin(["ttft", "peak_memory", "seconds_cached"])]
    assert len(timed) == 6 and timed["comparable"].all()
    assert software_changes(Run(unpacked).manifest.fingerprint, Run(run.folder).manifest.fingerprint) == [
        f"torch: {machine.packages['torch']} and 9.9.9"
    ]
    with pytest.raises(SystemExit) as ended:
        app(["compare", str(unpacked), str(run.folder)])
    assert not ended.value.code and f"changed: torch: {machine.packages['torch']} and 9.9.9" in capsys.readouterr().out
    resealed_manifest(run, told | {"fingerprint": told["fingerprint"] | {"cores": 999}})
    assert not harness.compare(unpacked, run.folder).loc[timed.index, "comparable"].any(), "other hardware"


def test_it_says_nothing_of_what_measured_it(run: Run) -> None:
    assert {cell.provenance for cell in run.cells} == {cell.read for cell in run.cells} == {None}
    assert run.manifest.cached and set(run.records["commit"]) == {run.manifest.git.get("commit")}


def resealed_manifest(run: Run, changes: dict[str, Any]) -> None:
    """As another version of the harness would have written it, with its checksum."""
    path = run.folder / MANIFEST
    manifest = json.loads(kept_file.read_json(path, MANIFEST)) | changes
    kept_file.write_json(path, json.dumps(manifest), MANIFEST)


def resealed_line(run: Run, changes: dict[str, Any]) -> None:
    """The same of the second line of the cells."""
    path = run.folder / CELLS
    lines = path.read_bytes().splitlines()
    cell = json.loads(kept_file.unseal(lines[1], CELLS)) | changes
    lines[1] = kept_file.seal(json.dumps(cell), CELLS).encode()
    path.write_bytes(b"\n".join([*lines, b""]))


@pytest.mark.parametrize(
    ("command", "code"), [("compare RUN RUN", 0), ("explain RUN microworld_facts 0", 0), ("show RUN", 2)]
)
@pytest.mark.parametrize("name", ["report.html", "findings.json"])
def test_who_reads_cells_alone_misses_no_report(
    unpacked: Path, run: Run, command: str, code: int, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page is not in the archive; the findings are removed."""
    (run.folder / name).unlink(missing_ok=True)
    notice._told.clear()
    with pytest.raises(SystemExit) as ended:
        app(command.replace("RUN", str(run.folder)).split())
    told = capsys.readouterr()
    assert (ended.value.code or 0) == code and (f"{name}: it is missing" in told.err) == (code == 2), told.err


def test_who_reads_cells_alone_is_told_of_theirs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    next((run.folder / "samples").iterdir()).unlink()
    with pytest.raises(SystemExit) as ended:
        app(["compare", str(run.folder), str(run.folder)])
    assert ended.value.code == 2 and "the samples are missing" in capsys.readouterr().err


LATER = r"written by a later version of harness \(format 9; this one reads up to 2\): update"


@pytest.mark.parametrize("layout", [{}, {"suite": {"name": "every"}, "cells": None, "started": 5}])
def test_a_run_of_a_later_version_is_refused_by_name(run: Run, layout: dict[str, Any]) -> None:
    """Also where other things stand in it than in ours."""
    resealed_manifest(run, {"schema_version": 9} | layout)
    for what in ("manifest", "cells", "damage"):
        with pytest.raises(LaterVersion, match=f"{MANIFEST}: {LATER}"):
            getattr(Run(run.folder), what)


@pytest.mark.parametrize("layout", [{}, {"records": {}, "status": 1}])
def test_a_line_of_a_later_version_is_refused_by_name(run: Run, layout: dict[str, Any]) -> None:
    """It is whole: nobody says that it is damaged."""
    resealed_line(run, {"schema_version": 9} | layout)
    looks: list[Callable[[], object]] = [
        *(lambda: Run(run.folder).cells, lambda: Run(run.folder).damage, lambda: harness.make_report(run.folder))
    ]
    for look in looks:
        with pytest.raises(LaterVersion, match=f"{CELLS}:2: {LATER}"):
            look()


@pytest.mark.parametrize("version", [0, -1, "2", "two", 2.5, True, None])
def test_what_is_no_version_is_refused(run: Run, version: object) -> None:
    resealed_line(run, {"schema_version": version})
    damage = Run(run.folder).damage
    assert "cells.jsonl:2: this line is damaged (schema_version: Input should be " in damage[0]
    resealed_manifest(run, {"schema_version": version})
    with pytest.raises(UserError, match=r"the manifest is corrupted \(schema_version: Input should be "):
        _ = Run(run.folder).manifest


def test_a_run_of_a_later_version_is_a_line_of_the_list(
    run: Run, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    resealed_manifest(run, {"schema_version": 9, "suite": 1, "started": 5})
    print_runs([Run(run.folder)], Console(width=300))
    told = " ".join(capsys.readouterr().out.split())
    assert "every of a later version" in told and "this one reads up to 2" in told
    with pytest.raises(LaterVersion):
        find_run("latest", run.folder.parent)
    assert "a later version of harness wrote the manifest, so nobody knows" in caplog.text


def test_integers_that_a_cell_settled_stay_integers(run: Run) -> None:
    """An earlier version kept 256.0: a column of samples with gaps makes floats of its integers."""
    first, second = run.cells[:2]
    cell = CellResult.model_validate_json(first.model_copy(update={"resolved": {"context": 256.0}}).model_dump_json())
    assert cell.resolved == {"context": 256} and isinstance(cell.resolved["context"], int)
    kept = CellResult.model_validate({**first.model_dump(), "resolved": {"a": 0.5, "b": True, "c": float("inf")}})
    assert kept.resolved == {"a": 0.5, "b": True, "c": float("inf")} and kept.resolved["b"] is True
    samples = pd.DataFrame({"context": [256, None], "whole_documents": [True, None]})
    assert samples["context"].dtype == float
    assert str(whole_numbers(in_first_row("context", "whole_documents")(samples))["context"]) == "256"
    records = [one.model_copy(update={"resolved": cell.resolved}) for one in first.records] + second.records
    frame = records_frame(records)
    told = [frame.to_csv(), frame.to_html(), frame.to_string(), frame.to_json(orient="records")]
    assert all("256" in text and "256.0" not in text for text in told)
    assert len(frame.query("context == 256")) == len(first.records) and frame["context"].isna().any()
