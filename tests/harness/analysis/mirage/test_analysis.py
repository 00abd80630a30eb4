"""The mirage battery on answers whose truth is known: smooth tokens are a mirage, a break in the tokens is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from harness.analysis.mirage.analysis import MIRAGE, MirageSettings
from harness.analysis.mirage.battery import Battery, battery
from harness.errors import UserError
from harness.results.run import Run

SIZES = np.geomspace(1e5, 1e10, 6)
DIGITS = 8
SMOOTH = expit(np.linspace(-1.5, 3, 6))
HINGE = np.array([0.3, 0.3, 0.3, 0.3, 0.7, 0.97])


def planted(token_accuracy: Any, documents: int = 400, digits: int = DIGITS, seed: int = 0) -> pd.DataFrame:
    """Answers of so many digits, each right for itself with a size's token accuracy; all right is an exact match."""
    generator = np.random.default_rng(seed)
    frames = []
    for size, p in zip(SIZES, np.asarray(token_accuracy, dtype=float), strict=True):
        hits = (generator.uniform(size=(documents, digits)) < p).sum(axis=1)
        log_p = digits * math.log(p) + generator.normal(0, 0.3, documents)
        frames.append(
            pd.DataFrame(
                {
                    "parameters": size,
                    "document": range(documents),
                    "right": (hits == digits).astype(float),
                    "token_accuracy": hits / digits,
                    "tokens": digits,
                    "hits": hits,
                    "gold_log_prob": np.minimum(log_p, -1e-3),
                    "gold_bytes": digits,
                }
            )
        )
    return pd.concat(frames)


@pytest.fixture(scope="module")
def mirage() -> Battery:
    return battery(planted(SMOOTH))


@pytest.fixture(scope="module")
def true_jump() -> Battery:
    return battery(planted(HINGE))


def test_smooth_tokens_make_a_mirage(mirage: Battery) -> None:
    assert mirage.verdict == "only under exact match"
    exact, *smooth = mirage.curves
    assert exact.state == "jumps" and exact.flat >= 3
    assert [curve.metric for curve in smooth] == ["token_accuracy", "gold_loss"]
    assert all(curve.state == "moves" for curve in smooth)
    for curve in smooth:
        assert curve.progress_low is not None and mirage.straight is not None
        assert curve.progress_low > mirage.straight / 4


def test_a_break_in_the_tokens_is_no_mirage(true_jump: Battery) -> None:
    assert true_jump.verdict == "the jump is there under every metric"
    assert all(curve.state == "jumps" for curve in true_jump.curves)
    assert all(curve.break_p is not None and curve.break_p < 0.025 for curve in true_jump.curves[1:])


def test_what_does_not_rise_and_what_rises_at_once_is_no_jump() -> None:
    none = battery(planted([0.3] * 6))
    assert none.verdict == "no jump" and "shows nothing up to" in none.why
    early = battery(planted(expit(np.linspace(1, 4, 6))))
    assert early.verdict == "no jump" and "from the second size on" in early.why


def test_without_a_smooth_metric_or_enough_sizes_nothing_is_decided() -> None:
    frame = planted(SMOOTH)
    alone = battery(frame[["parameters", "document", "right"]])
    assert alone.verdict == "not decided" and "likelihood: true" in alone.why
    few = battery(frame[frame["parameters"] > SIZES[2]])
    assert few.verdict == "not decided" and "at least 4" in few.why


def test_one_cluster_decides_nothing() -> None:
    assert battery(planted(SMOOTH, documents=30).assign(cluster="one")).verdict == "no jump"


def test_few_documents_do_not_decide() -> None:
    """Twelve documents can't tell what twelve hundred do."""
    assert battery(planted(SMOOTH, documents=12)).verdict in ("not decided", "no jump", "only under exact match")
    assert battery(planted(HINGE, documents=12)).verdict != "only under exact match"


def test_exact_match_is_the_power_of_token_accuracy(mirage: Battery) -> None:
    for test, p in zip(mirage.lengths, SMOOTH, strict=True):
        assert test.token_accuracy == pytest.approx(p, abs=0.03)
        assert test.low <= test.token_accuracy + 0.03 and test.high >= test.token_accuracy - 0.03
        assert test.predicted == pytest.approx(test.token_accuracy**DIGITS)


def test_tokens_that_depend_on_each_other_are_no_power() -> None:
    """All right or all wrong: exact match is the token accuracy itself, so it implies a far higher one."""
    frame = planted(SMOOTH)
    right = np.random.default_rng(1).uniform(size=len(frame)) < 0.5
    frame = frame.assign(right=right.astype(float), hits=np.where(right, DIGITS, 0), token_accuracy=right.astype(float))
    for test in battery(frame).lengths:
        assert test.low > test.token_accuracy + 0.3


def test_every_zero_has_its_resolution(mirage: Battery) -> None:
    first = mirage.resolution[0]
    assert first.right == 0 and first.n == 400
    assert (1 - first.least) ** first.n == pytest.approx(0.05)
    logs = planted(SMOOTH).query("parameters == @SIZES[0]")["gold_log_prob"].to_numpy()
    assert first.all_wrong == pytest.approx(np.prod(1 - np.exp(logs)))
    assert first.mean_log_p == pytest.approx(logs.mean())
    assert first.log_mean_p == pytest.approx(math.log(np.exp(logs).mean()))
    assert first.log_mean_p is not None and first.mean_log_p is not None
    assert first.log_mean_p > first.mean_log_p  # Jensen
    assert dict(first.pass_at)[10] == pytest.approx((1 - (1 - np.exp(logs)) ** 10).mean())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda frame: frame.drop(columns="right"), "no column `right`"),
        (lambda frame: pd.concat([frame, frame.iloc[:1]]), "comes twice"),
        (lambda frame: frame.assign(parameters=-1.0).drop_duplicates("document"), "positive number of parameters"),
        (lambda frame: frame[frame["document"] < 5], "at least 10"),
        (lambda frame: frame.assign(token_accuracy=np.inf), "column token_accuracy"),
        (lambda frame: frame.assign(token_accuracy=frame["token_accuracy"] * 100), "not within 0 to 1"),
        (lambda frame: frame.assign(right=2.0), "2 is not within 0 to 1"),
        (lambda frame: frame.assign(gold_log_prob=3.0), "3 is not within -inf to 0"),
        (lambda frame: frame.assign(gold_log_prob=-3.0, gold_bytes=0), "0 is not within 1 to inf"),
        (lambda frame: frame.assign(gold_log_prob=-3.0, gold_bytes=frame["parameters"]), "one length"),
        (lambda frame: frame.assign(tokens=3, hits=5), "more hits than tokens"),
        (lambda frame: frame.assign(tokens=0, hits=0), "0 is not within 1 to inf"),
        (lambda frame: frame.assign(right="yes"), "a number is wanted"),
        (lambda frame: frame[frame["parameters"] == SIZES[0]], "of one size"),
    ],
)
def test_bad_tables_are_refused_by_name(change: Callable[[pd.DataFrame], pd.DataFrame], told: str) -> None:
    with pytest.raises(UserError, match=told):
        battery(change(planted(SMOOTH, documents=20)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("curve", "verdict"), [(SMOOTH, "only under exact match"), (HINGE, "the jump is there under every metric")]
)
def test_verdicts_hold_over_many_seeds(curve: Any, verdict: str) -> None:
    found: list[str] = [battery(planted(curve, seed=seed)).verdict for seed in range(40)]
    assert found.count(verdict) >= 38
    assert not set(found) & ({"only under exact match", "the jump is there under every metric"} - {verdict})


# runs


@pytest.fixture(scope="module")
def ladder(task_builders: ModuleType, task_ladder: Callable[[Any], Run]) -> Run:
    """Four models that write eight digits, more of them right with size; none or few answers are right as a whole."""
    answers: dict[Any, Any] = {}
    for model, size, p in (("a", 10**5, 0.25), ("b", 10**6, 0.45), ("c", 10**7, 0.7), ("d", 10**8, 0.95)):
        generator = np.random.default_rng(size)
        rows = []
        for number in range(60):
            hits = generator.uniform(size=DIGITS) < p
            answer = "".join("7" if hit else "1" for hit in hits)
            row = task_builders.written_row(number, f"Q{number}", [answer], "7" * DIGITS, {"strict": answer})
            row["right_log_probs"] = [math.log(p)] * DIGITS
            row["right_hits"] = int(hits.sum())
            rows.append(row)
        answers[model, size] = [({}, rows)]
    return task_ladder(answers)


def test_a_run_is_judged_by_what_its_samples_hold(ladder: Run) -> None:
    found = {item.name: item for item in MIRAGE.run(ladder, MirageSettings())}
    verdict = found["verdict"]
    assert verdict.data["verdict"] == "only under exact match"
    assert verdict.subject["part"] == "strict"
    assert [curve["metric"] for curve in verdict.data["curves"]] == ["exact_match", "edit_similarity"]
    edit = verdict.data["curves"][1]["points"]
    assert [point["value"] for point in edit] == pytest.approx([0.25, 0.45, 0.7, 0.95], abs=0.06)
    assert "none right of 60" in found["progress_exact_match"].note
    assert found["implied_token_accuracy"].value == pytest.approx(0.95, abs=0.03)


def test_what_is_not_there_is_named(ladder: Run) -> None:
    (found,) = MIRAGE.run(ladder, MirageSettings(where={"task": "sum"}))
    assert "did you mean 'sums'" in found.note
