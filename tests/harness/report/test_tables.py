"""The tables of a run: what they hold, and the three printers."""

from __future__ import annotations

import io
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from harness.comparison.compare import comparison_rows
from harness.measures.task.summary import WRONG_BY_SPACE
from harness.report.comparison import comparison_tables
from harness.report.environment import summary, warnings
from harness.report.findings import finding_tables
from harness.report.making import of_run
from harness.report.markdown import markdown, write_markdown
from harness.report.outcomes import expectation_table
from harness.report.results import result_tables
from harness.report.table import Table
from harness.report.tables import print_table
from harness.report.terminal import print_places, print_run, print_runs
from harness.results.journal import Journal
from harness.results.record import Direction, Measurement, Metric, Status
from harness.results.run import Run
from harness.tasks.judging.metric_table import BUILT_IN


def terminal(function: Any, *arguments: Any, width: int = 130) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    function(*arguments, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def print_tables(tables: list[Table], console: Console) -> None:
    for table in tables:
        print_table(table, console)


def cell(table: Table, column: str, *lead: str) -> str:
    names = [item.name for item in table.columns]
    (row,) = [row for row in table.rows if tuple(map(str, row.cells[: len(lead)])) == lead]
    return str(row.cells[names.index(column)])


def test_one_table_per_measure(full_run: Run) -> None:
    quality, speed, memory = result_tables(full_run)
    assert [quality.title, speed.title, memory.title] == ["perplexity", "inference", "memory"]
    assert [column.header for column in speed.columns] == [
        "model", "precision", "batch", "ttft (ms)", "tpot (ms)", "prefill rate (tokens/s)",
        "decode rate (tokens/s)", "mfu (%)", "mbu (%)",
    ]  # fmt: skip
    assert quality.caption == "device cpu, threads 2, window 256, stride 128, bos no"
    assert len(speed.rows) == 4 * 4 * 2


def test_a_window_that_each_model_settled_stands_in_the_table(builders: ModuleType, tmp_path: Path) -> None:
    def table(windows: dict[str, int]) -> Table:
        cells = [
            builders.cell_result(
                tmp_path, model, "perplexity", {"precision": "fp32"}, {"text": "t", "window": None},
                builders.quality_measurements(builders.quality_samples(model, "fp32")),
            ).model_copy(update={"resolved": {"window": window, "stride": 16, "whole_documents": False}})
            for model, window in windows.items()
        ]  # fmt: skip
        [found] = result_tables(builders.write_run(tmp_path / str(windows), cells=cells))
        return found

    apart = table({"nano": 32, "micro": 512})
    assert [column.name for column in apart.columns[:2]] == ["model", "window"]
    assert cell(apart, "window", "nano") == "32" and cell(apart, "window", "micro") == "512"
    assert "these rows can't be ranked, because they were measured differently (window 32 (nano), 512 (micro))" in str(
        apart.notes
    )
    alike = table({"nano": 32, "micro": 32})
    assert "window 32, stride 16" in alike.caption and "can't be ranked" not in str(alike.notes)


def test_settings_of_a_model_alone_are_told_below(builders: ModuleType, tmp_path: Path) -> None:
    cells = [
        builders.cell_result(
            tmp_path, model, "inference", {"precision": p}, {"batch": 1, "iterations": iterations},
            builders.speed_measurements(model, p, 1),
        )
        for model, iterations in (("nano", 10), ("micro", 10), ("smollm2", 3))
        for p in ("fp32", "int8")
    ]  # fmt: skip
    (table,) = result_tables(builders.write_run(tmp_path, cells=cells))
    assert [column.name for column in table.columns[:3]] == ["model", "precision", "ttft"]
    assert table.notes[:2] == ("nano, micro: iterations 10", "smollm2: iterations 3")
    assert table.caption == "batch 1"


def test_what_space_alone_makes_wrong_has_a_column(builders: ModuleType, tmp_path: Path) -> None:
    exact_match = Measurement(metric=BUILT_IN["exact_match"].metric, value=0.5, n=8)
    for count in (0, 3):
        told = Measurement(metric=WRONG_BY_SPACE, value=count, n=8, n_unit="documents")
        at = ("nano", "task", {"precision": "fp32"}, {"task": "t", "mode": "lm-eval"})
        cells = [builders.cell_result(tmp_path, *at, [exact_match, told])]
        (table,) = result_tables(builders.write_run(tmp_path, cells=cells))
        assert ("wrong by space" in [column.name for column in table.columns]) is (count > 0)


def test_a_files_own_metric_is_shown_whatever_its_name(builders: ModuleType, tmp_path: Path) -> None:
    own = Metric(name="likelihood", version=2, unit="score", direction=Direction.HIGHER, definition="of the file")
    assert own.id == BUILT_IN["likelihood"].metric.id and BUILT_IN["likelihood"].metric.detail
    at = ("nano", "task", {"precision": "fp32"}, {"task": "t"})
    cells = [builders.cell_result(tmp_path, *at, [Measurement(metric=own, value=0.3)])]
    (table,) = result_tables(builders.write_run(tmp_path, cells=cells))
    assert "likelihood" in [column.name for column in table.columns]


def test_a_cell_shows_value_and_interval(full_run: Run) -> None:
    quality, _, memory = result_tables(full_run)
    frame = full_run.records.query("model == 'micro' and precision == 'int8' and metric == 'perplexity'").iloc[0]
    shown = cell(quality, "perplexity", "micro", "int8")
    assert shown == f"{frame.value:.2f} [{frame.low:.2f}, {frame.high:.2f}]"
    assert cell(memory, "weight bytes", "smollm2", "fp32") == "513.1"


def test_cells_that_failed_stay_and_say_why(full_run: Run) -> None:
    speed = result_tables(full_run)[1]
    assert cell(speed, "ttft", "mini", "int4", "8") == "failed"
    assert cell(speed, "ttft", "smollm2", "fp32", "8") == "out of memory"
    assert "mini, int4, batch 8 failed: RuntimeError: no int4 kernel for <batch 8> & more" in speed.notes
    assert "smollm2, fp32, batch 8 ran out of memory: the process was killed at 6.2 GiB" in speed.notes


def test_a_measure_of_which_every_cell_failed(builders: ModuleType, tmp_path: Path) -> None:
    cells = [
        builders.cell_result(
            tmp_path, "nano", "memory", {"precision": p}, {"context": 8}, [], status=Status.SKIPPED, reason="too [long]"
        )
        for p in ("fp32", "int8")
    ]
    run = builders.write_run(tmp_path, cells=cells)
    text = terminal(print_run, run)
    assert text.count("skipped: too [long]") == 2
    assert "too \\[long\\]" in markdown(of_run(run))


def test_rows_follow_the_plan_not_the_clock(builders: ModuleType, full_run: Run, tmp_path: Path) -> None:
    cells = builders.full_cells(tmp_path)
    keys = [item.key for item in cells]
    turned = builders.write_run(tmp_path, cells=cells[::-1])
    planned = turned.manifest.model_copy(update={"cells": keys})
    Journal(tmp_path).write_manifest(planned)
    assert result_tables(Run(tmp_path))[0].rows == result_tables(full_run)[0].rows


def test_findings(full_run: Run) -> None:
    law, cost = finding_tables(full_run.findings)
    assert law.title == "scaling law" and cost.title == "quantization cost"
    assert "0.12" in cell(law, "value", "exponent")
    assert cell(cost, "perplexity", "nano", "int4", "1").startswith("1.082")
    # perplexity knows no batch: it stands once, on the first row
    assert cell(cost, "perplexity", "nano", "int4", "8") == ""
    assert cell(cost, "decode rate", "smollm2", "int8", "8") == "–"
    assert any("the base ran out of memory" in note for note in cost.notes)


def test_expectations(full_run: Run) -> None:
    table = expectation_table(full_run.expectations)
    assert table.caption == "11 met, 4 unmet, 3 undecided"
    assert {row.state for row in table.rows} == {"met", "unmet", "undecided"}
    assert table.rows[0].cells[0] == "perplexity (int8) / perplexity (fp32) at most 1.01"
    assert [row.cells[0] for row in table.rows[1:4]] == ["", "", ""]


def test_terminal(full_run: Run) -> None:
    text = terminal(print_run, full_run)
    for word in ("quickstart", "decode rate", "±", "out of memory", "scaling law", "unmet", "Example CPU", "2 cores"):
        assert word in text
    assert max(map(len, text.splitlines())) <= 130


def test_nothing_in_a_run_is_markup(builders: ModuleType, tmp_path: Path) -> None:
    nasty = "[bold]x[/nope] :smile: [link=http://a]"
    cells = [
        builders.cell_result(
            tmp_path, "nano", "memory", {"precision": "fp32"}, {"context": 8}, [], status=Status.FAILED, reason=nasty
        )
    ]
    run = builders.write_run(tmp_path, cells=cells, about=nasty)
    assert terminal(print_run, run).count(nasty) == 2


def test_narrow_terminals_break_between_numbers_only(full_run: Run) -> None:
    text = terminal(print_run, full_run, width=60)
    assert max(map(len, text.splitlines())) <= 60


def test_terminal_is_quick(full_run: Run) -> None:
    """Under 0.3 s of CPU on a small machine; the test allows a busy one."""
    terminal(print_run, full_run)
    began = time.process_time()
    terminal(print_run, full_run)
    assert time.process_time() - began < 0.6


def test_warnings(builders: ModuleType, full_run: Run, tmp_path: Path) -> None:
    assert warnings(full_run) == []
    cells = [
        builders.cell_result(tmp_path, "nano", "inference", {"precision": "fp32"}, {"batch": 1}, [], others=others)
        for others in (0.02, 0.35)
    ]
    cells[1] = cells[1].model_copy(update={"key": "other"})
    run = builders.write_run(
        tmp_path,
        cells=cells,
        status="interrupted",
        git={"commit": "x", "dirty": True},
    )
    manifest = run.manifest.model_copy(update={"cells": [*run.manifest.cells, "missing"]})
    Journal(tmp_path).write_manifest(manifest)
    said = warnings(Run(tmp_path))
    assert said[0].startswith("the run is interrupted, 1 of 3 cells are missing; `harness run --resume ")
    assert said[1].startswith("the machine was busy: other programs took up to 35% of its cores in 1 of 2")
    assert said[2] == "the working folder had uncommitted changes"


def test_numbers_from_the_cache_bring_their_warning(builders: ModuleType, tmp_path: Path) -> None:
    """The numbers are the same as on the busy machine, so the doubt is too."""
    cell = builders.cell_result(tmp_path, "nano", "inference", {}, {"batch": 1}, [], others=0.35)
    said = [
        warnings(builders.write_run(tmp_path, cells=[cell.model_copy(update={"source": source})]))
        for source in ("measured", "cache")
    ]
    assert said[0] == said[1] and "took up to 35% of its cores in 1 of 1" in said[0][0]


def test_summary(full_run: Run) -> None:
    assert summary(full_run) == (
        "Example CPU @ 2.80GHz, 2 cores, 8 GiB, python 3.11.9, torch 2.13.0, transformers 5.23.0, "
        "finished after 4 min 11 s"
    )


def test_markdown(full_run: Run) -> None:
    text = markdown(of_run(full_run))
    lines = text.splitlines()
    header = next(line for line in lines if line.startswith("| model | precision | batch | ttft"))
    rows = lines[lines.index(header) + 2 : lines.index(header) + 34]
    assert all(row.count(" | ") == header.count(" | ") for row in rows)
    assert "&lt;batch 8> &amp; more" in text.replace("\\", "") and "<batch" not in text
    assert "Made by `harness run suites/quickstart.yaml`." in text
    write_markdown(of_run(full_run), full_run.folder / "summary.md")
    assert (full_run.folder / "summary.md").read_text() == text


def test_places_and_list(full_run: Run, tmp_path: Path) -> None:
    write_markdown(of_run(full_run), full_run.folder / "summary.md")
    assert str(full_run.folder / "summary.md") in terminal(print_places, full_run.folder, width=40)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{")
    text = terminal(print_runs, [full_run, Run(broken)])
    assert "64 of 64" in text and "4 min 11 s" in text and "corrupted" in text
    assert "no runs here yet" in terminal(print_runs, [])


def test_comparison(builders: ModuleType, full_run: Run, tmp_path: Path) -> None:
    cells = builders.full_cells(tmp_path, slower=1.2, fingerprint_class="other")
    other = builders.write_run(tmp_path, cells=cells, fingerprint={"cpu_model": "Other"}, fingerprint_class="other")
    text = terminal(print_tables, comparison_tables(*comparison_rows(full_run, other)))
    assert "not comparable" in text and "the machines differ: cpu_model" in text and "more cells" in text
    assert "same" in text
    nothing = builders.write_run(tmp_path / "empty", cells=[])
    assert comparison_tables(*comparison_rows(nothing, nothing)) == []


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_real_run_prints(finished_run: Run, width: int) -> None:
    """What the measures really emit, at any width."""
    text = terminal(print_run, finished_run, width=width)
    assert "tiny" in text and "perplexity" in text


def test_notes_of_cells_stand_below_their_table(builders: ModuleType, tmp_path: Path) -> None:
    cells = [
        builders.cell_result(
            tmp_path, model, "inference", {"precision": "fp32"}, {"batch": 1},
            builders.speed_measurements(model, "fp32", 1),
        ).model_copy(update={"notes": notes})
        for model, notes in (("nano", ["of all"]), ("micro", ["of all", "of one [a, b]"]))
    ]  # fmt: skip
    run = builders.write_run(tmp_path, cells=cells)
    (table,) = result_tables(run)
    assert table.notes[-2:] == ("of all", "micro: of one [a, b]")
    assert "micro: of one [a, b]" in terminal(print_run, run)
    assert r"micro: of one \[a, b\]" in markdown(of_run(run))
