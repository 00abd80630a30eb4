"""Models side by side: which comparisons a bench makes, and that what they find is where people look for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest

import harness
from harness.benchmarking import in_lockstep, side_by_side
from harness.benchmarking.here import ROUNDS, compare_here
from harness.benchmarking.pairing import Compared, Pairing, Variant, pairings, variants
from harness.errors import UserError
from harness.evidence.side_by_side import FASTER, NO_DIFFERENCE, NO_INTERVAL, SLOWER
from harness.execution import comparisons
from harness.execution.comparisons import repeats_and_blocks
from harness.execution.events import Planned
from harness.gate.lockstep import launch
from harness.gate.lockstep.question import Question
from harness.measures.side_by_side import WHAT
from harness.report.output.json_schema import output_schema
from harness.report.output.of_run import run_answer
from harness.report.output.written import as_csv, as_json
from harness.results.run import Run
from harness.statistics.intervals import Interval
from tests.tiny_models import gpt2, llama

ENDS = {"int8": (0.4, 0.6), "bf16": (0.9, 1.2), "int4": (1.1, 1.4)}


def _found(pairing: Pairing, low: float | None, high: float | None) -> Compared:
    ratio = Interval(0.5 if low is None or high is None else (low + high) / 2, low, high, pairing.launches)
    made = in_lockstep.how(ratio, in_lockstep.HOW, "launches")
    return Compared(ratio, 0.01, made, "launches", pd.DataFrame({"launch": [0, 1], "difference": [0.1, 0.2]}))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was compared: with ends by the precision; nf4 fails."""
    done: list[str] = []

    def compare(pairing: Pairing, **settings: Any) -> Compared:
        settings["going"](0)
        done.append(f"{pairing.head.precision} {pairing.times}")
        if pairing.head.precision == "int4-gptq":
            return Compared(None, None, "", "launches", None, "the process ended")
        return _found(pairing, *ENDS.get(pairing.head.precision, (None, None)))

    monkeypatch.setattr(side_by_side, "compare_in_lockstep", compare)
    return done


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in (("LAUNCHES", 1), ("ITERATIONS", 1), ("WARMUP", 0)):
        monkeypatch.setattr(f"harness.shorthand.benchmarking.{name}", few)


def _bench(folder: Path, out: Path, precision: Sequence[str], **more: Any) -> harness.Results:
    return harness.bench(
        folder, precision=precision, prompt=4, new=2, memory=False, threads=1, out=out, cached=False, **more
    )


def test_all_against_the_first() -> None:
    compared = variants({"m": {"reference": "f", "matrix": {}}, "n": {"transformers": "g"}}, ["fp32", "int4"])
    assert [str(one) for one in compared] == ["m fp32", "m int4", "n fp32", "n int4"]
    asked = pairings(compared, batch=[1, 8], prompt=16, new=4, launches=6)
    assert len(asked) == 12 and {str(one.base) for one in asked} == {"m fp32"}
    assert {(one.times, one.batch) for one in asked} == {
        (times, batch) for times in ("ttft", "tpot") for batch in (1, 8)
    }
    assert len(set(map(str, asked))) == 12
    assert pairings(compared[:1], batch=[1], prompt=1, new=2, launches=1) == []


def test_one_in_memory_has_its_own_precision() -> None:
    entries = {"m": {"in_memory": "x", "matrix": {"precision": ["bf16"]}}, "n": {"reference": "f"}}
    assert [str(one) for one in variants(entries, ["fp32", "int8"])] == ["m bf16", "n fp32", "n int8"]
    here, other = variants(entries, ["fp32"])
    assert here.is_here and not other.is_here
    assert all(one.is_here for one in pairings([other, here], batch=[1], prompt=1, new=2, launches=1))


def test_where_people_look(llama_folder: Path, tmp_path: Path, measured: list[str], quick: None) -> None:
    events: list[str] = []
    told: list[str] = []
    results = _bench(
        llama_folder,
        tmp_path,
        ["fp32", "int8", "bf16", "int4", "int4-gptq", "nf4"],
        on_event=lambda event: events.append(str(event)),
        tell=told.append,
    )
    assert len(measured) == 10 and any("10 comparisons in lockstep, of 6 launches each" in one for one in told)
    assert any(
        one.startswith("models side by side: 0%  llama int8 against llama fp32, ttft, batch 1: launch 1 of 6")
        for one in events
    )
    ratios = results.ratios
    shows = dict(zip(ratios["head"], ratios["shows"], strict=True))
    assert shows == {
        **{"llama int8": FASTER, "llama bf16": NO_DIFFERENCE, "llama int4": SLOWER},
        **{"llama int4-gptq": "", "llama nf4": NO_INTERVAL},
    }
    int8 = ratios[ratios["head"] == "llama int8"].iloc[0]
    assert (int8["base"], int8["ratio"], int8["low"], int8["n"], int8["n_unit"]) == (
        "llama fp32",
        0.5,
        0.4,
        6,
        "launches",
    )
    assert set(ratios[ratios["head"] == "llama int4-gptq"]["why_not"]) == {"the process ended"}
    assert results.exit_code == 2  # of what could not be compared

    records = results.records[results.records["measure"] == "side_by_side"]
    ok = records[records["metric"] == "time_ratio"]
    assert len(ok) == 8 and set(ok["n_unit"]) == {"launches"} and set(ok["direction"]) == {"lower"}
    assert ok["parameters"].notna().all() and set(ok["against"]) == {"llama fp32"}
    assert "time_ratio" in results.table()
    assert set(results.samples[results.samples["measure"] == "side_by_side"]["difference"]) == {0.1, 0.2}

    again = harness.show(results.folder)
    answer = run_answer(again)
    rows = json.loads(as_json(answer.rows))
    jsonschema.validate(rows, output_schema("show"))
    assert sum(row["metric"] == "time_ratio" for row in rows) == 8
    assert as_csv(answer.rows).count(",time_ratio,") == 8
    (table,) = (table for table in answer.tables if table.title == "side by side")
    assert [row.state for row in table.rows[::2]] == ["better", "", "worse", "failed", ""]
    text = [str(cell) for cell in table.rows[0].cells]
    assert "0.50 [0.40, 0.60]" in text and "6 launches" in text and FASTER in text
    assert any(note == "llama int4-gptq against llama fp32: the process ended" for note in table.notes)
    assert any(note.startswith("no interval: too few launches") for note in table.notes)
    for page in ("summary.md", "report.html"):
        written = (results.folder / page).read_text().lower()
        assert "side by side" in written and "no difference shown" in written


def test_they_outlast_another_report(llama_folder: Path, tmp_path: Path, measured: list[str], quick: None) -> None:
    results = _bench(llama_folder, tmp_path, ["fp32", "int8"])
    assert results.exit_code == 0 and not results.damage
    before = (results.folder / "summary.md").read_text()
    harness.show(results.folder).ratios.equals(results.ratios)
    (results.folder / "summary.md").unlink()
    (results.folder / "report.html").unlink()
    harness.show(results.folder).report()
    assert (results.folder / "summary.md").read_text() == before


def test_an_interrupted_one_goes_on(
    llama_folder: Path, tmp_path: Path, measured: list[str], quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = side_by_side.compare_in_lockstep

    def interrupted(pairing: Pairing, **settings: Any) -> Compared:
        if measured:
            raise KeyboardInterrupt
        return whole(pairing, **settings)

    monkeypatch.setattr(side_by_side, "compare_in_lockstep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _bench(llama_folder, tmp_path, ["fp32", "int8"])
    (folder,) = tmp_path.iterdir()
    halfway = harness.show(folder)
    assert halfway.manifest.status == "interrupted" and len(halfway.ratios) == 1 and halfway.exit_code == 2
    monkeypatch.setattr(side_by_side, "compare_in_lockstep", whole)
    results = _bench(llama_folder, tmp_path, ["fp32", "int8"], resume=True)
    assert results.folder == folder and measured == ["int8 ttft", "int8 tpot"]
    assert len(results.ratios) == 2 and results.exit_code == 0


def test_the_suite_that_it_stands_for_gives_the_same_ratios_from_the_cache(
    llama_folder: Path, tmp_path: Path, measured: list[str], quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.execution.cell_results.is_noise", lambda result: False)  # however busy others are
    saved, planned = tmp_path / "bench.yaml", dict[Any, Any]()

    def hear(event: object) -> None:
        planned.update(event.seconds if isinstance(event, Planned) else {})

    first = harness.bench(
        *(llama_folder,), precision=["fp32", "int8"], prompt=4, new=2, memory=False, threads=1, launches=7,
        out=tmp_path / "a", save_suite=saved, on_event=hear,
    )  # fmt: skip
    assert "side_by_side:\n  launches: 7\n" in saved.read_text() and measured == ["int8 ttft", "int8 tpot"]
    assert 22 * 10 < planned[WHAT] < 22 * 20, "11 launches twice, each of two processes of transformers"
    rows = harness.plan(saved)
    rows = rows[rows["measure"] == "side_by_side"]
    assert list(rows["estimate"]) == ["measured before"] * 2 and rows["cached"].all()
    again = harness.run(saved, out=tmp_path / "b", on_event=hear)
    assert len(measured) == 2 and again.ratios.equals(first.ratios) and again.exit_code == 0
    assert {cell.source for cell in again.cells} == {"cache"} and len(again.cells) == 4
    assert again.manifest.status == "finished" and not again.damage
    assert again.samples["difference"].equals(first.samples["difference"])
    assert len(harness.run(saved, out=tmp_path / "c", fresh=True).ratios) == 2 and len(measured) == 4
    other = saved.read_text().replace("launches: 7", "launches: 8")
    (tmp_path / "other.yaml").write_text(other)
    assert len(harness.run(tmp_path / "other.yaml", out=tmp_path / "d").ratios) == 2 and len(measured) == 6


def test_an_interrupted_one_goes_on_by_its_folder(
    llama_folder: Path, tmp_path: Path, measured: list[str], quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(pairing: Pairing, **settings: Any) -> Compared:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(side_by_side, "compare_in_lockstep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _bench(llama_folder, tmp_path, ["fp32", "int8"])
    (folder,) = tmp_path.iterdir()
    halfway = harness.show(folder)
    assert halfway.manifest.goes_on(folder) == f"harness run --resume {folder}" and halfway.ratios.empty
    results = harness.run(folder, resume=True)
    assert results.folder == folder and measured == ["int8 ttft", "int8 tpot"]
    assert len(results.ratios) == 2 and results.exit_code == 0 and results.manifest.status == "finished"


ONE_STEP = {"train": {"steps": 1}}
BASE: dict[str, Any] = {
    "name": "small",
    "models": {"nano": {"reference": "nano", **ONE_STEP}, "micro": {"reference": "micro", **ONE_STEP}},
    "measures": [{"inference": {"prompt": 8, "generate": 2, "batch": [1, 2]}}],
    "side_by_side": {},
}
"""A suite whose models are compared."""


def _measuring(**entry: Any) -> dict[str, Any]:
    return {"measures": [entry]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (_measuring(memory={"context": 8}), r"side_by_side: .*of the one measure `inference`, and the suite has none"),
        ({"measures": BASE["measures"] * 2}, r"side_by_side: .* and the suite has 2"),
        (_measuring(inference={"prompt": [8, 9]}), r"measures\.0\.inference\.prompt: .* compares at one value of it"),
        (
            _measuring(inference={}, matrix={"precision": "fp32"}),
            r"measures\.0\.matrix\.precision: .*put it into the suite's `matrix`",
        ),
        (_measuring(inference={}, models=["nano"]), r"side_by_side: there is one model at one precision"),
        ({"matrix": {"threads": [1, 2]}}, r"matrix\.threads: `side_by_side` compares at one value of it: keep one"),
        ({"matrix": {"seed": [0]}}, r"matrix\.seed: .* give `seed` no axis here"),
        ({"side_by_side": {"launches": 0}}, r"side_by_side\.launches: should be at least 1"),
        ({"side_by_side": {"launch": 6}}, r"did you mean 'launches'"),
    ],
)
def test_what_cannot_stand_side_by_side(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        harness.plan(BASE | changes)


def test_a_plan_has_what_is_compared_and_how_long_it_takes() -> None:
    rows = harness.plan(BASE)
    rows = rows[rows["measure"] == "side_by_side"]
    assert len(rows) == 4 and set(rows["model"]) == {"micro"} and set(rows["estimate"]) == {"estimated"}
    assert all("micro fp32 against nano fp32" in cell for cell in rows["cell"])
    assert rows["seconds"].between(9 * 6, 9 * 10).all(), "9 launches of two processes"


@pytest.mark.parametrize("seconds", [(1e-6, 2e-6), (1e-4, 3e-3), (0.01, 0.01), (0.001, 0.2), (0.3, 5.0)])
def test_an_estimate_counts_turns_as_they_are_made(seconds: tuple[float, float]) -> None:
    made = launch.pace([each * 1e9 for each in seconds])
    assert repeats_and_blocks(seconds) == pytest.approx(made.repeats * made.blocks, rel=0.01)
    assert comparisons.WARM == launch.WARM_SECONDS


def test_a_line_of_another_run_is_not_believed(
    llama_folder: Path, tmp_path: Path, measured: list[str], quick: None
) -> None:
    """A comparison that the manifest doesn't know is no cell of the run."""
    results = _bench(llama_folder, tmp_path, ["fp32", "int8"])
    manifest = Run(results.folder).manifest
    side_by_side.Journal(results.folder).write_manifest(manifest.model_copy(update={"compared": []}))
    assert len(harness.show(results.folder).damage) > 0 and harness.show(results.folder).ratios.empty


def test_launches_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a number from 1"):
        harness.bench("nano", launches=0, out=tmp_path)


class _Begun:
    """A comparison whose launches are counted."""

    def __init__(self, question: Question) -> None:
        self.question, self.lockstep, self.launches = question, self, 0

    def go_on(self, launches: int) -> None:
        self.launches += launches
        if self.question.b.model.precision == "int4" and self.launches == 2:  # type: ignore[union-attr]
            raise UserError("the process ended")

    def concluded(self) -> Any:
        outcome = type("Outcome", (), {"wall_ratio": Interval(0.5, 0.4, 0.6, self.launches), "scatter": 0.01})
        return type("Comparison", (), {"outcome": outcome, "measured": None})


def test_in_lockstep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Question] = []

    def begin(question: Question) -> _Begun:
        asked.append(question)
        return _Begun(question)

    monkeypatch.setattr(in_lockstep, "begin", begin)
    monkeypatch.setattr(in_lockstep, "table", lambda measured: pd.DataFrame())
    compared = variants({"m": {"reference": "f", "matrix": {}}}, ["fp32", "int8", "int4"])
    numbers: list[int] = []
    found = [
        in_lockstep.compare_in_lockstep(
            one, run=tmp_path, threads=1, device="cpu", trust_remote_code=False, going=numbers.append
        )
        for one in pairings(compared, batch=[8], prompt=16, new=4, launches=6)
    ]
    assert [one.ratio and one.ratio.n for one in found] == [6, 6, None, None]
    assert found[0].interval == in_lockstep.HOW and found[2].why_not == "the process ended"
    assert numbers == [*range(6), *range(6), 0, 1, 0, 1]
    assert [question.work.part for question in asked] == ["prefill", "decode"] * 2  # type: ignore[union-attr]
    assert all(question.a.model.precision == "fp32" and question.clock == "wall" for question in asked)  # type: ignore[union-attr]


class _Slow:
    """A model whose passes take a given time more."""

    def __init__(self, model: Any, seconds: float) -> None:
        self._model, self._seconds = model, seconds
        self.identity = model.identity

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def forward(self, *arguments: Any, **named: Any) -> Any:
        import time

        time.sleep(self._seconds)
        return self._model.forward(*arguments, **named)


def test_in_this_process(llama_folder: Path, tmp_path: Path) -> None:
    """What waits in each pass is slower, with an interval over rounds that says what it leaves out."""
    model = harness.load_model(llama_folder, threads=1)
    pairing = Pairing(Variant("m", {}, "fp32"), Variant("n", {}, "fp32"), "tpot", 1, 4, 3, launches=4)
    numbers: list[int] = []
    found = compare_here(
        pairing,
        lambda: model,
        lambda: _Slow(model, 0.02),  # type: ignore[arg-type, return-value]
        threads=1,
        log_file=tmp_path / "log",
        going=numbers.append,
    )
    assert not found.why_not and found.ratio is not None and found.ratio.low is not None
    assert found.ratio.low > 1 and found.ratio.n == ROUNDS * 4 == len(numbers) and found.n_unit == "rounds"
    assert "not independent launches" in found.interval and found.scatter is None
    assert found.evidence is not None and set(found.evidence["order"]) == {"base head", "head base"}
    few = compare_here(
        replace(pairing, launches=1),
        lambda: model,
        lambda: model,
        threads=1,
        log_file=tmp_path / "log",
        going=numbers.append,
    )
    assert few.ratio is not None and few.ratio.low is None and few.interval.startswith("none: too few rounds")
    long = compare_here(
        replace(pairing, prompt=9_999),
        lambda: model,
        lambda: model,
        threads=1,
        log_file=tmp_path / "log",
        going=numbers.append,
    )
    assert long.ratio is None and "do not fit in the context of 64" in long.why_not


def test_models_in_memory(tiny_tokenizer_file: Path, llama_folder: Path, tmp_path: Path, quick: None) -> None:
    """The first that was given is the base, whatever it is; a model by name is opened beside it."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(llama_folder)
    told: list[str] = []
    given = [harness.InMemory(llama(), tokenizer, name="mine"), harness.InMemory(gpt2(), tokenizer), llama_folder]
    results = harness.bench(
        given, prompt=4, new=2, memory=False, threads=1, launches=2, out=tmp_path, cached=False, tell=told.append
    )
    ratios = results.ratios
    assert set(ratios["base"]) == {"mine fp32"} and set(ratios["why_not"]) == {""}
    assert list(dict.fromkeys(ratios["head"])) == ["GPT2LMHeadModel fp32", "llama fp32"]
    assert set(ratios["n"]) == {6} and set(ratios["n_unit"]) == {"rounds"}
    assert all("how launches differ is not in it" in how for how in ratios["interval"])
    assert any("no independent launches" in one for one in told)
