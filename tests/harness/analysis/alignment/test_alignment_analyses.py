"""Rankings and frontiers from stored cells whose truth is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.analysis.registry import ANALYSES
from harness.charts.reward_frontier import frontier
from harness.measures.measure import Facts
from harness.measures.responses.responses import ResponsesSettings, summarize
from harness.results.finding import Finding
from harness.results.record import CellResult, Record, Status

STRENGTH = {"sft": 0.0, "dpo": 1.0, "ppo": 0.5}


class Stored:
    """Stands in for a run: cells with their samples."""

    def __init__(self) -> None:
        self.cells: list[CellResult] = []
        self._samples: dict[str, pd.DataFrame] = {}

    def add(self, model: str, measure: str, settings: dict[str, Any], samples: pd.DataFrame, found: list[Any]) -> None:
        key = f"{model} {measure} {len(self.cells)}"
        records = [
            Record(
                key=key,
                model=model,
                measure=measure,
                settings=settings,
                model_digest="d",
                fingerprint_class="c",
                **one.fields(),
            )
            for one in found
        ]
        cell = CellResult(
            key=key, model=model, measure=measure, axes={}, settings=settings, status=Status.OK, records=records
        )
        self.cells.append(cell)
        self._samples[cell.key] = samples

    def samples_of(self, cell: CellResult) -> pd.DataFrame:
        return self._samples[cell.key]


def compared(pairs: list[tuple[str, str]], prompts: int = 400) -> Stored:
    draw, run = np.random.default_rng(0), Stored()
    for one, other in pairs:
        chance = 1 / (1 + np.exp(STRENGTH[other] - STRENGTH[one])) if one != other else 0.5
        rows = pd.DataFrame(
            {
                "outcome": (draw.uniform(size=prompts) < chance).astype(float),
                "opening": [str(n) for n in range(prompts)],
            }
        )
        run.add(one, "win_rate", {"against": other, "judge": "gold", "prompts": "p"}, rows, [])
    return run


def analyzed(name: str, run: Any, **settings: Any) -> list[Finding]:
    return ANALYSES[name].run(run, ANALYSES[name].settings.model_validate(settings))


def test_models_are_ranked_by_who_wins() -> None:
    found = analyzed("ranking", compared([("dpo", "sft"), ("ppo", "sft"), ("sft", "sft")]))
    assert [one.subject["model"] for one in found] == ["dpo", "ppo", "sft"]
    for one in found:
        truth = STRENGTH[str(one.subject["model"])] - 0.5
        assert one.low is not None and one.high is not None and one.low - 0.1 <= truth <= one.high + 0.1


def test_judges_are_ranked_apart_and_islands_are_told() -> None:
    run = compared([("dpo", "sft")])
    run.cells[0].settings["judge"] = "rules"
    assert len(analyzed("ranking", run)) == 2
    run = compared([("dpo", "sft")])
    run.add("a", "win_rate", {"against": "b", "judge": "gold", "prompts": "p"}, run.samples_of(run.cells[0]), [])
    [told] = analyzed("ranking", run)
    assert told.value is None and "never compared" in told.note
    [told] = analyzed("ranking", SimpleNamespace(cells=[]))
    assert "no cell of `win_rate`" in told.note


def answered(run: Stored, model: str, scores: np.ndarray, kl: float, **settings: Any) -> None:
    """scores: (prompts, samples)."""
    prompts, samples = scores.shape
    rows = pd.DataFrame(
        {
            "prompt": np.repeat(np.arange(prompts), samples), "sample": np.tile(np.arange(samples), prompts),
            "score": scores.ravel(), "proxy": scores.ravel(), "parts": "{}", "tokens": 5, "ended": True,
            "response": "a", "kl": kl,
        }
    )  # fmt: skip
    chosen = {"judge": "gold", "reference": "sft", "proxy": "rm", "samples": samples, "prompts": "p"} | settings
    typed = ResponsesSettings(**chosen)
    nobody: Any = None
    run.add(model, "responses", typed.model_dump(mode="json"), rows, list(summarize(rows, typed, Facts(nobody))))


def test_a_frontier_has_policies_best_of_n_and_the_ceiling() -> None:
    draw, run = np.random.default_rng(0), Stored()
    answered(run, "sft", draw.normal(size=(40, 512)), 0.0)
    answered(run, "ppo", draw.normal(0.5, 1, size=(40, 1)), 0.3)
    found = analyzed("reward_frontier", run)
    policies = {str(one.subject["model"]): one for one in found if one.name == "policy"}
    assert set(policies) == {"sft", "ppo"} and policies["ppo"].data["kl"] == pytest.approx(0.3)
    best = {one.subject["n"]: one for one in found if one.name == "best_of_n"}
    assert best[1].value == pytest.approx(0, abs=0.02) and best[4].value == pytest.approx(1.03, abs=0.05)
    ceiling = [one for one in found if one.name == "ceiling" and one.value is not None]
    for one in ceiling:  # of a standard normal: score 1 / beta at 1 / (2 beta²) nats, so score = sqrt(2 KL)
        assert one.value == pytest.approx(np.sqrt(2 * one.data["kl"]), abs=0.06)
    assert max(one.data["kl"] for one in ceiling) < 2, "further out few samples carry the weight: it is not drawn"
    assert any("draw more `samples`" in one.note for one in found)
    assert frontier(found) is not None


def test_known_bad_few_samples_would_put_the_ceiling_below_a_policy() -> None:
    """With 8 samples no point has an effective size of 100: nothing is drawn that would be wrong."""
    run = Stored()
    answered(run, "sft", np.random.default_rng(0).normal(size=(40, 8)), 0.0)
    found = analyzed("reward_frontier", run)
    assert not [one for one in found if one.name == "ceiling" and one.value is not None]


def test_nothing_to_draw_is_told() -> None:
    [told] = analyzed("reward_frontier", SimpleNamespace(cells=[]))
    assert "nothing to draw" in told.note and frontier([told]) is None
