"""Verdicts on curves of counts, from a DataFrame and from a run of the measure `task`."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from harness.analysis.emergence.analysis import effective_n
from harness.analysis.emergence.counts import emergence, emergence_frame, unadjusted
from harness.analysis.emergence.verdict import Verdict, decide
from harness.analysis.registry import ANALYSES
from harness.charts.emergence import emergence as chart
from harness.errors import UserError
from harness.report.charts import figures_of_run
from harness.results.finding import Finding
from harness.results.record import CellResult, Record
from harness.results.run import Run
from harness.statistics.proportions import clustered_proportion, wilson

SCALES = np.geomspace(1e6, 1e9, 6)


def table(shares: dict[str, Any], n: int = 500, chance: float = 0.25, scale: Any = SCALES) -> pd.DataFrame:
    """Counts that are exactly the shares."""
    rows = [
        {"task": task, "scale": at, "correct": round(share * n), "n": n, "chance": chance}
        for task, curve in shares.items()
        for at, share in zip(scale, curve, strict=True)
    ]
    return pd.DataFrame(rows)


def drawn(p: Any, curves: int, n: int, chance: float, seed: int) -> list[Verdict]:
    """Verdicts on many curves of one shape, each judged by itself."""
    counts = np.random.default_rng(seed).binomial(n, p, (curves, len(p)))
    scale = np.geomspace(1e6, 1e9, len(p))
    rows = {"task": np.repeat(np.arange(curves), len(p)), "scale": np.tile(scale, curves), "correct": counts.ravel()}
    frame = pd.DataFrame(rows | {"n": n, "chance": chance})
    found = unadjusted(frame, smaller_is_stronger=False, alpha=0.05, replicates=99, seed=seed)
    return [decide(item, 0.05, 0.2)[0] for item in found]


HINGE = expit(logit(0.25) + 1.3 * np.maximum(0, np.arange(6) - 2))


def test_each_verdict() -> None:
    curves = {
        "sudden": HINGE,
        "smooth": 0.25 + 0.75 * expit(np.linspace(-4, 2, 6)),
        "chance": [0.25, 0.26, 0.24, 0.25, 0.25, 0.26],
        "above": [0.45, 0.44, 0.46, 0.45, 0.45, 0.46],
        "falls": [0.6, 0.55, 0.5, 0.45, 0.4, 0.35],
        "later": [0.4, 0.4, 0.4, 0.65, 0.82, 0.93],
        "end": [0.25, 0.25, 0.25, 0.25, 0.5, 0.75],
        "step": [0.25, 0.25, 0.25, 0.8, 0.8, 0.8],
    }
    found = {item.task: item for item in emergence(table(curves, n=1000), replicates=499)}
    assert {task: str(item.verdict) for task, item in found.items()} == {
        "sudden": "emergent",
        "smooth": "grows smoothly",
        "chance": "flat at chance",
        "above": "flat above chance",
        "falls": "falls",
        "later": "grows with a break",
        "end": "not decided",
        "step": "not decided",
    }
    sudden = found["sudden"]
    assert sudden.break_low is not None and sudden.break_scale is not None and sudden.break_high is not None
    assert sudden.break_low <= SCALES[2] * 1.01 and SCALES[2] / 4 < sudden.break_scale < SCALES[2] * 4
    assert sudden.break_low <= sudden.break_scale <= sudden.break_high
    assert sudden.rise_low < sudden.rise < sudden.rise_high
    assert "add scales between" in found["step"].why
    assert "add larger scales" in found["end"].why
    frame = emergence_frame(list(found.values()))
    assert len(frame) == 8 and frame["null_breakthroughness"].between(3, 12).all()


def test_noise_and_smooth_curves_are_not_emergent_and_planted_breaks_are() -> None:
    """The acceptance in small; benchmarks/emergence_calibration.py is the whole of it."""
    noise = [
        *drawn(np.full(6, 0.02), 40, 200, 0.02, 1),
        *drawn(np.full(5, 0.25), 40, 100, 0.25, 2),
        *drawn(np.full(8, 0.5), 40, 500, 0.5, 3),
    ]
    assert noise.count(Verdict.EMERGENT) <= 0.02 * len(noise)
    smooth = [
        *drawn(0.25 + 0.75 * expit(np.linspace(-5, 1, 6)), 40, 500, 0.25, 4),
        *drawn(expit(np.linspace(-6, 1, 6)), 40, 500, 0.0, 5),
    ]
    smooth += drawn(0.7 * expit(np.linspace(-6, 3, 6)), 40, 500, 0.0, 7)  # one that ends at a ceiling
    assert smooth.count(Verdict.EMERGENT) <= 0.08 * len(smooth)
    assert drawn(HINGE, 40, 500, 0.25, 6).count(Verdict.EMERGENT) >= 0.8 * 40


@pytest.mark.parametrize(("chance", "floor"), [(0.25, 0.15), (0.25, 0.21), (0.0, 0.03)])
def test_a_smooth_curve_that_begins_beside_chance_is_smooth(chance: float, floor: float) -> None:
    found = drawn(floor + (1 - floor) * expit(np.linspace(-8, 4, 6)), 40, 500, chance, 11)
    assert found.count(Verdict.SMOOTH) >= 0.8 * 40


def test_many_tasks_of_noise_are_adjusted() -> None:
    counts = np.random.default_rng(8).binomial(300, 0.25, (40, 6)) / 300
    found = emergence(table({f"t{k}": row for k, row in enumerate(counts)}, n=300), replicates=99)
    assert sum(item.p_trend <= 0.05 for item in found) >= 1
    assert sum(item.verdict is not Verdict.FLAT_AT_CHANCE for item in found) <= 2
    assert all(item.p_trend_adjusted >= item.p_trend for item in found)


def test_one_task_of_many_stands_out_however_few_replicates() -> None:
    others = np.random.default_rng(9).binomial(500, 0.25, (29, 6)) / 500
    shares = {"sudden": expit(logit(0.25) + 1.6 * np.maximum(0, np.arange(6) - 2))}
    found = emergence(table(shares | {f"t{k}": row for k, row in enumerate(others)}), replicates=99)
    assert found[0].task == "sudden" and found[0].verdict is Verdict.EMERGENT
    assert [item.task for item in found] == ["sudden", *(f"t{k}" for k in range(29))]
    assert sum(item.verdict is Verdict.EMERGENT for item in found) == 1


def test_scatter_beyond_the_items_is_no_break() -> None:
    (found,) = emergence(table({"t": [0.25, 0.2, 0.3, 0.9, 0.5, 0.95]}, n=2000), replicates=199)
    assert found.misfit < 0.01 and found.verdict is not Verdict.EMERGENT


def test_tasks_of_one_design_are_tested_as_if_alone() -> None:
    both = emergence(table({"a": HINGE}), replicates=199)[0]
    apart = unadjusted(table({"a": HINGE}), smaller_is_stronger=False, alpha=0.05, replicates=199, seed=0)[0]
    assert both.p_break == apart.p_break and both.p_break_adjusted == apart.p_break


def test_few_items_decide_nothing_and_say_how_many_would() -> None:
    (few,) = emergence(table({"t": [0.25, 0.3, 0.2, 0.25, 0.3, 0.2]}, n=20), replicates=199)
    assert few.verdict is Verdict.NOT_DECIDED and "20 items" in few.why and "items per scale are needed" in few.why


def test_a_curve_at_the_top_is_flat_and_needs_no_items_to_show_a_rise_that_has_no_room() -> None:
    (top,) = emergence(table({"t": [0.998, 0.998, 0.998, 1.0, 0.998, 0.998]}), replicates=199)
    assert top.verdict is Verdict.FLAT_ABOVE_CHANCE


def test_few_scales_decide_nothing_about_a_break() -> None:
    (three,) = emergence(table({"t": [0.25, 0.25, 0.8]}, scale=SCALES[:3]), replicates=199)
    assert three.verdict is Verdict.NOT_DECIDED and three.p_break is None and "5 are needed" in three.why


def test_over_a_loss_the_smallest_is_the_strongest() -> None:
    frame = table({"t": HINGE}, scale=np.geomspace(4.0, 1.0, 6))
    (found,) = emergence(frame, smaller_is_stronger=True, replicates=199)
    assert found.scale[0] == 4.0 and found.rise > 0 and found.verdict is Verdict.EMERGENT
    assert found.break_low is not None and found.break_high is not None and found.break_low < found.break_high


def test_clusters_make_n_smaller() -> None:
    assert effective_n(0.3, *wilson(30, 100)[1:3], 100) == 100
    assert effective_n(0.0, *wilson(0, 100)[1:3], 100) == 100
    share, low, high, _ = clustered_proportion([10.0, 0, 10, 0] * 10, [10.0] * 40)
    worth = effective_n(share, low, high, 400)
    assert 30 < worth < 45
    frame = table({"t": HINGE})
    (found,) = emergence(frame.assign(n_effective=40.0), replicates=199)
    assert found.verdict is not Verdict.EMERGENT and found.n_effective.tolist() == [40.0] * 6


def test_seeds_at_one_scale_are_added_up() -> None:
    frame = table({"t": HINGE}, n=250)
    (twice,) = emergence(pd.concat([frame, frame]), replicates=199)
    assert twice.n.tolist() == [500.0] * 6 and len(twice.scale) == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"correct": 600}, "correct 600"),
        ({"scale": -1.0}, "scale -1.0"),
        ({"n": 0, "correct": 0}, "n 0"),
        ({"chance": 1.0}, "chance 1.0"),
        ({"n": np.inf}, "n inf"),
        ({"correct": np.nan}, "correct nan"),
    ],
)
def test_bad_rows_are_named(change: dict[str, Any], said: str) -> None:
    frame = table({"t": HINGE})
    for name, value in change.items():
        frame[name] = frame[name].astype(float)
        frame.loc[2, name] = value
    with pytest.raises(UserError, match=said) as caught:
        emergence(frame)
    assert "row 3" in str(caught.value)
    with pytest.raises(UserError, match="no column `n`"):
        emergence(table({"t": HINGE}).drop(columns="n"))


def test_columns_that_are_no_counts_are_refused() -> None:
    frame = table({"t": HINGE})
    for column in ("scale", "correct", "n", "chance"):
        with pytest.raises(UserError, match=f"column {column}: a number is wanted"):
            emergence(frame.assign(**{column: "many"}))
    with pytest.raises(UserError, match="these look like shares"):
        emergence(frame.assign(correct=frame["correct"] / frame["n"]))
    with pytest.raises(UserError, match=r"row 1, task: .* a name is wanted"):
        emergence(frame.assign(task=None))
    with pytest.raises(UserError, match="0 replicates give no p-value"):
        emergence(frame, replicates=0)
    with pytest.raises(UserError, match="rise: a probability"):
        emergence(frame, rise=0.0)
    with pytest.raises(UserError, match="alpha: a probability"):
        emergence(frame, alpha=float("nan"))
    as_text = frame.assign(correct=frame["correct"].astype(str))
    assert emergence(as_text, replicates=99)[0].correct.tolist() == frame["correct"].tolist()


# --- from a run -------------------------------------------------------------------------------------------------


def task_cell(model: str, size: int, task: str, share: float, n: int = 500, metric: str = "acc") -> CellResult:
    settings: dict[str, Any] = {"task": task, "shots": 0}
    common: dict[str, Any] = {"key": f"{model} {task}", "model": model, "measure": "task", "settings": settings}
    common |= {"axes": {"precision": "fp32"}, "parameters": size, "parameters_non_embedding": size // 2}
    interval = wilson(round(share * n), n)
    records = [
        Record(
            **common,
            metric=metric,
            metric_id=f"{metric}@1",
            value=round(share * n) / n,
            low=interval.low,
            high=interval.high,
            unit="share",
            n=n,
        )
    ]
    if metric == "acc":
        records.append(Record(**common, metric="chance", metric_id="chance@1", value=0.25, unit="share", n=n))
    return CellResult(
        status="ok",
        records=records,
        **{name: common[name] for name in ("key", "model", "measure", "axes", "settings")},
    )


def loss_cell(model: str, size: int, loss: float) -> CellResult:
    common: dict[str, Any] = {"key": f"{model} loss", "model": model, "measure": "perplexity"}
    common |= {"axes": {"precision": "fp32"}, "settings": {"text": "a text"}}
    record = Record(**common, metric="loss", metric_id="loss@1", value=loss, unit="nats/token", parameters=size)
    return CellResult(status="ok", records=[record], **common)


@pytest.fixture
def ladder(tmp_path: Path, builders: ModuleType) -> Run:
    """Six models; one task that is sudden, one that is at chance, one whose answers are written."""
    cells = []
    for k, size in enumerate(SCALES.astype(int)):
        model = f"m{k}"
        cells += [
            loss_cell(model, int(size), 4.0 * 0.8**k),
            task_cell(model, int(size), "capitals", float(HINGE[k])),
            task_cell(model, int(size), "riddles", 0.25),
            task_cell(model, int(size), "sums", [0, 0, 0, 0.4, 0.55, 0.7][k], metric="exact_match"),
        ]
    run: Run = builders.write_run(tmp_path / "run", cells=cells)
    return run


def analyze(run: Run, **settings: Any) -> list[Finding]:
    analysis = ANALYSES["emergence"]
    return analysis.run(run, analysis.settings.model_validate({"replicates": 199, **settings}))


def verdicts(found: list[Finding]) -> dict[str, str]:
    return {str(f.subject.get("task")): f.note.partition(":")[0] for f in found if f.name == "verdict"}


@pytest.mark.parametrize("over", ["parameters", "parameters_non_embedding", "loss"])
def test_a_run_has_a_verdict_for_each_task(ladder: Run, over: str) -> None:
    found = analyze(ladder, over=over)
    assert verdicts(found) == {"capitals": "emergent", "riddles": "flat at chance", "sums": "emergent"}
    mine = {f.name: f for f in found if f.subject["task"] == "capitals"}
    assert {"verdict", "rise", "trend_p", "break_p", "break", "breakthroughness", "linearity", "foreseen"} == set(mine)
    assert mine["break"].low is not None and mine["break"].high is not None and mine["break"].value is not None
    assert mine["break"].low <= mine["break"].value <= mine["break"].high
    assert mine["rise"].value == pytest.approx(HINGE[-1] - HINGE[0], abs=0.01)
    assert "break" not in {f.name for f in found if f.subject["task"] == "riddles"}
    assert [p["model"] for p in mine["verdict"].data["points"]] == [f"m{k}" for k in range(6)]


def test_settings_choose_tasks_metrics_and_chance(ladder: Run) -> None:
    assert set(verdicts(analyze(ladder, tasks=["sums"]))) == {"sums"}
    assert set(verdicts(analyze(ladder, of=["acc"]))) == {"capitals", "riddles"}
    (gate,) = [f for f in analyze(ladder, tasks=["sums"], chance=0.02) if f.name == "verdict"]
    assert gate.data["chance"] == 0.02


def test_what_is_not_there_is_said(ladder: Run, full_run: Run) -> None:
    (found,) = analyze(ladder, tasks=["capital"])
    assert "did you mean 'capitals'" in found.note
    (found,) = analyze(full_run)
    assert "the run has no task with acc or exact_match" in found.note
    (found,) = analyze(ladder, over="loss", text="another")
    assert "no loss on another; there are: a text" in found.note
    (found,) = analyze(ladder, where={"model": ["m0", "m5"]}, tasks=["capitals"])
    assert "2 scales are here (m0, m5)" in found.note


def test_the_chart_draws_points_fits_and_the_break(ladder: Run) -> None:
    run = Run(ladder.folder)
    run.__dict__["findings"] = analyze(ladder)
    drawn = chart(run.findings)
    assert drawn is not None
    spec = drawn.to_dict()
    assert len(spec["concat"]) == 3
    titles = {panel["title"]["text"]: panel["title"]["subtitle"] for panel in spec["concat"]}
    assert titles["capitals"][0] == "emergent" and "break p" in titles["capitals"][-1]
    layers = {panel["title"]["text"]: len(panel["layer"]) for panel in spec["concat"]}
    assert layers["capitals"] == layers["riddles"] + 1  # the break's rule
    assert chart(ladder.findings) is None
    assert {figure.name for figure in figures_of_run(run, run.findings) if figure.draw() is not None} == {
        "emergence",
        "answers",
    }


def test_pythia_over_size() -> None:
    """LAMBADA of eight published sizes grows from the first on; logiqa stays near chance."""
    path = Path(os.environ.get("HARNESS_DATA", "")) / "pythia_evals" / "pythia_v1_evals.csv.gz"
    if not os.environ.get("HARNESS_DATA") or not path.exists():
        pytest.skip("HARNESS_DATA has no pythia_evals")
    with gzip.open(path) as file:
        rows = pd.read_csv(file)
    sizes = {
        "70m": 7e7,
        "160m": 1.6e8,
        "410m": 4.1e8,
        "1b": 1e9,
        "1.4b": 1.4e9,
        "2.8b": 2.8e9,
        "6.9b": 6.9e9,
        "12b": 1.2e10,
    }
    rows = rows[(rows.step == 143000) & (rows.shots == 0) & rows.task.isin(["lambada_openai", "logiqa"])]
    rows = rows.assign(scale=rows.model.str.removeprefix("pythia-").map(sizes)).dropna(subset=["scale"])
    n = (rows.acc * (1 - rows.acc) / rows.acc_stderr**2).round() + 1
    chance = rows.task.map({"lambada_openai": 0.0, "logiqa": 0.25})
    counts = rows.assign(n=n, correct=(rows.acc * n).round(), chance=chance)
    assert (counts.groupby("task").n.max() == [5153, 651]).all()
    found = {item.task: item.verdict for item in emergence(counts, replicates=199)}
    assert found["lambada_openai"] in (Verdict.SMOOTH, Verdict.BREAKS)
    assert found["logiqa"] in (Verdict.FLAT_AT_CHANCE, Verdict.FLAT_ABOVE_CHANCE)
