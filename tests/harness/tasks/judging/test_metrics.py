"""Scores of one document: by hand, and what lm-evaluation-harness makes of the same answers."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.mode import Mode
from harness.tasks.ask import Answer, Asked, Choice, ChoiceAnswer, Generation, GenerationAnswer, Rolling
from harness.tasks.config import FilterPipeline, FilterStep, Function, MetricConfig, TaskConfig
from harness.tasks.judging import metric_check, metrics
from harness.tasks.judging.choice_scores import chance
from harness.tasks.judging.metrics import Scores
from harness.tasks.judging.specification import declared, name_of, specification


def config(**keys: Any) -> TaskConfig:
    return TaskConfig(task="t", file=Path("t.yaml"), **keys)


def listed(*names: str | Function, **options: Any) -> tuple[MetricConfig, ...]:
    return tuple(MetricConfig(metric=name, options=options) for name in names)


def named(name: str) -> Function:
    return Function(file=Path("utils.py"), name=name)


def score(
    task: TaskConfig, asked: Asked, answer: Answer, mode: Mode = "right", **functions: Callable[..., Any]
) -> Scores:
    found = metrics.score(
        task, asked, answer, mode=mode, function=lambda f, key: functions[f.name], allow_code_execution=True
    )
    assert json.loads(json.dumps(found.items)) == found.items  # plain data: it can be stored
    return found


def choices(*texts: str, gold: Any = 0, log_probs: Any = None) -> tuple[Asked, tuple[ChoiceAnswer, ...]]:
    log_probs = log_probs or [-float(place + 1) for place in range(len(texts))]
    requests = tuple(Choice("q", f" {text}") for text in texts)
    answers = tuple(
        ChoiceAnswer(log_prob, hits=int(place == 0), tokens=1 + place) for place, log_prob in enumerate(log_probs)
    )
    return Asked("t", 3, {}, requests, texts, gold), answers


CHOICE = config(output_type="multiple_choice")


def test_all_rules_from_one_pass() -> None:
    # per character -2/2, -3/1, -3.5/7; per byte -2/2, -3/2, -3.5/7; per token -2, -1.5, -1.1667
    asked, answers = choices("ab", "é", "abcdefg", gold=2, log_probs=[-2.0, -3.0, -3.5])
    found = score(CHOICE, asked, answers)
    assert found.predictions == {"acc": 0, "acc_norm": 2, "acc_bytes": 2, "acc_tokens": 2}
    assert [found.items[name] for name in ("acc", "acc_norm", "acc_bytes", "acc_tokens")] == [0, 1, 1, 1]
    p = np.exp([-2, -3, -3.5]) / np.exp([-2, -3, -3.5]).sum()
    assert found.items["likelihood"] == pytest.approx(p[2])
    assert found.items["brier_score"] == pytest.approx(p[0] ** 2 + p[1] ** 2 + (1 - p[2]) ** 2)
    assert found.items["gold_bits_per_byte"] == [-3.5, 7]
    assert "mcc" not in found.items
    greedy = config(output_type="multiple_choice", metric_list=listed("exact_match"))
    assert score(greedy, asked, answers).items["exact_match"] == 0
    assert score(greedy, *choices("a", "b")).items["exact_match"] == 1


def test_characters_and_bytes_differ() -> None:
    asked, answers = choices("éé", "abc", gold=1, log_probs=[-3.9, -6.0])
    found = score(CHOICE, asked, answers)  # characters -1.95, -2; bytes -0.975, -2
    assert (found.predictions["acc_norm"], found.predictions["acc_bytes"]) == (0, 0)
    asked, answers = choices("éé", "abc", gold=1, log_probs=[-4.1, -6.0])  # characters -2.05, -2; bytes -1.025, -2
    found = score(CHOICE, asked, answers)
    assert (found.predictions["acc_norm"], found.predictions["acc_bytes"]) == (1, 0)


def test_mutual_information_needs_the_choices_without_context() -> None:
    asked, answers = choices("a", "b", gold=1, log_probs=[-1.0, -2.0])
    alone = (ChoiceAnswer(-1.0, 0, 1), ChoiceAnswer(-5.0, 0, 1))
    task = config(output_type="multiple_choice", metric_list=listed("acc", "acc_mutual_info"))
    assert metrics.needs_unconditional(task)
    assert not metrics.needs_unconditional(CHOICE)
    found = score(task, asked, answers + alone)
    assert (found.items["acc"], found.items["acc_mutual_info"]) == (0, 1)


def test_the_first_of_equals_is_taken() -> None:
    asked, answers = choices("a", "b", gold=1, log_probs=[-1.0, -1.0])
    assert score(CHOICE, asked, answers).items["acc"] == 0


def test_any_of_several_right_choices() -> None:
    asked, answers = choices("a", "b", "c", gold=(0, 2))
    found = score(CHOICE, asked, answers)
    p = np.exp([-1, -2, -3]) / np.exp([-1, -2, -3]).sum()
    assert found.items["acc"] == 1
    assert found.items["likelihood"] == pytest.approx(p[0] + p[2])
    assert found.items["brier_score"] == pytest.approx(2 * p[1] ** 2)
    assert (chance(asked), chance(choices("a", "b")[0])) == (2 / 3, 1 / 2)


@pytest.mark.parametrize("gold", [2, -1, (0, 5), None])
def test_a_gold_that_is_no_choice_is_an_error_or_as_in_lm_eval_a_zero(gold: Any) -> None:
    asked, answers = choices("a", "b", gold=gold)
    with pytest.raises(UserError, match=r"document 3.*`doc_to_target`"):
        score(CHOICE, asked, answers)
    if gold in (2, None):
        assert score(CHOICE, asked, answers, "lm-eval").items == {"acc": 0, "acc_norm": 0}


def test_an_empty_choice_and_a_broken_model_are_named() -> None:
    asked, answers = choices("a", "")
    with pytest.raises(UserError, match="document 3: choice 1 is empty"):
        score(CHOICE, asked, answers)
    asked, answers = choices("a", "b", log_probs=[math.nan, -1.0])
    with pytest.raises(UserError, match="no number"):
        score(CHOICE, asked, answers)


def test_mode_lm_eval_gives_what_is_listed_in_its_form() -> None:
    asked, answers = choices("a", "b", gold=1)
    task = config(output_type="multiple_choice", metric_list=listed("acc", "f1", "mcc", "brier_score", "exact_match"))
    found = score(task, asked, answers, "lm-eval")
    p = np.exp([-1, -2]) / np.exp([-1, -2]).sum()
    assert found.items == {
        "acc": 0,
        "f1": [1, 0],
        "mcc": [1, 0],
        "brier_score": [1, pytest.approx(list(p))],
        "exact_match": 0,
    }


@given(
    st.lists(st.floats(-50, -0.1), min_size=2, max_size=5),
    st.data(),
)
def test_accuracies_against_arg_max(log_probs: list[float], data: st.DataObject) -> None:
    texts = [data.draw(st.text("aé漢", min_size=1, max_size=6)) for _ in log_probs]
    gold = data.draw(st.integers(0, len(texts) - 1))
    asked, answers = choices(*texts, gold=gold, log_probs=log_probs)
    for mode in ("right", "lm-eval"):
        found = score(
            config(output_type="multiple_choice", metric_list=listed("acc", "acc_norm", "acc_bytes")),
            asked,
            answers,
            mode,
        )
        lengths = {"acc": [1] * 9, "acc_norm": [len(t) for t in texts], "acc_bytes": [len(t.encode()) for t in texts]}
        for name, length in lengths.items():
            rates = [x / n for x, n in zip(log_probs, length, strict=False)]
            assert found.items[name] == (rates.index(max(rates)) == gold)


def test_likelihood_of_a_continuation() -> None:
    asked = Asked("t", 0, {}, (Choice("q", " déjà"),))
    answer = (ChoiceAnswer(-4.0, 2, 2),)
    task = config(output_type="loglikelihood")
    assert score(task, asked, answer).items == {
        "perplexity": -4.0,
        "acc": 1,
        "gold_bits_per_byte": [-4.0, 7],
        "token_accuracy": 1.0,
    }
    assert score(task, asked, answer, "lm-eval").items == {"perplexity": -4.0, "acc": 1}


def test_words_are_counted_as_lm_eval_does() -> None:
    task = config(output_type="loglikelihood_rolling")
    items = score(task, Asked("t", 0, {}, (Rolling(" a b "),)), (ChoiceAnswer(-9.0, 0, 5),)).items
    assert items == {"word_perplexity": [-9.0, 4], "byte_perplexity": [-9.0, 5], "bits_per_byte": [-9.0, 5]}


def written(*texts: str, target: Any = "72", row: Any = None) -> tuple[Asked, GenerationAnswer]:
    return Asked("t", 3, row or {}, (Generation("q", (), 8),), target=target), GenerationAnswer(texts)


STRICT = FilterPipeline(
    name="strict-match",
    steps=(FilterStep(function="regex", options={"regex_pattern": "#### ([0-9]+)"}), FilterStep(function="take_first")),
)
FLEXIBLE = FilterPipeline(
    name="flexible-extract",
    steps=(
        FilterStep(function="regex", options={"regex_pattern": "([0-9]+)", "group_select": -1}),
        FilterStep(function="take_first"),
    ),
)


def test_every_pipeline_is_judged_with_its_failures() -> None:
    task = config(filter_list=(STRICT, FLEXIBLE), metric_list=listed("exact_match"))
    found = score(task, *written("It is 72"))
    assert found.items == {
        "exact_match/strict-match": 0,
        "extraction_failure/strict-match": 1,
        "sample_extraction_failure/strict-match": 1,
        "exact_match/flexible-extract": 1,
        "extraction_failure/flexible-extract": 0,
        "sample_extraction_failure/flexible-extract": 0,
    }
    assert found.extracted["flexible-extract"].value == "72"
    lm_eval = score(task, *written("It is 72"), mode="lm-eval").items
    assert lm_eval == {"exact_match/strict-match": 0, "exact_match/flexible-extract": 1}


def test_without_filters_the_first_text() -> None:
    task = config()
    assert score(task, *written("72", "x")).items == {"exact_match": 1}
    assert score(task, *written(" 72")).items == {"exact_match": 1}
    assert score(task, *written(" 72"), mode="lm-eval").items == {"exact_match": 0}
    assert score(task, *written("b", target=("a", "b"))).items == {"exact_match": 1}


def test_the_target_may_be_a_choice() -> None:
    asked = Asked("t", 0, {}, (Generation("q", (), 8),), choices=("no", "yes"), gold=1)
    assert score(config(), asked, GenerationAnswer(("yes",))).items == {"exact_match": 1}
    with pytest.raises(UserError, match="no target"):
        score(config(), *written("x", target=None))


def test_samples_that_nothing_chose_from_count_as_their_mean() -> None:
    every = FilterPipeline(name="all", steps=())
    task = config(filter_list=(every,), metric_list=listed("exact_match"))
    assert score(task, *written("72", "71", "72", "70")).items == {"exact_match/all": 0.5}


def test_text_metrics_keep_texts() -> None:
    task = config(metric_list=listed("bleu", "f1"))
    found = score(task, *written("x b", target=("x c", "d")))
    assert found.items == {"bleu": [["x c", "d"], "x b"], "f1": 0.5}


def test_pass_at_k_runs_the_programs() -> None:
    prompt = FilterPipeline(name="whole", steps=(FilterStep(function="prepend", options={"column": "prompt"}),))
    task = config(filter_list=(prompt,), metric_list=listed("pass@k", k=[1, 2]))
    asked, answer = written("    return 1", "    return 2", target="assert f() == 1", row={"prompt": "def f():\n"})
    found = score(task, asked, answer)
    assert found.items == {"pass@1/whole": 0.5, "pass@2/whole": 1.0}
    assert found.programs == {"whole": ["passed", "failed: AssertionError: "]}
    with pytest.raises(UserError, match="--allow-code-execution"):
        metrics.score(task, asked, answer, function=lambda f, key: print)
    with pytest.raises(UserError, match="--allow-code-execution"):
        metric_check.check(task)
    with pytest.raises(UserError, match="repeats: 2"):
        score(task, asked, GenerationAnswer(("x",)))


def test_metrics_of_the_task_file() -> None:
    def length(references: list[str], predictions: list[str], scale: int = 1) -> float:
        return scale * abs(len(references[0]) - len(predictions[0]))

    def pair(items: list[str]) -> np.ndarray:
        return np.array([len(text) for text in items])

    def several(references: list[str], predictions: list[str]) -> dict[str, float]:
        return {"pass@1": np.float32(0.5), "length": len(predictions[0])}

    functions = {"length": length, "pair": pair, "several": several}
    asked, answer = written("seven", target="72")
    assert score(config(metric_list=listed(named("length"), scale=2)), asked, answer, **functions).items == {
        "length": 6
    }
    assert score(config(metric_list=listed(named("pair"))), asked, answer, **functions).items == {"pair": [2, 5]}
    found = score(config(metric_list=listed(named("several"))), asked, answer, **functions)
    assert found.items == {"pass@1": 0.5, "length": 5}
    asked, answer = written("seven", target=("72", "seventy"))
    task = config(metric_list=listed(named("length")))
    assert score(task, asked, answer, **functions).items == {"length": 3}
    assert score(task, asked, answer, "lm-eval", **functions).items == {"length": 1}


def test_process_results_gets_what_lm_eval_gives_it() -> None:
    seen: list[Any] = []

    def judge(row: dict[str, Any], results: list[Any]) -> dict[str, Any]:
        seen.append(results)
        return {"score": (1, np.int64(2)), "x": {"a": np.bool_(True)}}

    def task(output_type: str) -> TaskConfig:
        return config(output_type=output_type, process_results=named("judge"))

    asked, answers = choices("a", "b")
    assert score(task("multiple_choice"), asked, answers, judge=judge).items == {"score": [1, 2], "x": {"a": True}}
    score(task("loglikelihood_rolling"), Asked("t", 0, {}, (Rolling("a"),)), (ChoiceAnswer(-9.0, 0, 5),), judge=judge)
    score(task("generate_until"), *written("a", "b"), judge=judge)
    assert seen == [[(-1.0, True), (-2.0, False)], [-9.0], ["a"]]

    def broken(row: dict[str, Any], results: list[Any]) -> dict[str, Any]:
        return {"acc": row["answr"]}

    with pytest.raises(UserError, match=r"utils.py: document 3: `judge` failed with KeyError: 'answr'"):
        score(task("multiple_choice"), asked, answers, judge=broken)


def test_declarations_come_from_the_stored_specification() -> None:
    task = config(
        filter_list=(STRICT,),
        metric_list=(*listed("exact_match", "pass@k"), MetricConfig(metric=named("mine"), higher_is_better=False)),
    )
    spec = json.loads(json.dumps(specification(task)))
    assert name_of("exact_match/strict-match", spec) == ("exact_match", "strict-match")
    assert declared("exact_match/strict-match", spec).direction == "higher"
    assert declared("pass@10/strict-match", spec).name == "pass@10"
    assert declared("mine/strict-match", spec).direction == "lower"
    assert declared("unheard_of", spec).direction == "none"


@pytest.mark.parametrize("answer", [" Paris", "Paris\n", "\ufeffParis", "\u00a0Paris "])
def test_space_around_an_answer_is_no_mistake(answer: str) -> None:
    task = config(metric_list=listed("exact_match", "edit_similarity", "f1"))
    found = score(task, *written(answer, target="Paris"))
    assert found.items == {"exact_match": 1, "edit_similarity": 1, "f1": 1}
    assert found.wrong_by_space is None


@pytest.mark.parametrize(
    ("answer", "target", "options", "told"),
    [
        (" Paris", "Paris", {}, True),
        ("Paris", " Paris\n", {}, True),
        ("Paris .", "Paris", {"ignore_punctuation": True}, True),
        ("Paris", "Paris", {}, False),
        (" Rome", "Paris", {}, False),
        (" paris", "Paris", {}, False),
        (" paris", "Paris", {"ignore_case": True}, True),
    ],
)
def test_mode_lm_eval_says_where_space_alone_makes_an_answer_wrong(
    answer: str, target: str, options: Any, told: bool
) -> None:
    task = config(metric_list=listed("exact_match", **options))
    found = score(task, *written(answer, target=target), mode="lm-eval")
    assert found.wrong_by_space is told
    assert found.items["exact_match"] == float(answer == target)


def test_numbers_are_compared_as_numbers_where_the_task_says_so() -> None:
    numbers = config(metric_list=listed("exact_match", numbers=True))
    for answer in ("72", "72.00", "$72", "72...", "+72"):
        assert score(numbers, *written(answer)).items == {"exact_match": 1}
        assert score(config(), *written(answer)).items == {"exact_match": float(answer == "72")}
        assert score(numbers, *written(answer), mode="lm-eval").items == {"exact_match": float(answer == "72")}
    metric_check.check(numbers)


def test_a_vote_is_counted_as_the_task_compares() -> None:
    vote = FilterPipeline(name="vote", steps=(FilterStep(function="majority_vote"), FilterStep(function="take_first")))
    texts = ("71", "72.0", "71", "$72", "72")
    for options, expected in (({"numbers": True}, 1.0), ({}, 0.0)):
        task = config(filter_list=(vote,), metric_list=listed("exact_match", **options))
        assert score(task, *written(*texts)).items == {"exact_match/vote": expected}


@pytest.mark.parametrize("name", ["exact_match", "f1", "edit_similarity"])
def test_the_mark_of_a_failed_extraction_is_never_right(name: str) -> None:
    task = config(filter_list=(STRICT,), metric_list=listed(name))
    target = "[invalid]" if name != "f1" else "invalid"
    assert score(task, *written("no number", target=target)).items[f"{name}/strict-match"] == 0
    assert score(config(metric_list=listed(name)), *written(target, target=target)).items[name] == 1


def test_a_list_of_tests_is_run_whole() -> None:
    task = config(metric_list=listed("pass@k"))
    program = "def f(x):\n    return 1"
    both, first = ("assert f(1) == 1", "assert f(2) == 1"), ("assert f(1) == 1", "assert f(2) == 2")
    assert score(task, *written(program, target=both)).items == {"pass@1": 1.0}
    assert score(task, *written(program, target=first)).items == {"pass@1": 0.0}


def test_of_several_targets_the_best_is_the_least_where_less_is_better() -> None:
    def distance(references: list[str], predictions: list[str]) -> float:
        return abs(len(references[0]) - len(predictions[0]))

    asked, answer = written("seven", target=("72", "eight"))
    task = config(metric_list=(MetricConfig(metric=named("distance"), higher_is_better=False),))
    assert score(task, asked, answer, distance=distance).items == {"distance": 0}


OWN = named("own")


@pytest.mark.parametrize("name", ["f1", "acc", "bleu", "chrf++", "mcc"])
def test_pairs_are_passed_on_to_an_aggregation_of_the_file(name: str) -> None:
    entry = MetricConfig(metric=name, aggregation=OWN, options={"ignore_case": True, "ignore_punctuation": "true"})
    task = config(metric_list=(entry,))
    for mode in ("right", "lm-eval"):
        metric_check.check(task, mode=mode)
        assert score(task, *written(" A cat", target="cat"), mode=mode).items == {name: ["cat", " A cat"]}
    several = written("a red cat", target=("dog", "the cat"))
    assert score(task, *several).items == {name: ["the cat", "a red cat"]}
    assert score(task, *several, mode="lm-eval").items == {name: 1.0}
    spec = json.loads(json.dumps(specification(task)))
    assert declared(name, spec).unit == "score"  # what it is, only the file knows


def test_a_metric_that_is_no_pair_is_not_passed_on() -> None:
    task = config(metric_list=(MetricConfig(metric="exact_match", aggregation=OWN),))
    assert score(task, *written("72")).items == {"exact_match": 1}
    with pytest.raises(UserError, match="takes no `ignore_case`"):
        metric_check.check(config(metric_list=listed("f1", ignore_case=True)))


def test_of_choices_the_pairs_are_those_of_lm_eval() -> None:
    asked, answers = choices("a", "b", gold=1, log_probs=[-1.0, -2.0])
    p = np.exp([-1, -2]) / np.exp([-1, -2]).sum()
    own = tuple(MetricConfig(metric=name, aggregation=OWN) for name in ("likelihood", "brier_score", "f1"))
    task = config(output_type="multiple_choice", metric_list=own)
    for mode in ("right", "lm-eval"):
        metric_check.check(task, mode=mode)
        found = score(task, asked, answers, mode).items
        assert found["likelihood"] == [1, [-1.0, -2.0]]
        assert found["brier_score"] == [1, pytest.approx(list(p))]
        assert found["f1"] == [1, 0]
    assert specification(task)["metrics"]["brier_score"]["aggregation"] == "function"
    with pytest.raises(UserError, match="can't sum up `likelihood`"):
        metric_check.check(config(output_type="multiple_choice", metric_list=listed("likelihood")), mode="lm-eval")


def test_a_rule_that_changed_has_another_version() -> None:
    written_spec = specification(config(metric_list=listed("exact_match", "acc", "f1", "edit_similarity", "pass@k")))
    choice_spec = specification(config(output_type="multiple_choice", metric_list=listed("exact_match", "acc", "f1")))
    for name in ("exact_match", "acc", "f1", "edit_similarity", "pass@1", "extraction_failure"):
        assert declared(name, written_spec).version == (3 if name == "pass@1" else 2)
    for name in ("exact_match", "acc", "f1", "likelihood"):
        assert declared(name, choice_spec).version == 2
    own = config(metric_list=[MetricConfig(metric=Function(file=Path("own.py"), name="mine"))])
    assert declared("mine", specification(own)).version == 2
