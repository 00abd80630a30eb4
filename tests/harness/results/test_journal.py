"""A run folder is whole after every cell, whatever happens between two of them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from harness.errors import UserError
from harness.kept_file import read_json, write_json
from harness.results.find import find_run
from harness.results.finding import Finding
from harness.results.journal import Journal
from harness.results.manifest import Manifest
from harness.results.record import CellResult, Direction, Record, Status
from harness.results.run import Run
from harness.results.run_folder import CELLS, EXPECTATIONS, FINDINGS, MANIFEST


def manifest(name: str = "20260101-000000-s") -> Manifest:
    return Manifest(
        run=name, suite="s", suite_hash="h", suite_text="name: s", suite_source="s.yaml", started="2026-01-01T00:00:00"
    )


def cell(key: str, value: float = 1.0) -> CellResult:
    record = Record(
        key=key, model="m", measure="perplexity", axes={"precision": "fp32"}, settings={"window": 8}, metric="loss",
        metric_id="loss@1", value=value, unit="nats/token", direction=Direction.LOWER,
    )  # fmt: skip
    return CellResult(
        key=key, model="m", measure="perplexity", axes=record.axes, settings=record.settings, status=Status.OK,
        records=[record],
    )  # fmt: skip


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.start(tmp_path / "20260101-000000-s", manifest())


def test_what_was_appended_is_read_back(journal: Journal) -> None:
    samples = pd.DataFrame({"document": [0, 1], "nll": [1.5, 2.5]})
    journal.append(cell("a"), samples)
    journal.append(cell("b", float("inf")), None)
    run = Run(journal.folder)
    assert [item.key for item in run.cells] == ["a", "b"]
    pd.testing.assert_frame_equal(run.samples_of(run.cells[0]), samples)
    assert run.records["value"].tolist() == [1.0, float("inf")]
    assert run.records["window"].tolist() == [8, 8]
    assert run.samples_of(run.cells[1]).empty


def test_a_line_torn_by_a_kill_is_dropped_and_the_next_line_is_whole(journal: Journal) -> None:
    journal.append(cell("a"), None)
    with (journal.folder / CELLS).open("ab") as file:
        file.write(b'{"schema_version": 1, "key": "b", "mod')
    assert [item.key for item in Run(journal.folder).cells] == ["a"]
    journal.append(cell("c"), None)
    assert [item.key for item in Run(journal.folder).cells] == ["a", "c"]


def test_a_cell_measured_again_replaces_its_first_line(journal: Journal) -> None:
    journal.append(cell("a", 1.0), None)
    journal.append(cell("a", 2.0), None)
    assert [item.records[0].value for item in Run(journal.folder).cells] == [2.0]


def test_two_cells_of_one_key_keep_their_own_samples(journal: Journal) -> None:
    """Two names for one model have one key; where each was measured by itself, their times differ."""
    frames = {"m": pd.DataFrame({"x": [1.0]}), "n": pd.DataFrame({"x": [2.0]}), "o": pd.DataFrame({"x": [1.0]})}
    for model, samples in frames.items():
        journal.append(cell("a").model_copy(update={"model": model}), samples)
    journal.append(cell("a"), again := pd.DataFrame({"x": [3.0]}))  # measured again: its line is replaced
    run = Run(journal.folder)
    found = {one.model: run.samples_of(one) for one in run.cells}
    for model, samples in (frames | {"m": again}).items():
        pd.testing.assert_frame_equal(found[model], samples)
    assert run.damage == [] and len(list((journal.folder / "samples").iterdir())) <= 3


def test_a_corrupted_line_in_the_middle_is_named_and_the_rest_is_read(journal: Journal) -> None:
    journal.append(cell("a"), None)
    with (journal.folder / CELLS).open("ab") as file:
        file.write(b"not json\n")
    journal.append(cell("b"), None)
    run = Run(journal.folder)
    assert [item.key for item in run.cells] == ["a", "b"]
    (sentence,) = run.damage
    assert "cells.jsonl:2: this line is damaged" in sentence and "--resume" in sentence
    journal.drop_damaged(Run(journal.folder))
    assert [item.key for item in Run(journal.folder).cells] == ["a", "b"] and Run(journal.folder).damage == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"run": 3}', b"\xff\xfe", b"[]"])
def test_a_corrupted_manifest_is_one_sentence(journal: Journal, content: bytes) -> None:
    (journal.folder / "manifest.json").write_bytes(content)
    with pytest.raises(UserError, match="the manifest is corrupted"):
        _ = Run(journal.folder).manifest


def test_corrupted_samples_and_findings_are_one_sentence_each(journal: Journal) -> None:
    result = journal.append(cell("a"), pd.DataFrame({"x": [1]}))
    journal.write_findings([Finding(analysis="law", name="slope", value=1.0)], [])
    journal.with_reports((FINDINGS, EXPECTATIONS), [])
    run = Run(journal.folder)
    assert run.damage == [] and run.findings[0].value == 1.0
    (journal.folder / str(result.samples)).write_bytes(b"PAR1 no")
    findings = journal.folder / FINDINGS
    findings.write_text(findings.read_text().replace("1.0", "2.0"))
    run = Run(journal.folder)
    with pytest.raises(UserError, match="the samples can't be read"):
        run.samples_of(result)
    assert run.findings == []
    said = "\n".join(run.damage)
    assert len(run.damage) == 2 and "samples are damaged" in said and "findings.json: it is damaged" in said


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("manifest.json", "run the suite again, cached cells are kept"),
        ("cells.jsonl", "harness run --resume"),
        ("findings.json", "harness report"),
        ("expectations.json", "harness report"),
        ("samples/a.parquet", "run the suite again"),
    ],
)
def test_a_folder_in_place_of_a_file_is_named_with_the_fix(journal: Journal, name: str, fix: str) -> None:
    result = journal.append(cell("a"), pd.DataFrame({"x": [1]}))
    path = journal.folder / name
    path.unlink(missing_ok=True)
    path.mkdir()
    run = Run(journal.folder)
    with pytest.raises(UserError, match=f"^{path}: a folder stands where this file belongs; remove .*{fix}"):
        _ = run.manifest, run.cells, run.findings, run.expectations, run.samples_of(result)


def test_missing_samples_are_named(journal: Journal) -> None:
    result = journal.append(cell("a"), pd.DataFrame({"x": [1]}))
    (journal.folder / str(result.samples)).unlink()
    with pytest.raises(UserError, match=r"samples/a\.parquet: the samples are missing"):
        Run(journal.folder).samples_of(result)


@pytest.mark.parametrize("name", ["records.parquet", "findings.json"])
def test_no_folder_is_written_over(journal: Journal, name: str) -> None:
    journal.append(cell("a"), None)
    (journal.folder / name).mkdir()
    with pytest.raises(UserError, match=f"{name}: a folder stands where this file belongs"):
        journal.write_records(Run(journal.folder))
        journal.write_findings([], [])
    assert not list(journal.folder.glob("*.building")), "nothing is left behind"


def test_records_are_written_as_parquet_with_axes_and_settings_as_columns(journal: Journal) -> None:
    journal.append(cell("a"), None)
    journal.write_records(Run(journal.folder))
    frame = pd.read_parquet(journal.folder / "records.parquet")
    assert frame.loc[0, ["model", "precision", "window", "metric"]].tolist() == ["m", "fp32", 8, "loss"]


def test_runs_are_found_by_folder_name_part_or_latest(tmp_path: Path) -> None:
    for name in ("20260101-000000-s", "20260102-000000-s"):
        Journal.start(tmp_path / name, manifest(name))
    assert find_run("latest", tmp_path).name == "20260102-000000-s"
    assert find_run("0101", tmp_path).name == "20260101-000000-s"
    assert find_run(str(tmp_path / "20260101-000000-s"), tmp_path).name == "20260101-000000-s"
    with pytest.raises(UserError, match="fits 2 runs"):
        find_run("-s", tmp_path)
    with pytest.raises(UserError, match="no run 'nothing'; runs here: 20260101-000000-s"):
        find_run("nothing", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="not a run folder"):
        find_run(str(tmp_path / "empty"), tmp_path)


def test_a_part_of_a_name_fits_the_run_that_is_called_so_best(tmp_path: Path) -> None:
    names = ("20260103-103000-tiny", "20260104-103100-tiny-2", "20260105-103300-my-tiny", "imported")
    for name in names:
        Journal.start(tmp_path / name, manifest(name))
    first, second, mine, other = names
    for part, found in {
        **{"tiny": first, "tiny-": second, "20260104": second, "my": mine, "y-t": mine, "import": other, "port": other},
        **{"1033": mine, "20260103-10": first},
    }.items():
        assert find_run(part, tmp_path).name == found, part
    for part in ("3", "103", "33"):
        with pytest.raises(UserError, match=f"no run '{part}'; runs have no numbers: .*runs here: {other}, {first}"):
            find_run(part, tmp_path)
    with pytest.raises(UserError, match=f"'2' fits 3 runs: name one of {first}, {second}, {mine}$"):
        find_run("2", tmp_path)
    with pytest.raises(UserError, match=f"'tin' fits 2 runs: name one of {first}, {second}$"):
        find_run("tin", tmp_path)
    Journal.start(tmp_path / "3", manifest("3"))
    assert find_run("3", tmp_path).name == "3", "a whole name comes before all"
    for number in range(6):
        Journal.start(tmp_path / f"2026020{number}-103000-tiny", manifest("x"))
    with pytest.raises(UserError, match=r"'tiny' fits 7 runs: .* and 2 older ones"):
        find_run("tiny", tmp_path)


def test_a_manifest_keeps_what_a_later_version_added(journal: Journal) -> None:
    path = journal.folder / MANIFEST
    told = json.loads(read_json(path, MANIFEST)) | {"something_new": [1]}
    write_json(path, json.dumps(told), MANIFEST)
    assert Run(journal.folder).manifest.model_dump()["something_new"] == [1]
