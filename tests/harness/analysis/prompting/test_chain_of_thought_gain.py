"""The gain of chain of thought: published tables to the digit, pairing by document, and honest crossovers."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from harness.analysis.prompting.chain_of_thought_gain import CHAIN_OF_THOUGHT_GAIN, ChainOfThoughtGainSettings
from harness.analysis.prompting.chain_of_thought_tables import average, crossovers, gains
from harness.errors import UserError
from harness.results.finding import Finding
from harness.results.run import Run

QUESTIONS = 1319
"""Of GSM8K's test set."""


def _data(name: str) -> Path:
    folder = Path(os.environ.get("HARNESS_DATA", "/nowhere"))
    if not (folder / name).exists():
        pytest.skip(f"HARNESS_DATA has no {name}")
    return folder / name


def _table(**columns: object) -> pd.DataFrame:
    base: dict[str, object] = {"task": "sums", "parameters": [1e6, 1e7, 1e8, 1e9], "n": 500}
    return pd.DataFrame(base | columns)


def test_published_gains_and_crossovers_of_gsm8k() -> None:
    """Wei et al. 2022, table 2: the gains to the digit, and a crossover in the published gap of each family."""
    frame = pd.read_csv(_data("cot_wei2022/cot_vs_standard_by_size.csv")).rename(columns={"params": "parameters"})
    found = gains(frame[frame["task"] == "GSM8K"].assign(n=QUESTIONS), "percent")
    by_family = {family: list(rows["gain"]) for family, rows in found.groupby("family")}
    assert by_family["LaMDA"] == [-2.2, -1.7, -1.6, 2.5, 7.8]
    assert by_family["GPT"] == [-1.7, -1.9, -1.6, 31.3]
    assert by_family["PaLM"] == [-0.8, 20.3, 39.0]
    changes = {item.family: item.change for item in crossovers(found)}
    assert (changes["LaMDA"].below, changes["LaMDA"].above) == (8e9, 6.8e10)
    assert (changes["GPT"].below, changes["GPT"].above) == (6.7e9, 1.75e11)
    assert (changes["PaLM"].below, changes["PaLM"].above) == (8e9, 6.2e10)
    lamda = changes["LaMDA"]
    assert lamda.low is not None and lamda.at is not None and lamda.high is not None
    assert 8e9 < lamda.low < lamda.at < lamda.high < 6.8e10
    assert changes["PaLM"].low == 0.0  # 4.9 and 4.1 of 1319 differ by less than noise: it may lie below 8B
    assert changes["UL2"].verdict == "not identified"


def test_published_average_of_big_bench_hard() -> None:
    """Suzgun et al. 2022, table 2: code-davinci-002 has 56.6 at once and 73.9 with steps over 23 tasks."""
    frame = pd.read_csv(_data("bbh_codex/code_davinci_002_accuracy.csv"))
    wide = frame.pivot(index=["task", "n"], columns="mode", values="n_correct").reset_index()
    several = ("logical_deduction", "tracking_shuffled_objects")
    groups = {task: name for task in wide["task"] for name in several if task.startswith(name)}
    found = average(gains(wide.assign(parameters=math.nan), "correct"), groups)
    assert found.tasks == 23
    assert found.direct == pytest.approx(56.6, abs=0.05)
    assert found.cot == pytest.approx(73.9, abs=0.05)
    assert found.low < found.gain < found.high


def test_counts_percent_and_shares_are_the_same() -> None:
    counts = gains(_table(direct=[10, 20, 30, 40], cot=[0, 10, 60, 200]), "correct")
    percent = gains(_table(direct=[2.0, 4.0, 6.0, 8.0], cot=[0.0, 2.0, 12.0, 40.0]), "percent")
    share = gains(_table(standard=[0.02, 0.04, 0.06, 0.08], cot=[0.0, 0.02, 0.12, 0.4]), "share")
    pd.testing.assert_frame_equal(counts, percent)
    pd.testing.assert_frame_equal(counts, share)


def test_noise_has_no_crossover() -> None:
    (found,) = crossovers(gains(_table(direct=[10, 12, 11, 9], cot=[9, 13, 10, 12]), "correct"))
    assert found.change.verdict == "not identified"


@pytest.mark.parametrize(
    ("cot", "verdict", "told"),
    [
        ([100, 150, 200, 300], "none", "below 1e+06"),
        ([0, 1, 2, 3], "none", "above 1e+09"),
        ([0, 0, 200, 300], "between", "between 1e+07 and 1e+08"),
        ([200, 0, 200, 300], "not identified", "below 0 again"),
    ],
)
def test_a_crossover_is_told_or_said_to_be_none(cot: list[int], verdict: str, told: str) -> None:
    (found,) = crossovers(gains(_table(direct=[50, 50, 50, 50], cot=cot), "correct"))
    assert found.change.verdict == verdict
    assert told in found.change.why


@pytest.mark.parametrize(
    ("columns", "unit", "told"),
    [
        ({"direct": [1, 2, 3, 501], "cot": 1}, "correct", "column direct, row 3"),
        ({"direct": [1, 2, 3, 4], "cot": [0.1, 0.2, 0.3, 0.4]}, "percent", "say unit share"),
        ({"direct": 1, "cot": 1, "parameters": [0.35, 1.3, 6.7, 175.0]}, "correct", "millions or billions"),
        ({"direct": 1, "cot": 1, "parameters": [1e6, 1e6, 1e7, 1e8]}, "correct", "come twice"),
        ({"direct": 1}, "correct", "no column `cot`"),
        ({"direct": 1, "cot": math.nan}, "correct", "column cot, row 0"),
        ({"direct": 1, "cot": 1, "n": 0}, "correct", "no number of documents"),
    ],
)
def test_bad_tables_are_refused_by_name(columns: dict[str, object], unit: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        gains(_table(**columns), unit)  # type: ignore[arg-type]


DOCUMENTS = 120


def _cell_rows(builders: ModuleType, right: int, failed: int = 0) -> list[dict[str, object]]:
    """So many right answers, the same documents first; the last ones give no answer."""
    rows = []
    for number in range(DOCUMENTS):
        answer = "7" if number < right else "[invalid]" if number >= DOCUMENTS - failed else "8"
        rows.append(builders.written_row(number, f"Q{number}", [answer], "7", {"strict": answer}))
    return rows


@pytest.fixture(scope="module")
def ladder(task_builders: ModuleType, task_ladder: Callable[[Any], Run]) -> Run:
    answers = {}
    for model, size, direct, cot in (("small", 10**6, 20, 5), ("medium", 10**7, 22, 10), ("large", 10**8, 24, 80)):
        lost = 30 if model == "small" else 0
        answers[model, size] = [
            ({"reasoning": "direct"}, _cell_rows(task_builders, direct)),
            ({"reasoning": "cot"}, _cell_rows(task_builders, cot, lost)),
        ]
    return task_ladder(answers)


def test_a_run_is_paired_by_document(ladder: Run) -> None:
    found = CHAIN_OF_THOUGHT_GAIN.run(ladder, ChainOfThoughtGainSettings())
    each = [item for item in found if item.name == "gain"]
    assert [item.value for item in each] == pytest.approx([-1500 / 120, -1200 / 120, 5600 / 120])
    assert all(item.interval == "Newcombe, paired by document" for item in each)
    alone = gains(_table(parameters=[1e6, 2e6, 3e6], n=120, direct=[20, 22, 24], cot=[5, 10, 80]), "correct")
    widths = [(item.high or 0) - (item.low or 0) for item in each]
    assert all(paired < unpaired for paired, unpaired in zip(widths, alone["high"] - alone["low"], strict=True))
    assert "no answer found in 0.0% and 25.0%" in each[0].note


def test_the_crossover_of_a_run_lies_between_its_sizes(ladder: Run) -> None:
    (found,) = _named(CHAIN_OF_THOUGHT_GAIN.run(ladder, ChainOfThoughtGainSettings()), "crossover")
    assert found.value is not None and found.low is not None and found.high is not None
    assert 1e7 < found.low <= found.value <= found.high < 1e8


def test_what_can_not_be_compared_says_so(ladder: Run) -> None:
    (found,) = CHAIN_OF_THOUGHT_GAIN.run(ladder, ChainOfThoughtGainSettings(where={"task": "sum"}))
    assert "did you mean 'sums'" in found.note
    (found,) = CHAIN_OF_THOUGHT_GAIN.run(ladder, ChainOfThoughtGainSettings(of=["pass@1"]))
    assert "reasoning: [direct, cot]" in found.note


def _named(findings: list[Finding], name: str) -> list[Finding]:
    return [item for item in findings if item.name == name]
