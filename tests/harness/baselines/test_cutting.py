"""A baseline is judged as the whole run is: the same verdicts and numbers, from a fraction of the bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.baselines.setting import set_baseline
from harness.comparison.compare import compare
from harness.comparison.flips import flips
from harness.evidence.row_digest import row_digests
from harness.gate.judgment import GateResult
from harness.gate.stored.stored_runs import judge_runs
from harness.gate.verdict import Verdict
from harness.measures.probe import PROBE_BITS_PER_BYTE, PROBE_LOSS
from harness.results.record import Measurement
from harness.results.run import Run
from tests.harness.gate.gate_runs import Makes

BOUNDED = "{metric: probe_bits_per_byte, kl_margin: 0.02}"
LOOSE = "{metric: probe_bits_per_byte}"
Changes = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture
def make(builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Makes:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Makes(builders, tmp_path / "results/runs")


def cut_down(run: Run, name: str = "b") -> Run:
    return set_baseline(run, name=name, why="a test", by="me").run


def in_full(result: GateResult, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """All that a gate says of two runs, but what the base is called."""
    rows = [
        {
            **{"verdict": row.verdict, "reason": None if without else row.reason, "at": row.at, "metric": row.metric},
            **{"base": row.base, "head": row.head, "change": row.change, "p": row.p, "seen": row.seen},
            **{name: value for name, value in row.details.items() if name not in without},
        }
        for row in result.rows
    ]
    return {"rows": rows, "watched": result.watched, "verdict": result.verdict, "changes": result.changes}


def same(frame: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(frame, other)


@pytest.mark.parametrize("shift", [0.0, 0.003, 0.05])
def test_texts_speeds_and_memory_are_judged_alike(make: Makes, shift: float) -> None:
    gate = "{metric: bits_per_byte, where: {precision: fp32}, bitwise: true}\n{metric: bits_per_byte}"
    gate += "\n{metric: decode_rate}"
    base, head = make.run("base", gate), make.run("head", gate, shift=shift, slower=1.1, memory=1.2)
    small = cut_down(base)
    whole = judge_runs(base, head)
    assert in_full(judge_runs(small, head)) == in_full(whole)
    assert whole.verdict is Verdict.FAIL if shift else "bit for bit" in whole.rows[0].reason
    same(compare(small, head), compare(base, head))
    assert not small.damage and small.manifest.id == base.manifest.id


def lists_of(seed: float, documents: int = 20) -> pd.DataFrame:
    """Samples of a text with lists that pairing doesn't read."""
    generator = np.random.default_rng(3)
    rows = []
    for number in range(documents):
        windows = generator.normal(3.0, 0.1, 7) + seed
        row = {
            "document": number,
            "nll": windows.sum() * 20,
            "tokens": 140,
            "bytes": 500,
            "window_nll": windows.tolist(),
        }
        rows.append(row | {"text_digest": f"t{number}", "ids_digest": f"i{number}", "first_token": "scored"})
    return pd.DataFrame(rows)


def test_lists_are_left_out_and_that_outputs_are_the_same_is_still_told(make: Makes) -> None:
    b = make.builders
    runs = []
    for name, change in (("base", 0.0), ("same", 0.0), ("other", 1e-9), ("hidden", 0.0)):
        samples = lists_of(change)
        if name == "hidden":  # the sums are the same, and something beside them is not
            samples.at[3, "window_nll"] = [*samples.at[3, "window_nll"][1:], samples.at[3, "window_nll"][0]]
        axes, asked = {"precision": "fp32", "device": "cpu"}, {"text": "microworld/test"}
        measured = b.quality_measurements(samples)
        cell = b.cell_result(make.folder / name, "nano", "perplexity", axes, asked, measured, samples=samples)
        runs.append(make.run(name, "{metric: bits_per_byte, bitwise: true}", cells=[cell]))
    base, *heads = runs
    small = cut_down(base)
    assert "window_nll" not in small.samples_of(small.cells[0])
    verdicts = []
    for head in heads:
        whole = judge_runs(base, head)
        assert in_full(judge_runs(small, head)) == in_full(whole)
        same(compare(small, head), compare(base, head))
        verdicts.append(whole.verdict)
    assert verdicts == [Verdict.PASS, Verdict.FAIL, Verdict.FAIL]


def probe_run(make: Makes, name: str, rows: pd.DataFrame, gate: str) -> Run:
    axes, asked = {"precision": "fp32", "device": "cpu"}, {"text": "probe/text"}
    bits = float(rows["nll"].sum() / rows["bytes"].sum() / np.log(2))
    measured = [
        Measurement(metric=PROBE_LOSS, value=float(rows["nll"].sum() / rows["tokens"].sum())),
        Measurement(metric=PROBE_BITS_PER_BYTE, value=bits),
    ]
    cell = make.builders.cell_result(make.folder / name, "nano", "probe", axes, asked, measured, samples=rows)
    return make.run(name, gate, cells=[cell])


def probe_rows(shift: float = 0.0) -> pd.DataFrame:
    """Sixteen documents of 20 tokens, of which the likeliest 64 of 80 are known; one is gone on with."""
    rows = []
    for n in range(16):
        logits = 2.0 * np.random.default_rng(n).normal(size=(20, 80))
        logits += shift * np.random.default_rng([n, 1]).normal(size=logits.shape)
        logs = (logits - np.logaddexp.reduce(logits, axis=1)[:, None]).astype(np.float32)
        order = np.argsort(-logs, axis=1).astype(np.int32)
        top, rest = (np.take_along_axis(logs, part, 1) for part in (order[:, :64], order[:, 64:]))
        nll = -logs[:, 3].astype(float)
        row = {"document": str(n), "nll": nll.sum(), "tokens": 20, "bytes": 80, "token_nll": nll.tolist()}
        row |= {"top_ids": order[:, :64].ravel(), "top_log_probs": top.ravel(), "ids": list(range(20))}
        row |= {"rest_log_prob": np.logaddexp.reduce(rest, axis=1), "text_digest": f"text {n}"}
        row |= {"ids_digest": f"ids {n}", "end_ids": [0], "prompt": None, "continuation": None, "ended_by": None}
        row |= {"prompt_text": None, "continuation_gap": None, "continuation_text": None}
        if n == 3:
            row |= {"prompt": [1, 2], "continuation": [4, 5 + (shift > 1)], "ended_by": "length"}
            row |= {"continuation_gap": 0.0, "continuation_text": "and so on"}
        rows.append(row)
    return pd.DataFrame(rows)


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.3, 2.0])
def test_a_bounded_divergence_is_the_same_to_the_last_digit(make: Makes, shift: float) -> None:
    base, head = (probe_run(make, name, probe_rows(by), BOUNDED) for name, by in (("base", 0.0), ("head", shift)))
    small = cut_down(base)
    whole = judge_runs(base, head)
    assert in_full(judge_runs(small, head)) == in_full(whole)
    assert (whole.verdict is Verdict.FAIL) == (shift >= 0.3)


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.3, 2.0])
def test_a_divergence_that_nobody_bounds_is_a_looser_bound_and_all_else_the_same(make: Makes, shift: float) -> None:
    base, head = (probe_run(make, name, probe_rows(by), LOOSE) for name, by in (("base", 0.0), ("head", shift)))
    small = cut_down(base)
    whole, cut = judge_runs(base, head), judge_runs(small, head)
    without = ("kl_mean", "kl_worst", "kl_worst_document")
    assert in_full(cut, without) == in_full(whole, without)
    (row,), (of_cut,) = whole.rows, cut.rows
    assert 0 <= of_cut.details["kl_mean"] <= row.details["kl_mean"] + 1e-6
    assert ("bit for bit" in row.reason) == ("bit for bit" in of_cut.reason) == (shift == 0)


def test_where_too_little_is_kept_to_bound_a_divergence_nothing_passes(make: Makes) -> None:
    base = probe_run(make, "base", probe_rows(), LOOSE)
    small = cut_down(base)
    near, far, alike = (
        probe_run(make, name, probe_rows(by), BOUNDED) for name, by in (("near", 0.01), ("far", 2.0), ("alike", 0.0))
    )
    assert judge_runs(base, near).verdict is Verdict.PASS
    found = judge_runs(small, near)
    assert found.verdict is Verdict.INCONCLUSIVE and "set it again from a run whose suite has this" in found.reason
    assert judge_runs(small, far).verdict is Verdict.FAIL
    assert judge_runs(small, alike).verdict is Verdict.PASS, "the same to the bit is the same"


def test_flips_and_their_reasons_are_the_same(make: Makes, task_builders: ModuleType, tmp_path: Path) -> None:
    b = task_builders
    sides = []
    for name, moved in (("base", 0.0), ("head", 3.0)):
        rows = [
            b.choice_row(n, f"Question {n}. Answer:", ["yes", "no"], [-2.0, -3.0 + (moved if n % 3 == 0 else 0.0)])
            for n in range(30)
        ]
        folder = make.folder / name
        sides.append(b.task_run(folder, [b.task_cell(folder, [row | {"doc": '{"q": 1}'} for row in rows])]))
    base, head = sides
    small = set_baseline(base, name="b", why="a test", by="me", out=make.folder).run
    whole, cut = flips(base, head), flips(small, head)
    assert len(whole.pairs[0].flips) == 10
    same(cut.counts, whole.counts), same(cut.flips, whole.flips)
    assert "doc" not in small.samples_of(small.cells[0]).columns
    same(compare(small, head), compare(base, head))


def test_samples_that_no_comparison_reads_are_left_out(make: Makes) -> None:
    base = make.run("base")
    launches = pd.DataFrame({"meter": ["status"] * 3, "run_peak_bytes": [1, 2, 3]})
    cells = make.cells(base.folder)
    memory = next(cell for cell in cells if cell.measure == "memory")
    with_samples = make.builders.cell_result(
        base.folder, "nano", "memory", memory.axes, memory.settings, [], samples=launches
    )
    cells = [with_samples.model_copy(update={"records": c.records}) if c is memory else c for c in cells]
    run = make.run("base", cells=cells)
    made = set_baseline(run, name="b", why="a test", by="me")
    assert all(cell.samples is None for cell in made.run.cells if cell.measure == "memory")
    assert made.moves[-1].dropped == ("findings, outcomes of expectations, reports", "all samples of memory")
    assert len(made.run.cells) == len(run.cells) and made.size < 60_000
    same(made.run.records.drop(columns="run"), run.records.drop(columns="run"))


ARRAYS = st.lists(st.floats(width=32) | st.just(-0.0), max_size=3).map(lambda found: np.array(found, dtype=np.float32))
TEXTS = st.text(max_size=3) | st.none()
NUMBERS = st.sampled_from([0, 1, 1.0, 0.0, -0.0, True, 2, 2.5, np.nan, np.inf, None, 2**60, 2**60 + 1, np.float64(2.5)])
ROWS = st.lists(st.tuples(ARRAYS, NUMBERS, TEXTS), min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS)
def test_digests_are_equal_where_values_are(one: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> None:
    """The oracle is the comparison value by value that whole runs are judged by."""
    from harness.comparison.paired_quality_documents import _outputs, _same

    near = [(one[0][0] + np.float32(0.0), *other[0][1:]), *one[1:]]
    frames = [
        pd.DataFrame({name: pd.Series([row[at] for row in rows], dtype=object) for at, name in enumerate("abc")})
        for rows in (one, other, near, [*one])
    ]
    for frame in frames:
        whole = _same(_outputs(frames[0], False), _outputs(frame, False))
        assert (row_digests(frames[0]) == row_digests(frame)) == whole
