"""Items become numbers: lm-evaluation-harness' own to the digit, and ours with intervals that hold."""

import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import UserError
from harness.mode import Mode
from harness.statistics.intervals import ratio_of_sums
from harness.statistics.proportions import clustered_proportion, wilson
from harness.tasks.aggregation import aggregate_as_lm_eval
from harness.tasks.aggregation.aggregate import summarize
from harness.tasks.aggregation.aggregate_as_lm_eval import drawn_places
from harness.tasks.aggregation.estimate import Estimate
from harness.tasks.aggregation.group_scores import check_group, not_given, summarize_group
from harness.tasks.aggregation.resample import by_functions
from harness.tasks.config import Function, GroupConfig, MetricConfig, TaskConfig
from harness.tasks.judging.specification import specification


def spec(mode: Mode = "right", **aggregations: str) -> dict[str, Any]:
    entries = {
        name.replace("chrfpp", "chrf++"): {"aggregation": how, "direction": "higher", "listed": True}
        for name, how in aggregations.items()
    }
    return {"task": "t", "file": "t.yaml", "mode": mode, "metrics": entries, "pipelines": ["none"], "builtin": True}


def one(items: Sequence[Any], how: str, mode: Mode = "right", clusters: Any = None, name: str = "m") -> Estimate:
    stored = json.loads(json.dumps([{name: item} for item in items]))
    (found,) = summarize(stored, clusters or [None] * len(items), spec(mode, **{name.replace("++", "pp"): how}))
    return found


def _items() -> dict[str, list[Any]]:
    """The items that the golden values were made of."""
    draw = random.Random(7)
    n = 40
    items: dict[str, list[Any]] = {}
    items["mean"] = [float(draw.random() < 0.6) for _ in range(n)]
    items["pairs"] = [(draw.randint(0, 1), draw.randint(0, 1)) for _ in range(n)]
    items["three"] = [(draw.randint(0, 2), draw.randint(0, 2)) for _ in range(n)]
    items["logs"] = [-draw.random() * 5 for _ in range(n)]
    items["weighted"] = [(-draw.random() * 50, draw.randint(1, 20)) for _ in range(n)]
    items["brier"] = []
    for _ in range(n):
        p = [draw.random() for _ in range(3)]
        total = sum(p)
        items["brier"].append((draw.randint(0, 2), [x / total for x in p]))
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "one", "big", "red", "dog"]
    texts = [
        (" ".join(draw.choices(words, k=8)), " ".join(draw.choices(words, k=draw.randint(5, 9)))) for _ in range(30)
    ]
    items["texts"] = [
        (a, a if i % 4 == 0 else " ".join(a.split()[:6] + b.split()[:2])) for i, (a, b) in enumerate(texts)
    ]
    items["holes"] = [x if i % 7 else math.nan for i, x in enumerate(items["logs"])]
    return items


ITEMS = _items()


@pytest.mark.parametrize(
    ("items", "how", "iterations", "value", "error"),
    [
        # from lm_eval.api.metrics 0.4.13: the aggregation, and stderr_for_metric with so many bootstrap iterations
        ("mean", "mean", 100_000, 0.775, 0.06686668711812967),
        ("logs", "median", 2000, -2.5919842856638056, 0.3330311711009113),
        ("logs", "perplexity", 2000, 15.267517756932039, 3.4238019682066465),
        ("pairs", "matthews_corrcoef", 1000, 0.035578862907691904, 0.16305391829416938),
        ("three", "matthews_corrcoef", 1000, -0.0019029573242513832, 0.1119917300020542),
        ("pairs", "f1", 1000, 0.5777777777777777, 0.0940704420356188),
        ("weighted", "weighted_perplexity", 2000, 18.36255171681013, None),
        ("weighted", "bits_per_byte", 2000, 4.198694648921767, None),
        ("brier", "brier_score", 2000, 0.8292468675303393, None),
        ("holes", "nanmean", 1000, -2.830075503566044, 0.20354408835796223),
    ],
)
def test_mode_lm_eval_gives_lm_evals_numbers(
    items: str, how: str, iterations: int, value: float, error: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregate_as_lm_eval, "ITERATIONS", iterations)
    found = one(ITEMS[items], how, "lm-eval")
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.stderr == (None if error is None else pytest.approx(error, rel=1e-9))
    assert (found.low is None) == (error is None)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("bleu", 78.17690362854304, 2.4690919470724015),
        ("chrf", 81.06301233812052, 2.1661806521204494),
        ("chrf++", 81.37020475115756, 2.1236799797364214),
        ("ter", 16.666666666666664, 1.9355677613874847),
    ],
)
def test_text_scores_are_lm_evals_too(name: str, value: float, error: float) -> None:
    pytest.importorskip("sacrebleu")
    found = one(ITEMS["texts"], name, "lm-eval", name=name)
    assert (found.value, found.stderr) == (pytest.approx(value, rel=1e-12), pytest.approx(error, rel=1e-9))
    ours = one(ITEMS["texts"], name, name=name)
    assert ours.value == found.value
    assert ours.low < ours.value < ours.high
    assert ours.stderr == pytest.approx(error, rel=0.25)  # 100 draws against 1000
    several = [([answer, "x"], answer) for _, answer in ITEMS["texts"]]
    assert one(several, "bleu", name="bleu").value == pytest.approx(100)


def test_draws_are_pythons() -> None:
    found = np.concatenate(list(drawn_places(7, 2000)))
    draw = [random.Random(seed) for seed in (0, 1)]
    assert found.tolist() == [generator.choices(range(7), k=7) for generator in draw for _ in range(1000)]
    assert np.concatenate(list(drawn_places(3, 100))).shape == (100, 3)


def test_a_proportion_has_wilsons_interval() -> None:
    found = one([1.0, 0.0, 1.0, 1.0], "mean")
    assert (found.value, found.low, found.high) == wilson(3, 4)[:3]
    assert (found.n, found.n_unit, found.how, found.family) == (4, "documents", "Wilson over documents", "proportion")
    assert found.stderr == pytest.approx(np.std([1, 0, 1, 1], ddof=1) / 2)
    assert one([1.0], "mean").low == wilson(1, 1).low


def test_documents_that_share_a_passage_are_no_independent_trials() -> None:
    items, passages = [1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0], ["a", "a", "a", "b", "b", None, None]
    found = one(items, "mean", clusters=passages)
    assert (found.low, found.high) == clustered_proportion([3, 0, 1, 0], [3, 2, 1, 1])[1:3]
    assert found.how == "Wilson, effective n over 4 clusters, t"
    assert found.n == 7
    assert found.high - found.low > one(items, "mean").high - one(items, "mean").low


def test_means_that_are_no_proportion() -> None:
    numbers = [0.5, 1.0, 0.25, 0.0]
    found = one(numbers, "mean")
    assert (found.value, found.low, found.high) == pytest.approx(ratio_of_sums(numbers, [1] * 4)[:3])
    assert one([0.5], "mean").how == "none: one document has no spread"
    assert one([0.5, math.nan, 1.5], "nanmean").value == 1.0
    assert one([[0, [0.5, 0.5]], [1, [0.2, 0.8]]], "brier_score").value == pytest.approx((0.5 + 0.08) / 2)


def test_perplexities_are_ratios_over_documents() -> None:
    items = [(-10.0, 4), (-3.0, 2), (-8.0, 3)]
    ratio = ratio_of_sums([10, 3, 8], [4, 2, 3])
    found = one(items, "weighted_perplexity")
    assert (found.value, found.low, found.high) == pytest.approx(tuple(np.exp(ratio[:3])))
    found = one(items, "bits_per_byte")
    assert (found.value, found.low, found.high) == pytest.approx(tuple(np.array(ratio[:3]) / math.log(2)))
    found = one([-1.0, -2.0], "perplexity")
    assert found.value == pytest.approx(math.exp(1.5))
    assert one([-1e6, -1e6], "perplexity").value == math.inf


def test_classes_are_resampled_and_the_same_again() -> None:
    for how in ("f1", "matthews_corrcoef"):
        found = one(ITEMS["pairs"], how)
        assert found == one(ITEMS["pairs"], how)
        assert found.low < found.value < found.high
        assert found.how == "bootstrap over documents (1000 draws, percentile)"
    assert one(ITEMS["pairs"], "f1", clusters=["a", "b"] * 20).how.startswith("bootstrap over 2 clusters")
    assert one([(0, 0), (0, 0)], "f1").value == 0
    with pytest.raises(UserError, match="class 1 among two"):
        one(ITEMS["three"], "f1")


def test_the_interval_of_a_correlation_covers() -> None:
    rng = np.random.default_rng(0)
    # gold is 1 for half of the documents, 75 % are predicted: the correlation is 0.5
    covered = 0
    for _ in range(100):
        gold = rng.integers(0, 2, 150)
        predicted = np.where(rng.random(150) < 0.75, gold, 1 - gold)
        found = one([(int(g), int(p)) for g, p in zip(gold, predicted, strict=True)], "matthews_corrcoef")
        covered += found.low <= 0.5 <= found.high
    assert 88 <= covered <= 100


def test_median(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregate_as_lm_eval, "ITERATIONS", 1000)
    found = one([float(x) for x in range(9)], "median")
    assert (found.value, found.low, found.high) == (4.0, 1.0, 7.0)
    assert one([1.0, 2.0, 3.0, 9.0], "median", "lm-eval").value == 3.0  # the upper middle
    clustered = one([float(x) for x in range(9)], "median", clusters=["a", "b", "c"] * 3)
    assert clustered.how.startswith("bootstrap over 3 clusters")


def test_metrics_that_a_document_lacks_and_metrics_that_nobody_listed() -> None:
    documents: list[Mapping[str, Any]] = [{"extra": 1.0}, {"extra": 0.0, "acc": 1.0}]
    found = summarize(documents, [None, None], spec(acc="mean"))
    assert [(e.key, e.value, e.n) for e in found] == [("acc", 1.0, 1), ("extra", 0.5, 2)]
    with pytest.raises(UserError, match=r"t.yaml:metric_list: items of `acc` can't be summed up as `mean`"):
        summarize([{"acc": [1, 2]}], [None], spec(acc="mean"))


def test_an_aggregation_of_the_task_file_is_made_beside_it_and_stored() -> None:
    mean = Function(file=Path("utils.py"), name="top")
    task = TaskConfig(
        task="t",
        file=Path("t.yaml"),
        process_results=mean,
        metric_list=(MetricConfig(metric="score", aggregation=mean, higher_is_better=True),),
    )
    documents = [{"score": [x, 2 * x]} for x in range(10)]
    stored = specification(task)
    nothing = [None] * 10
    stored["given"] = by_functions(
        task, documents, nothing, stored, lambda f, key: lambda items: float(np.mean([a for a, _ in items]))
    )
    (found,) = summarize(documents, nothing, json.loads(json.dumps(stored)))
    assert found.value == 4.5
    assert found.low < 4.5 < found.high
    as_lm_eval = by_functions(
        task, documents, nothing, specification(task, mode="lm-eval"), lambda f, key: lambda items: len(items)
    )
    assert (as_lm_eval["score"]["value"], as_lm_eval["score"]["stderr"]) == (10.0, None)

    def broken(items: list[Any]) -> float:
        raise KeyError("x")

    with pytest.raises(UserError, match=r"utils.py: `top` failed over the items of `score` with KeyError"):
        by_functions(task, documents, nothing, stored, lambda f, key: broken)


def _task(value: float, stderr: float, n: int, key: str = "acc") -> list[Estimate]:
    return [Estimate(key, value, None, None, "", n, stderr=stderr, degrees=n - 1.0, family="proportion")]


TASKS = {"a": _task(0.5, 0.02, 100), "b": _task(0.25, 0.05, 20), "c": _task(0.9, 0.01, 57)}


def test_groups_are_those_of_lm_eval() -> None:
    (micro,) = summarize_group([{"metric": "acc"}], TASKS, mode="lm-eval")
    (macro,) = summarize_group([{"metric": "acc", "weight_by_size": False}], TASKS, mode="lm-eval")
    # from lm_eval 0.4.13: aggregate_subtask_metrics, pooled_sample_stderr, unweighted_mean_stderr
    assert (micro.value, micro.stderr) == pytest.approx((0.6005649717514125, 0.013030358633586335), rel=1e-12)
    assert (macro.value, macro.stderr) == pytest.approx((0.55, 0.018257418583505537), rel=1e-12)
    assert summarize_group([], TASKS, mode="lm-eval") == []


def test_groups_of_ours_take_tasks_as_strata() -> None:
    (micro,) = summarize_group([], TASKS)
    assert micro.value == pytest.approx(0.6005649717514125)
    assert micro.stderr == pytest.approx(math.sqrt((100 * 0.02) ** 2 + (20 * 0.05) ** 2 + (57 * 0.01) ** 2) / 177)
    assert micro.low < micro.value < micro.high
    assert micro.how == "Wilson, effective n, 3 tasks as strata, weighted by documents"
    (macro,) = summarize_group([{"metric": "acc", "weight_by_size": False}], TASKS)
    assert (macro.value, macro.n) == (pytest.approx(0.55), 177)


def test_groups_over_pipelines_and_missing_tasks() -> None:
    tasks = {
        "a": _task(0.5, 0.1, 10, "em/strict"),
        "b": [*_task(0.1, 0.1, 10, "em/strict"), *_task(1, 0, 10, "em/flex")],
    }
    flexible, strict = summarize_group([{"metric": "em"}], tasks)
    assert (flexible.key, strict.key) == ("em/flex", "em/strict")
    assert flexible.how.endswith("without a, which lack it")
    (only,) = summarize_group([{"metric": "em", "filter_list": ["strict"]}], tasks)
    assert only == strict
    assert summarize_group([{"metric": "acc"}], tasks) == []
    listed = ({"metric": "em", "aggregation": "max"},)
    group = GroupConfig(group="g", file=Path("g.yaml"), members=("a",), aggregate=listed)
    with pytest.raises(UserError, match=r"g.yaml.*`mean` only"):
        check_group(group)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"metric": "em"}, []),
        ({"metric": "em", "filter_list": "strict"}, []),
        ({"metric": "em", "filter_list": ["strict", "flex"]}, []),
        ({"metric": "acc"}, ["`acc`"]),
        ({"metric": "e"}, ["`e`"]),
        ({"metric": "em", "filter_list": "stric"}, ["`em` with the filter `stric`"]),
        ({"metric": "em", "filter_list": ["strict", "none"]}, ["`em` with the filter `none`"]),
        ({"metric": "acc", "filter_list": ["x", "y"]}, ["`acc` with the filter `x`", "`acc` with the filter `y`"]),
    ],
)
def test_what_a_group_names_and_no_task_gives(named: dict[str, Any], told: list[str]) -> None:
    sentences = not_given([named], ["em/strict", "em/flex", "em/strict"])
    assert len(sentences) == len(told)
    for sentence, name in zip(sentences, told, strict=True):
        assert f"names {name}, which no task of the group gives (they give `em/strict`, `em/flex`)" in sentence


def test_a_group_of_one_task_is_the_task() -> None:
    items = [1.0, 0.0, 1.0, 1.0, 0.0]
    task = one(items, "mean")
    (group,) = summarize_group([], {"a": [task]})
    assert (group.value, group.stderr) == pytest.approx((task.value, task.stderr))
