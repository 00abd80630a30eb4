"""The one report: made of a run in memory as of its folder, and written by every printer without asking the run."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from harness.analysis.registry import ANALYSES
from harness.report.html import html
from harness.report.making import of_findings, of_run
from harness.report.markdown import markdown
from harness.report.report import Report
from harness.report.terminal import print_report
from harness.results.finding import Finding
from harness.results.run import Run


def printed(report: Report) -> list[str]:
    console = Console(width=160, file=io.StringIO(), color_system=None)
    print_report(report, console)
    assert isinstance(console.file, io.StringIO)
    return [console.file.getvalue(), markdown(report), html(report)]


def test_printers_need_no_run(builders: ModuleType, tmp_path: Path) -> None:
    """Nothing is read again once it is made: the folder may be gone."""
    run = builders.full_run(tmp_path / "run")
    before = printed(of_run(Run(run.folder)))
    report = of_run(Run(run.folder))
    for figure in report.figures:
        figure.draw()  # answers are read from samples where they are drawn
    shutil.rmtree(run.folder)
    assert printed(report) == before


def test_findings_in_memory_are_reported_as_those_that_were_read(builders: ModuleType, tmp_path: Path) -> None:
    """Data of findings go through JSON on their way to the disk; a report does not show which way they came."""
    run = builders.full_run(tmp_path / "run")
    findings = [
        finding
        for name in ("scaling_law", "quantization_cost")
        for finding in ANALYSES[name].run(run, ANALYSES[name].settings())
    ]
    read = [Finding.model_validate_json(finding.model_dump_json()) for finding in findings]
    assert any(finding.data for finding in findings)
    assert printed(of_run(run, findings, [])) == printed(of_run(run, read, []))


@pytest.mark.parametrize("name", ["tradeoff", "scaling_law", "speed"])
def test_a_figure_has_a_caption_and_a_place(full_run: Run, name: str) -> None:
    report = of_run(full_run)
    (figure,) = [one for one in report.figures if one.name == name]
    below = [chart for table in (*report.results, *report.findings) for chart in table.charts]
    assert figure.caption and (name in report.leading) != (name in below)


def test_findings_without_a_run_are_printed_too() -> None:
    finding = Finding(analysis="scaling_fit", name="alpha", value=0.34, note="the size's exponent")
    for text in printed(of_findings("A law of a_table", "about", [finding], ["not to be trusted"], "harness fit x")):
        assert "not to be trusted" in text and "0.34" in text and "Fingerprint class" not in text
        assert "A law of a_table" in text.replace("\\_", "_")


def test_a_chart_that_can_t_be_drawn_is_a_warning_of_the_page(full_run: Run) -> None:
    report = of_run(full_run)

    def fails() -> None:
        raise ValueError("no axis")

    figures = [replace(one, draw=fails) if one.name == "speed" else one for one in report.figures]
    text = html(replace(report, figures=tuple(figures)))
    assert "the chart `speed` could not be drawn: no axis (ValueError)" in text
    assert 'id="chart-tradeoff"' in text and 'id="chart-speed"' not in text


def test_what_a_manifest_says_of_its_checkout_may_be_anything(builders: ModuleType, tmp_path: Path) -> None:
    run = builders.write_run(tmp_path, cells=[], git={"commit": ["<b>"], "dirty": 1})
    origin = of_run(run).origin
    assert origin is not None and (origin.commit, origin.uncommitted) == ("['<b>']", True)
