"""Ours against lm-evaluation-harness 0.4.13, number by number, on its own task files (and corners of our own).

Prompts, log-likelihoods (1e-4), greedy flags, texts, what filters extract, scores per document, metrics and standard
errors to the last digit that lm-eval prints. It runs once for each model, in a process of its own: a minute or more.
Skipped where lm-eval is not installed (`HARNESS_LM_EVAL_PYTHON` names an interpreter that has it).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import borrowed_tasks
import pytest
import torch
from our_side import Opened, evaluated, opened
from side_by_side import differences
from tiny_model import CONTEXT

from harness import assets

Cell = dict[str, Any]
QUICK = [*borrowed_tasks.cells(borrowed_tasks.BORROWED, 8, slice(-1, None)), *borrowed_tasks.corners()]
ALL = borrowed_tasks.cells(borrowed_tasks.BORROWED, 40, slice(None))
SHORT_CONTEXT = 320
SHORT = [
    {"task": task, "shots": shots, "documents": 20, "bootstrap": 100_000}
    for task, shots in (("arc_easy", 5), ("hellaswag", 1), ("lambada_openai", 1), ("mmlu_anatomy", 5), ("wikitext", 0))
]
"""Prompts are cut at their left, and texts are read in windows."""
SMOL = "smollm2-135m-instruct"
REAL = [
    cell | {"documents": {"wikitext": 3, "gsm8k_cot": 4}.get(cell["task"], min(cell["documents"], 10))}
    for cell in (
        *borrowed_tasks.cells(borrowed_tasks.BORROWED, 8, slice(0, 1)),
        {"task": "arc_easy", "shots": 5, "documents": 4, "bootstrap": 100_000},
        {"task": "mmlu_anatomy", "shots": 5, "documents": 4, "bootstrap": 100_000},
        {"task": "gsm8k", "shots": None, "documents": 4, "bootstrap": 100_000},
    )
]


def named(cell: Cell) -> str:
    return f"{cell['task']}-{'own' if cell['shots'] is None else cell['shots']}"


Sides = tuple[Callable[[Cell], Any], Opened, Callable[[str], str], int | None]
"""lm-eval's cell (skips where it can't be asked), our model, our name of a task, the context."""


def sides(bench: Any, kind: Any, model: Path, cells: list[Cell], context: int | None, exact: bool) -> Sides:
    found = bench.theirs(model, [c for c in cells if not bench.missing(c["task"])], context=context, exact=exact)

    def theirs(cell: Cell) -> Any:
        if why := bench.missing(cell["task"]):
            pytest.skip(why)
        return found[cell["task"], cell["shots"]]

    return theirs, opened(kind, model, bench.data, bench.folder), bench.task, context


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def quick(bench: Any, tiny: Path) -> Sides:
    return sides(bench, "converted", tiny, QUICK, None, exact=False)


@pytest.fixture(scope="module")
def whole(bench: Any, tiny: Path) -> Sides:
    return sides(bench, "transformers", tiny, ALL, None, exact=False)


@pytest.fixture(scope="module")
def short(bench: Any, tiny: Path) -> Sides:
    return sides(bench, "converted", tiny, SHORT, SHORT_CONTEXT, exact=False)


@pytest.fixture(scope="module")
def real(bench: Any) -> Sides:
    if not assets.is_present(SMOL):
        pytest.skip(f"needs the asset {SMOL}: harness assets get {SMOL}")
    return sides(bench, "converted", assets.get(SMOL), REAL, None, exact=True)


def compare(sides: Sides, cell: Cell) -> None:
    theirs, load, task, context = sides
    wanted = theirs(cell)
    assert sum(map(len, wanted["documents"].values())) > 0
    found = differences(wanted, evaluated(load, task(cell["task"]), cell, context))
    if not all(one.sums for one in borrowed_tasks.BORROWED if one.task == cell["task"]):
        found = [difference for difference in found if " document " in difference]
    assert found == []


@pytest.mark.parametrize("cell", QUICK, ids=named)
def test_a_tiny_model_gets_the_same(quick: Sides, cell: Cell) -> None:
    compare(quick, cell)


@pytest.mark.parametrize("cell", SHORT, ids=named)
def test_what_does_not_fit_is_cut_the_same(short: Sides, cell: Cell) -> None:
    assert SHORT_CONTEXT < CONTEXT
    compare(short, cell)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ALL, ids=named)
def test_all_shots_with_the_model_of_transformers(whole: Sides, cell: Cell) -> None:
    compare(whole, cell)


@pytest.mark.slow
@pytest.mark.parametrize("cell", REAL, ids=named)
def test_a_trained_model_gets_the_same(real: Sides, cell: Cell) -> None:
    compare(real, cell)


@pytest.mark.parametrize("what", ["prompt", "log-likelihood", "greedy", "score", "metric", "error", "document"])
def test_the_comparison_sees_every_kind_of_difference(quick: Sides, what: str) -> None:
    theirs, load, task, context = quick
    cell = next(cell for cell in QUICK if cell["task"] == "by_letter")
    spoilt = copy.deepcopy(theirs(cell))
    [(name, documents)] = spoilt["documents"].items()
    results = spoilt["results"][name]
    if what == "prompt":
        documents[3]["requests"][0][0] += " "
    elif what == "log-likelihood":
        documents[3]["answers"][1][0][0] += 2e-4
    elif what == "greedy":
        documents[3]["answers"][1][0][1] ^= True
    elif what == "score":
        documents[3]["metrics"]["none"]["acc"] = 1 - documents[3]["metrics"]["none"]["acc"]
    elif what == "metric":
        results["acc,none"] += 1e-4
    elif what == "error":
        results["acc_stderr,none"] += 1e-4
    else:
        del documents[-1]
    found = differences(spoilt, evaluated(load, task(cell["task"]), cell, context))
    assert len(found) == 1
    assert {"error": "standard error", "score": "acc is", "metric": "acc,none"}.get(what, what) in found[0]
