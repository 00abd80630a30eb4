"""Whatever fails, fails alone: one task of a group, one cell, one analysis, one report; and says why in a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import harness
from harness import conclusion, workflow
from harness.analysis.registry import ANALYSES
from harness.errors import ExitCode, Unsupported, UserError, told, unexpected
from harness.execution import cell_results
from harness.execution.allowed import Allowed
from harness.execution.cell_cache import CellCache
from harness.execution.events import CellStarted, Event, Planned
from harness.measures.registry import MEASURES
from harness.report.making import of_run
from harness.report.markdown import markdown
from harness.report.report import Report
from harness.results.exit_code import exit_code
from harness.results.record import CellResult, Status
from harness.results.run import Run

BARE = re.compile(r"^[A-Za-z_.]*(Error|Exception|Interrupt|Exit)\b:?")
"""What a reason must not begin with: the name of a Python type is no sentence."""

BODY = """dataset_path: {rows}.jsonl
test_split: test
output_type: {kind}
doc_to_text: "{{{{q}}}}"
doc_to_target: a
"""


def reasons(run: Run) -> list[str]:
    """Every reason that a run tells."""
    told = [cell.reason for cell in run.cells] + [record.reason for cell in run.cells for record in cell.records]
    told += [finding.note for finding in run.findings if finding.failed]
    return [reason for reason in (*told, *run.manifest.problems) if reason]


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Two tasks, and a group of both; three documents in one and twelve in the other."""
    for name, count in (("small", 3), ("big", 12)):
        rows = [json.dumps({"q": f"the {name} number {i}:", "a": "the"}) for i in range(count)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
        (tmp_path / f"{name}.yaml").write_text(f"task: {name}\n" + BODY.format(rows=name, kind="loglikelihood"))
    return tmp_path


def suite(tasks: Path, llama: Path, measures: str, more: str = "", name: str = "fails") -> Path:
    path = tasks / f"{name}.suite"
    path.write_text(
        f"name: {name}\nmodels: {{m: {{transformers: {llama}}}}}\ntasks: {{paths: [{tasks}]}}\n"
        f"matrix: {{threads: 1, device: cpu}}\nmeasures:\n{measures}{more}"
    )
    return path


def values(run: Run, metric: str) -> dict[str | None, float | None]:
    return {r.part: r.value for cell in run.cells for r in cell.records if r.metric == metric}


@pytest.mark.parametrize(
    ("group", "told"),
    [
        ("aggregate_metric_list: [{metric: nosuch}]", "`nosuch`, which no task of the group gives"),
        ("aggregate_metric_list: {metric: nosuch}", "`nosuch`, which no task of the group gives"),
        ("aggregate_metric_list: [{metric: acc, filter_list: nofilter}]", "`acc` with the filter `nofilter`"),
        ("aggregate_metric_list: [{metric: acc, filter_list: [a, b]}]", "`acc` with the filter `b`"),
    ],
)
def test_a_group_that_names_what_no_task_gives_costs_no_number(
    tasks: Path, llama_folder: Path, tmp_path: Path, group: str, told: str
) -> None:
    (tasks / "g.yaml").write_text(f"group: g\ntask: [small, big]\n{group}\n")
    (tasks / "outer.yaml").write_text("group: outer\ntask: [g]\naggregate_metric_list: [{metric: acc}]\n")
    story = tasks / "text.jsonl"
    story.write_text('{"text": "once upon a time there was a cat"}\n')
    path = suite(tasks, llama_folder, f"  - task: {{task: outer}}\n  - perplexity: {{text: {story}}}\n")
    run = harness.run(str(path), out=tmp_path / "runs")
    assert [cell.status for cell in run.cells] == [Status.OK] * 2
    acc = values(run, "acc")
    assert None in acc and "g" not in acc and None not in (acc["small"], acc["big"])  # outer's own stands
    *_, missing = (record for cell in run.cells for record in cell.missing)
    assert (missing.part, missing.status) == ("g", Status.SKIPPED)
    assert missing.reason is not None and told in missing.reason and "`acc`" in missing.reason
    assert missing.reason.replace("`", "\\`").replace("_", "\\_") in markdown(of_run(run))
    assert exit_code(run) is ExitCode.PASS
    assert run.records["value"].notna().sum() > 5


def test_a_task_with_too_few_examples_costs_the_others_nothing(tasks: Path, llama_folder: Path, tmp_path: Path) -> None:
    (tasks / "g.yaml").write_text("group: g\ntask: [big, small]\naggregate_metric_list: [{metric: acc}]\n")
    path = suite(tasks, llama_folder, "  - task: {task: g, shots: 5}\n")
    run = harness.run(str(path), out=tmp_path / "runs")
    alone = harness.run(
        str(suite(tasks, llama_folder, "  - task: {task: big, shots: 5}\n", name="alone")), out=tmp_path
    )
    assert values(run, "acc") == {"big": values(alone, "acc")[None]}
    (cell,) = run.cells
    assert cell.status is Status.OK and not cell.whole and exit_code(run) is ExitCode.USAGE
    group, task = cell.missing
    assert "its task small has none" in (group.reason or "") and task.part == "small"
    assert (task.reason or "").startswith("task small: none of its 3 documents could be asked and judged: ")
    again = harness.run(str(run.folder), resume=True)
    assert values(again, "acc") == values(run, "acc") and again.folder == run.folder


def test_samples_that_can_t_be_summed_up_are_kept_and_need_no_model_again(
    tasks: Path, llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = tasks / "text.jsonl"
    story.write_text('{"text": "once upon a time there was a cat"}\n{"text": "and a dog"}\n')
    measures = f"  - perplexity: {{text: {story}}}\n  - inference: {{prompt: 8, generate: 2, iterations: 2}}\n"
    path = suite(tasks, llama_folder, measures)
    straight = harness.run(str(path), out=tmp_path / "straight", fresh=True)

    def fails(*given: object) -> list[Any]:
        raise TypeError("no sum")

    with monkeypatch.context() as patch:
        for name in ("perplexity", "inference"):
            patch.setitem(MEASURES, name, replace(MEASURES[name], summarize=fails))
        failed = harness.run(str(path), out=tmp_path / "runs", fresh=True)
    assert [cell.status for cell in failed.cells] == [Status.FAILED] * 2
    for cell in failed.cells:
        assert cell.reason == (
            "unexpected error while summing up the samples: no sum (TypeError); the traceback is in worker.log"
        )
        assert len(failed.samples_of(cell)) > 0 and CellCache().kept(cell.key) is not None
    assert "fails" in (failed.folder / "worker.log").read_text()
    started: list[Event] = []
    run = harness.run(str(path), out=tmp_path / "runs", resume=True, on_event=started.append)
    assert run.folder == failed.folder and exit_code(run) is ExitCode.PASS
    assert not [event for event in started if isinstance(event, CellStarted)]
    assert values(run, "perplexity") == values(straight, "perplexity")
    assert all(cell.seconds > 0 and CellCache().kept(cell.key) is None for cell in run.cells)


def test_an_analysis_that_fails_loses_neither_the_run_nor_the_others(
    finished_run: Run, tiny_suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(
        tiny_suite.replace("  - quantization_cost: {}", "  - few_shot_slope: {}\n  - quantization_cost: {}")
    )

    def fails(run: Run, settings: object) -> list[Any]:
        raise KeyError("precision")

    monkeypatch.setitem(ANALYSES, "few_shot_slope", replace(ANALYSES["few_shot_slope"], run=fails))
    run = harness.run(str(path), out=tmp_path / "runs")
    failed, *others = run.findings
    assert (failed.analysis, failed.failed, failed.value) == ("few_shot_slope", True, None)
    assert failed.note == (
        "unexpected error while running the analysis few_shot_slope: nothing is called 'precision' (KeyError); "
        "the traceback is in worker.log"
    )
    assert {item.analysis for item in others} == {"quantization_cost"}
    assert {item.outcome for item in run.expectations} == {"met"}
    assert exit_code(run) is ExitCode.USAGE
    assert "few\\_shot\\_slope" in (run.folder / "summary.md").read_text()
    assert "running the analysis few_shot_slope" in (run.folder / "report.html").read_text()
    assert "KeyError" in (run.folder / "worker.log").read_text()


def test_a_report_that_can_t_be_written_is_told_and_the_rest_is_there(
    finished_run: Run, tiny_suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_suite)

    def fails(report: Report, path: Path) -> None:
        raise RuntimeError("no page")

    with monkeypatch.context() as patch:
        patch.setattr(conclusion, "write_markdown", fails)
        run = harness.run(str(path), out=tmp_path / "runs")
    (problem,) = run.manifest.problems
    assert problem.startswith("unexpected error while writing summary.md: no page (RuntimeError)")
    assert exit_code(run) is ExitCode.USAGE and (run.folder / "report.html").is_file()
    again = harness.make_report(run.folder)
    assert again.manifest.problems == [] and exit_code(again) is ExitCode.PASS


def test_what_could_not_be_written_is_told_where_the_report_is_printed(
    finished_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(report: Report, path: Path) -> None:
        raise RuntimeError("no page")

    monkeypatch.setattr(conclusion, "write_html", fails)
    concluded = workflow.run_and_report(str(finished_run.folder.parent.parent / "tiny.yaml"), out=tmp_path)
    assert concluded.report is not None and set(concluded.run.manifest.problems) <= set(concluded.report.warnings)
    assert concluded.run.manifest.problems


def test_a_report_that_can_t_be_made_is_told_and_the_numbers_are_there(
    finished_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: object) -> Report:
        raise RuntimeError("no words")

    monkeypatch.setattr(conclusion, "of_run", fails)
    concluded = workflow.run_and_report(str(finished_run.folder.parent.parent / "tiny.yaml"), out=tmp_path)
    (problem,) = concluded.run.manifest.problems
    assert problem.startswith("unexpected error while making the report: no words (RuntimeError)")
    assert concluded.report is None and exit_code(concluded.run) is ExitCode.USAGE
    assert concluded.run.records.equals(Run(concluded.run.folder).records)


def test_samples_that_no_file_takes_cost_no_number(
    tasks: Path, llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_results, "_why_no_file", lambda samples: ValueError("mixed types"))
    story = tasks / "text.jsonl"
    story.write_text('{"text": "once upon a time there was a cat"}\n')
    run = harness.run(str(suite(tasks, llama_folder, f"  - perplexity: {{text: {story}}}\n")), out=tmp_path, fresh=True)
    (cell,) = run.cells
    assert cell.status is Status.OK and cell.samples is None and values(run, "perplexity")[None]
    (missing,) = cell.missing
    assert "while storing the samples: mixed types (ValueError)" in (missing.reason or "")
    assert exit_code(run) is ExitCode.USAGE


HELPER = """
def boom(*given):
    return 1 / 0

def half(*given):
    raise ValueError(chr(0xd800) + " half")

def silent(*given):
    raise AssertionError

def leaves(*given):
    raise SystemExit(3)

def no_rows(rows):
    return None

class Odd(Exception):
    def __str__(self):
        raise RuntimeError("no text")

def odd(*given):
    raise Odd

def items(*given):
    return {"score": object()}

def text(*given):
    return {"score": "x"}
"""
CODE = {
    "process_docs": "process_docs: !function f.{}",
    "doc_to_text": "doc_to_text: !function f.{}",
    "process_results": "process_results: !function f.{}\nmetric_list: [{{metric: score, aggregation: mean}}]",
    "aggregation": "metric_list: [{{metric: acc, aggregation: !function f.{}}}]",
    "metric": "generation_kwargs: {{max_gen_toks: 2}}\nmetric_list: [{{metric: !function f.{}, aggregation: mean}}]",
}
FUNCTIONS = ("boom", "half", "silent", "leaves", "no_rows", "odd", "items", "text")


@pytest.mark.parametrize("key", CODE)
def test_every_failure_of_a_tasks_code_is_a_sentence_and_its_own(
    tasks: Path, llama_folder: Path, tmp_path: Path, key: str
) -> None:
    (tasks / "f.py").write_text(HELPER)
    names = []
    for function in FUNCTIONS:
        name = f"{key}_{function}"
        body = BODY.format(rows="small", kind="generate_until" if key == "metric" else "loglikelihood")
        if key == "doc_to_text":
            body = body.replace('doc_to_text: "{{q}}"\n', "")
        (tasks / f"{name}.yaml").write_text(f"task: {name}\n{body}{CODE[key].format(function)}\n")
        names.append(name)
    (tasks / "all.yaml").write_text(f"group: all\ntask: [{', '.join(['big', *names])}]\n")
    path = suite(tasks, llama_folder, f"  - task: {{task: [{', '.join(names)}, all]}}\n")
    run = harness.run(str(path), out=tmp_path / "runs", allowed=Allowed(task_code=True))
    assert run.manifest.status == "finished" and run.manifest.problems == []
    told = reasons(run)
    assert len(told) >= len(FUNCTIONS)
    for reason in told:
        assert not BARE.match(reason) and len(reason.split()) > 4, reason
        reason.encode()
    together = next(cell for cell in run.cells if cell.settings["task"] == "all")
    assert together.status is Status.OK
    assert values(run, "acc")["big"] is not None
    for name in ("cells.jsonl", "manifest.json"):
        (run.folder / name).read_text(encoding="utf-8")


def raises(error: BaseException) -> Callable[..., Any]:
    def fails(*given: object, **named: object) -> Any:
        raise error

    return fails


ERRORS = [
    KeyError("acc"), ValueError(), TypeError("bad"), ZeroDivisionError("x"), IndexError("y\nz"), AssertionError(),
    RuntimeError("half \ud800"), OSError(5, "Input/output error", "f"), StopIteration(), RecursionError("deep"),
    ImportError("No module named x"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), UserError("a sentence stands"),
    MemoryError(), NotImplementedError(), Unsupported("too long for this"), OverflowError(34, "Result too large"),
]  # fmt: skip


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_of_summing_up_is_this_cells_failure_and_a_sentence(
    finished_run: Run, tiny_suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_suite.partition("analyse:")[0].replace("documents: 20", "documents: 19"))
    monkeypatch.setitem(MEASURES, "perplexity", replace(MEASURES["perplexity"], summarize=raises(error)))
    run = harness.run(str(path), out=tmp_path / "runs")
    failed = [cell for cell in run.cells if cell.measure == "perplexity"]
    assert [cell.status for cell in failed] == [Status.FAILED] * 2
    assert all(cell.status is Status.OK for cell in run.cells if cell not in failed)
    for reason in reasons(run):
        assert not BARE.match(reason) and "\n" not in reason and len(reason.split()) > 2
    assert run.manifest.status == "finished" and run.manifest.problems == []


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_an_error_says_is_one_line_that_names_what_was_done(error: BaseException) -> None:
    sentence = unexpected("opening the model", error)
    assert "\n" not in sentence and not BARE.match(sentence) and not BARE.match(told(error))
    sentence.encode()


def test_a_run_in_which_every_cell_is_skipped_is_no_success(
    tasks: Path, llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a reason that shows when the model is open: what is known beforehand refuses the run."""
    monkeypatch.setattr("harness.execution.preflight.checked_plan.CHECKS", ())
    story = tasks / "text.jsonl"
    story.write_text('{"text": "once upon a time there was a cat"}\n')
    path = suite(tasks, llama_folder, f"  - perplexity: {{text: {story}, window: 1000000}}\n")
    run = harness.run(str(path), out=tmp_path / "runs")
    assert [cell.status for cell in run.cells] == [Status.SKIPPED]
    assert exit_code(run) is ExitCode.USAGE
    assert "nothing was measured: every cell was skipped" in (run.folder / "summary.md").read_text()


@pytest.mark.parametrize("text", ["x", "", " ", "\n\n\t"])
def test_a_text_with_nothing_to_score_is_one_sentence(
    tasks: Path, llama_folder: Path, tmp_path: Path, text: str
) -> None:
    story = tasks / "text.jsonl"
    story.write_text(json.dumps({"text": text}) + "\n")
    path = suite(tasks, llama_folder, f"  - perplexity: {{text: {story}, bos: none}}\n")
    if not text.strip():
        with pytest.raises(UserError, match=r"no text in it|only white space in it"):  # before anything is loaded
            harness.run(path, out=tmp_path)
        return
    (cell,) = harness.run(path, out=tmp_path).cells
    if cell.status is not Status.OK:
        assert not BARE.match(cell.reason or "") and "unexpected" not in (cell.reason or "")


def test_a_resumed_fresh_run_goes_on_measuring_anew(finished_run: Run, tiny_suite: str, tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    # perplexity alone: what is measured again replaces what other tests know of the shared cache
    path.write_text(
        "\n".join(line for line in tiny_suite.split("\n") if "inference" not in line and "memory" not in line)
    )

    def stops(event: Event) -> None:
        if isinstance(event, CellStarted):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        harness.run(str(path), out=tmp_path / "runs", fresh=True, on_event=stops)
    (folder,) = (tmp_path / "runs").iterdir()
    assert Run(folder).manifest.fresh and Run(folder).cells == []
    run = harness.run(str(path), out=tmp_path / "runs", resume=True)
    assert run.folder == folder and {cell.source for cell in run.cells} == {"measured"}


def test_results_of_earlier_versions_without_the_new_fields_are_read(finished_run: Run) -> None:
    line = json.loads((finished_run.folder / "cells.jsonl").read_text().splitlines()[0])
    assert CellResult.model_validate(line).whole
    assert isinstance(finished_run.records, pd.DataFrame)


@pytest.mark.parametrize("name", ["cell.json", "samples.parquet"])
@pytest.mark.parametrize("damage", ["short", "empty", "gone", "other"])
def test_a_broken_cache_entry_is_measured_anew(
    finished_run: Run, tiny_suite: str, tmp_path: Path, name: str, damage: str
) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_suite)
    cell = next(cell for cell in harness.run(str(path), out=tmp_path / "runs").cells if cell.measure == "perplexity")
    file = CellCache()._folder(cell.key) / name
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"short": content[:20], "empty": b"", "other": b"{}"}[damage])
    assert not CellCache().has(cell.key)
    again = harness.run(str(path), out=tmp_path / "runs")
    told = {other.key: other for other in again.cells}
    assert told[cell.key].source == "measured" and told[cell.key].records[0].value == cell.records[0].value
    assert sum(other.source == "measured" for other in again.cells) == 1
    assert len(again.samples_of(told[cell.key])) == 20


@pytest.mark.parametrize(
    ("changed", "one", "other"),
    [("story.jsonl", b"cat", b"dog"), ("small.yaml", b'"{{q}}"', b'"{{q}}!"'), ("small.jsonl", b"number", b"figure")],
)
@pytest.mark.parametrize("when", [Planned, CellStarted])
def test_a_number_is_never_of_another_text_or_task_than_its_key_tells(
    tasks: Path,
    llama_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: str,
    one: bytes,
    other: bytes,
    when: type[Event],
) -> None:
    """A file that changes between the plan and the worker's reading of it: its cell fails, and nothing is kept."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tasks / "story.jsonl").write_text('{"text": "once upon a time there was a cat"}\n')
    measures = f"  - perplexity: {{text: {tasks / 'story.jsonl'}}}\n  - task: {{task: small, documents: 3}}\n"
    path = suite(tasks, llama_folder, measures)
    old = (tasks / changed).read_bytes()

    def changes(event: Event) -> None:
        if isinstance(event, when):
            (tasks / changed).write_bytes(old.replace(one, other))

    run = harness.run(str(path), out=tmp_path / "a", on_event=changes)
    touched = "perplexity" if changed == "story.jsonl" else "task"
    told = {cell.measure: (cell.status, cell.reason) for cell in run.cells}
    assert told[touched][0] is Status.FAILED and "has changed since the run began" in str(told[touched][1])
    assert [status for measure, (status, _) in told.items() if measure != touched] == [Status.OK]
    (tasks / changed).write_bytes(old)
    again = harness.run(str(path), out=tmp_path / "b")
    assert {cell.measure: cell.source for cell in again.cells}[touched] != "cache"
    assert {cell.status for cell in again.cells} == {Status.OK}
