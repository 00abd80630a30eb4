"""Over-optimization in stored cells: planted, absent, and in cells that can't be read together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.analysis.alignment.reward_laws import BestOfNReward, LearnedReward, distances, peak_at
from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.objective import SQUARES
from harness.charts.over_optimization import over_optimization
from harness.measures.measure import Facts
from harness.measures.responses.responses import ResponsesSettings, summarize
from harness.results.finding import Finding
from tests.harness.analysis.alignment.test_alignment_analyses import Stored, analyzed

DISTANCES = np.array([0.3, 0.5, 0.8, 1.2, 1.8, 2.6, 3.6])


def store(run: Stored, model: str, gold: np.ndarray, proxy: np.ndarray, kl: float, **settings: Any) -> None:
    """gold, proxy: (prompts, samples)."""
    prompts, samples = gold.shape
    rows = pd.DataFrame(
        {
            "prompt": np.repeat(np.arange(prompts), samples), "sample": np.tile(np.arange(samples), prompts),
            "score": gold.ravel(), "proxy": proxy.ravel(), "parts": "{}", "tokens": 5, "ended": True,
            "response": "a", "kl": kl,
        }
    )  # fmt: skip
    chosen = {"judge": "answers", "reference": "sft", "proxy": "rm", "samples": samples, "prompts": "p"} | settings
    typed, nobody = ResponsesSettings(**chosen), SimpleNamespace()
    facts: Any = Facts(nobody)  # type: ignore[arg-type]
    run.add(model, "responses", typed.model_dump(mode="json"), rows, list(summarize(rows, typed, facts)))


def trained(alpha: float, beta: float, seed: int = 0, prompts: int = 120, noise: float = 0.5) -> Stored:
    """A training whose gold is d (alpha - beta log d), while its proxy rises."""
    run, draw = Stored(), np.random.default_rng(seed)
    ease = draw.normal(size=(prompts, 1))
    for at, d in enumerate((0.0, *DISTANCES)):
        gain = d * (alpha - beta * np.log(d)) if d else 0.0
        gold = ease + gain + draw.normal(size=(prompts, 2)) * noise
        proxy = 0.5 * gold + d + draw.normal(size=gold.shape)
        store(run, "sft" if not at else f"p{at}", gold, proxy, float(d**2))
    return run


MODELS = [f"p{at}" for at in range(1, 8)]


def measured(run: Any, **settings: Any) -> list[Finding]:
    return analyzed("over_optimization", run, **{"curves": {"beta 0": MODELS}, "best_of": []} | settings)


def named(found: list[Finding], name: str) -> Finding:
    [one] = [one for one in found if one.name == name]
    return one


def test_a_planted_fall_is_found_with_its_law() -> None:
    found = measured(trained(1.0, 0.7))
    fall = named(found, "fall")
    assert fall.data["shown"] and fall.low is not None and fall.low > 0 and "shown: over-optimization" in fall.note
    assert fall.data["peak_model"] in ("p3", "p4", "p5"), "the law's peak is at exp(1 / 0.7 - 1) = 1.54"
    law = named(found, "law")
    assert (law.data["alpha"], law.data["beta"]) == pytest.approx((1.0, 0.7), abs=0.1)
    assert "does not hold" not in law.note and law.data["peak_kl"] == pytest.approx(1.54**2, rel=0.25)
    assert len([one for one in found if one.name == "gold"]) == len([one for one in found if one.name == "proxy"]) == 8
    assert over_optimization(found) is not None


@pytest.mark.parametrize("beta", [0.0, -0.3])
def test_curves_that_only_rise_are_not_shown(beta: float) -> None:
    wrong = sum(bool(named(measured(trained(1.0, beta, seed)), "fall").data["shown"]) for seed in range(4))
    assert wrong <= 1, "how often by chance is counted in the statistics' own tests"
    told = named(measured(trained(1.0, beta)), "fall")
    assert told.note.startswith("not shown") and "smallest fall" in told.note and told.data["smallest"] > 0


def test_noise_alone_is_not_shown() -> None:
    assert sum(bool(named(measured(trained(0.0, 0.0, seed)), "fall").data["shown"]) for seed in range(4)) <= 1


def test_known_bad_a_fall_without_a_rising_proxy_is_no_over_optimization() -> None:
    run = trained(1.0, 0.7)
    for cell in run.cells:
        samples = run.samples_of(cell)
        samples["proxy"] = samples["score"]
    fall = named(measured(run), "fall")
    assert not fall.data["shown"] and "no over-optimization" in fall.note


def test_a_control_that_falls_is_told() -> None:
    assert "though gold itself" in named(measured(trained(1.0, 0.7), controls=["beta 0"]), "fall").note
    assert "is no curve" in named(measured(trained(1.0, 0.7), controls=["gold"]), "fall").note


def test_more_tries_need_more_evidence() -> None:
    weak = trained(0.5, 0.33, noise=2.5, prompts=60)
    one, many = (named(measured(weak, tries=tries), "fall") for tries in (1, 50))
    assert many.data["p_holm"] == pytest.approx(min(50 * one.data["p_holm"], 1.0))
    assert many.data["smallest"] > one.data["smallest"]


def test_the_best_of_n_is_a_curve_of_the_references_samples() -> None:
    """Gold is what the proxy sees but for an exploit: the few responses that the proxy likes far too much."""
    run, draw = Stored(), np.random.default_rng(0)
    gold = draw.normal(size=(80, 256))
    exploit = draw.uniform(size=gold.shape) < 0.01
    gold, proxy = np.where(exploit, -2.0, gold), np.where(exploit, 9.0, gold + 0.5 * draw.normal(size=gold.shape))
    store(run, "sft", gold, proxy, 0.0)
    found = measured(run, best_of=[2, 4, 8, 16, 32, 64, 128, 256])
    falls = [one for one in found if one.name == "fall"]
    assert "none of its models was measured" in falls[0].note
    assert falls[1].subject["curve"] == "best of n" and falls[1].data["shown"]
    assert named(found, "law").subject["law"] == "R = d (alpha - beta d)"
    assert "the form does not hold" in named(found, "law").note, "a cliff is no parabola"


def test_the_proxys_accuracy_is_held_against_its_bounds() -> None:
    told = named(measured(trained(1.0, 0.7)), "proxy_accuracy")
    assert told.value is not None and 0.4 < told.value < 0.9
    assert "outside 98% to 99%" in named(measured(trained(1.0, 0.7), accuracy=[0.98, 0.99]), "proxy_accuracy").note


def test_what_cant_be_read_together_is_told() -> None:
    run = trained(1.0, 0.7)
    store(run, "p9", np.zeros((120, 2)), np.zeros((120, 2)), 1.0, prompts="q")
    assert "differ in `prompts`" in named(measured(run), "fall").note
    assert named(measured(run, where={"prompts": "p"}), "fall").data["shown"]
    assert "nothing to test" in named(measured(SimpleNamespace(cells=[])), "fall").note
    alone = Stored()
    store(alone, "p1", np.zeros((12, 2)), np.zeros((12, 2)), 1.0)
    assert "the reference has no cell" in named(measured(alone), "fall").note
    assert any("can't be halved" in one.note for one in measured(trained(1.0, 0.7, prompts=6)))


@pytest.mark.parametrize(
    ("law", "basis"), [(LearnedReward(), lambda d: -d * np.log(d)), (BestOfNReward(), lambda d: -(d**2))]
)
def test_laws_are_fitted_as_by_linear_least_squares(law: Any, basis: Any) -> None:
    d, draw = DISTANCES, np.random.default_rng(0)
    gain = d + 0.4 * basis(d) + draw.normal(size=len(d)) * 0.1
    wanted = np.linalg.lstsq(np.stack([d, basis(d)], 1), gain, rcond=None)[0]
    found = fit(law, distances(d, gain), SQUARES)
    assert found.natural == pytest.approx(wanted, rel=1e-6) and not found.certificate.rivals
    slope = law.gradient(wanted, d)[0]
    step = (law.predict(wanted, d * np.exp(1e-5)) - law.predict(wanted, d * np.exp(-1e-5))) / 2e-5
    assert slope == pytest.approx(step, rel=1e-6)
    top = peak_at(law, *wanted)
    grid = np.linspace(0.01, 20, 200_000)
    assert top == pytest.approx(grid[law.predict(wanted, grid).argmax()], abs=1e-3)
    assert peak_at(law, 1.0, -0.1) is None and peak_at(law, 1.0, 1e-9 if law.name == "learned_reward" else 0.0) is None


def test_known_bad_a_proxy_that_is_worth_nothing_is_told() -> None:
    """Gold falls from the start: shown, but of no proxy that was asked for."""
    fall = named(measured(trained(-1.0, 0.0), accuracy=[0.98, 0.99]), "fall")
    assert fall.data["shown"] and not fall.data["accepted"] and fall.data["peak_kl"] == 0
    assert "worth nothing" in fall.note and "not one that was asked for" in fall.note


def test_moments_that_came_at_once_are_one_policy() -> None:
    run = trained(1.0, 0.7)
    again = run.samples_of(run.cells[3])
    gold, proxy = (again[name].to_numpy().reshape(-1, 2) for name in ("score", "proxy"))
    store(run, "p3b", gold, proxy, float(again["kl"][0]))
    found = measured(run, curves={"beta 0": ["p3b", *MODELS]})
    assert len([one for one in found if one.name == "gold"]) == 8
