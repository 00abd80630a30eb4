"""The HTML report: self-contained, escaped, small; and the charts in it."""

from __future__ import annotations

import io
import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from harness.analysis.registry import ANALYSES
from harness.charts.tradeoff import tradeoff_values
from harness.errors import UserError
from harness.report.charts import figures_of_run, names_of_charts
from harness.report.html import html, write_html
from harness.report.making import of_run
from harness.report.markdown import markdown
from harness.report.picture import chart_png
from harness.report.terminal import print_run
from harness.results.record import Record, Status
from harness.results.run import Run

DRAWN = ["tradeoff", "scaling_law", "speed"]
"""The charts of a run without tasks and other analyses; those have test files of their own."""

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \"quotes\" 'too' <!--"


class Page(HTMLParser):
    """Elements, attributes and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        inside = self.tags[-1][0] if self.tags else ""
        (self.scripts if inside == "script" else self.words).append(data)


@pytest.fixture(scope="module")
def text(full_run: Run) -> str:
    return html(of_run(full_run))


def test_it_loads_nothing_from_anywhere(text: str) -> None:
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "img"), tag
        assert "src" not in attributes
        assert not (attributes.get("href") or "#").startswith("http")
    (policy,) = [a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv")]
    assert policy is not None and policy.startswith("default-src 'none'")
    assert not re.search(r"@import|url\(", text[: text.index("</style>")])


def test_it_is_small(text: str) -> None:
    assert len(text.encode()) < 2_000_000


def test_it_tells_how_to_make_it_again_and_what_it_means(text: str) -> None:
    words = " ".join(Page(text).words)
    for piece in (
        "harness run suites/quickstart.yaml",
        "models:",
        "0123456789abcdef",
        "decode_rate@1",
        "Measured peaks",
        "Example CPU",
        "out of memory",
        "11 met, 4 unmet, 3 undecided",
    ):
        assert piece in words


def test_every_chart_is_there(text: str) -> None:
    page = Page(text)
    (specs,) = [json.loads(script) for script in page.scripts if script.startswith('{"tradeoff"')]
    assert set(specs) == set(DRAWN)
    ids = [attributes.get("id") for _, attributes in page.tags]
    assert all(f"chart-{name}" in ids for name in DRAWN)
    assert len(ids) - ids.count(None) == len({item for item in ids if item}), "ids are unique"


@pytest.mark.parametrize("name", DRAWN)
def test_charts_are_valid(full_run: Run, name: str) -> None:
    """Altair checks the description against Vega-Lite's schema; the report itself does not spend the time."""
    (figure,) = [one for one in figures_of_run(full_run, full_run.findings) if one.name == name]
    spec: dict[str, Any] = figure.draw().to_dict()
    assert "vega-lite" in spec["$schema"]


def test_nothing_in_a_run_is_code(builders: ModuleType, tmp_path: Path) -> None:
    samples = builders.quality_samples("nano", "fp32")
    cells = [
        builders.cell_result(
            tmp_path, "nano", "perplexity", {"precision": "fp32"}, {"text": NASTY},
            builders.quality_measurements(samples), samples=samples,
        ),
        builders.cell_result(
            tmp_path, "nano", "inference", {"precision": "fp32"}, {"batch": 1},
            builders.speed_measurements("nano", "fp32", 1),
        ),
        builders.cell_result(
            tmp_path, "nano", "memory", {"precision": "fp32"}, {"context": 8},
            builders.memory_measurements("nano", "fp32"),
        ),
        builders.cell_result(
            tmp_path, "mini", "memory", {"precision": NASTY}, {"context": 8}, [], status=Status.FAILED, reason=NASTY
        ),
    ]  # fmt: skip
    run = builders.write_run(
        tmp_path, cells=cells, suite=NASTY, about=NASTY, suite_text=NASTY, command=["harness", NASTY],
        fingerprint={"cpu_model": NASTY, NASTY: NASTY}, models={NASTY: {"source": NASTY}}, git={"commit": NASTY},
    )  # fmt: skip
    page = Page(html(of_run(run)))
    assert [tag for tag, _ in page.tags].count("script") == 3, "specs, the charts' code, and the call"
    assert "img" not in [tag for tag, _ in page.tags]
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert any(NASTY in words for words in page.words) or NASTY in "".join(page.words)
    specs = json.loads(page.scripts[0])
    assert NASTY in json.dumps(specs, ensure_ascii=False).replace('\\"', '"')


def test_a_run_without_anything_still_has_a_page(builders: ModuleType, tmp_path: Path) -> None:
    text = html(of_run(builders.write_run(tmp_path, cells=[], command=[], git={}, peaks={}, status="interrupted")))
    assert "the run is interrupted" in text and "vegaEmbed" not in text
    assert len(text) < 20_000


def test_infinite_values_are_told_and_not_drawn(builders: ModuleType, tmp_path: Path) -> None:
    """A model that a precision has broken: its perplexity overflows. No report may break on it."""

    def broken(record: Record) -> Record:
        value = math.nan if record.metric == "loss" else math.inf
        return record.model_copy(update={"value": value, "low": 2.0, "high": math.inf})

    cells = [
        cell.model_copy(update={"records": list(map(broken, cell.records))})
        if (cell.model, cell.axes["precision"]) == ("nano", "int4")
        else cell
        for cell in builders.full_cells(tmp_path)
    ]
    run = builders.write_run(tmp_path, cells=cells)
    cost = ANALYSES["quantization_cost"]
    run = builders.write_run(tmp_path, cells=cells, findings=cost.run(run, cost.settings()))
    page = Page(html(of_run(run)))
    (specs,) = [script for script in page.scripts if script.startswith('{"tradeoff"')]
    assert "Infinity" not in specs and "NaN" not in specs and "∞" not in specs
    assert len(tradeoff_values(run)) == 15
    assert any("∞" in words for words in page.words)
    assert "∞" in markdown(of_run(run))
    console = Console(width=200, record=True, file=io.StringIO())
    print_run(run, console)
    assert "∞" in console.export_text()


def test_charts_of_a_run_without_data_are_none(builders: ModuleType, tmp_path: Path) -> None:
    run = builders.write_run(tmp_path, cells=[])
    assert all(figure.draw() is None for figure in figures_of_run(run, run.findings))
    assert all(chart.draw([]) is None for analysis in ANALYSES.values() for chart in analysis.charts)
    with pytest.raises(UserError, match="nothing to show"):
        chart_png(run, "tradeoff", tmp_path / "x.png")


def test_a_chart_stands_below_the_table_of_what_declares_it(text: str) -> None:
    """Those of no measure and no analysis stand first."""
    seen = [str(attributes.get("id")) for tag, attributes in Page(text).tags if tag in ("section", "div", "h2")]
    placed = [name for name in seen if name != "None"]
    assert placed[0] == "chart-tradeoff"
    assert placed[placed.index("chart-speed") - 1] == "inference"
    assert placed[placed.index("chart-scaling_law") - 1] == "scaling-law"


def test_no_two_charts_have_one_name() -> None:
    names = names_of_charts()
    assert len(set(names)) == len(names) and {"tradeoff", "speed", "answers", "scaling_law"} <= set(names)


def test_pictures(full_run: Run, tmp_path: Path) -> None:
    assert chart_png(full_run, "tradeoff", tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    svg = chart_png(full_run, "tradeoff", tmp_path / "a.svg").read_text()
    assert svg.startswith("<svg") and "smollm2" in svg
    with pytest.raises(UserError, match=r"no chart is called 'tradeof'; there are tradeoff"):
        chart_png(full_run, "tradeof", tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a \.png or an \.svg"):
        chart_png(full_run, "tradeoff", tmp_path / "a.gif")


def test_a_real_run(finished_run: Run) -> None:
    page = Page(html(of_run(finished_run)))
    assert "quantization cost" in " ".join(page.words)


def test_where_the_charts_code_can_t_be_had_the_numbers_are_shown(
    full_run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The JavaScript engine ends its process where memory is short."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.setattr("harness.report.vl_convert_process._CHILD", "import os; os.abort()")
    run = Run(shutil.copytree(full_run.folder, tmp_path / "run"))
    with pytest.raises(UserError, match=r"written without its charts: vl-convert.*ended by SIGABRT; has the machine"):
        write_html(of_run(run), run.folder / "report.html")
    text = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "the charts could not be drawn" in text and "vegaEmbed" not in text
    assert "perplexity" in text
