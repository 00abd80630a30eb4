"""What the comparison of change points rests on: its E-divisive, what it counts, and its page."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def script() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield loaded("change_points")


@pytest.fixture(scope="module")
def e_divisive() -> ModuleType:
    return loaded("e_divisive")


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def slow_split(values: np.ndarray) -> tuple[int, float]:
    """Matteson & James, (5) to (7), by loops."""

    def between(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([abs(x - y) for x in a for y in b]))

    def within(a: np.ndarray) -> float:
        return float(np.mean([abs(x - y) for i, x in enumerate(a) for y in a[i + 1 :]]))

    best = (0, -np.inf)
    for split in range(5, len(values) - 4):
        for end in range(split + 5, len(values) + 1):
            a, b = values[:split], values[split:end]
            scale = len(a) * len(b) / (len(a) + len(b))
            distance = scale * (2 * between(a, b) - within(a) - within(b))
            if distance > best[1]:
                best = (split, distance)
    return best


@pytest.mark.parametrize("seed", range(4))
def test_its_splits_are_the_definitions(e_divisive: ModuleType, seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=16)
    values[6:] += 2 * seed
    place, reached = e_divisive.best_split(values)
    expected = slow_split(values)
    assert (place, reached) == (expected[0], pytest.approx(expected[1]))


@pytest.mark.parametrize("keeping", ["nothing", "blocks", "correlation"])
def test_e_divisive_sees_a_step_and_no_noise(e_divisive: ModuleType, keeping: Any) -> None:
    rule = e_divisive.EDivisive(0.01, keeping, permutations=199)
    values = np.random.default_rng(0).normal(size=60)
    assert rule(values) == []
    values[30:] += 6
    assert rule(values) == pytest.approx([30], abs=1)


def test_whitening_takes_the_correlation_out(e_divisive: ModuleType, script: Any) -> None:
    for kind, expected in (("normal", 0.0), ("correlated", 0.5)):
        values = script.noise(kind, 1, 4000, seed=0)[0]
        rest = e_divisive.whitened(values + 5 * (np.arange(4000) > 2000))
        rho = float(np.mean((values[1:] - rest)[:2000] / values[:-1][:2000]))
        assert rho == pytest.approx(expected, abs=0.05)


def test_noise_has_a_mean_of_0_and_a_deviation_of_1(script: Any) -> None:
    for kind in script.NOISES:
        values = script.noise(kind, 400, 100, seed=3)
        assert values.shape == (400, 100)
        assert values.mean() == pytest.approx(0, abs=0.03) and values.std() == pytest.approx(1, abs=0.05)
        correlation = np.mean(values[:, 1:] * values[:, :-1])
        assert correlation == pytest.approx(0.5 if kind == "correlated" else 0, abs=0.03)


def test_what_is_counted(script: Any) -> None:
    """Known bad: rules that always call, that never do, and that call too far from the step."""
    tasks = {task[0]: task for task in script.tasks()}
    step = tasks["step of 3 sd, 20 behind"]

    def counted(places: list[int], task: Any) -> list[int]:
        row = script.measured(lambda values: places, task, "normal", 4)
        return [row[name] for name in ("found", "wrong", "series_wrong", "called")]

    assert counted([80], step) == counted([85], step) == [4, 0, 0, 4]
    assert counted([74, 86], step) == [0, 8, 4, 4]
    assert counted([], step) == [0, 0, 0, 0]
    assert counted([40], tasks["two steps of 3 sd, 20 apart"]) == [0, 0, 0, 4]
    assert counted([50], tasks["nothing"]) == [0, 4, 4, 4]


def test_an_alarm_that_stays_is_one(script: Any) -> None:
    row = script.watched(lambda values: [10, 30] if len(values) > 60 else [8], "normal", 2)
    assert (row["wrong"], row["series_wrong"]) == (4, 2)


def test_the_page_is_that_of_the_data(script: Any) -> None:
    assert script.TABLE.read_text() == script.page(script.read())


def test_the_docs_are_those_of_the_data(script: Any) -> None:
    lines = {(row["rule"], row["noise"], row["task"]): row for row in script.read()}
    docs = (FOLDER.parent / "docs" / "statistics.md").read_text()

    def alarms(kind: str, task: str) -> str:
        row = lines[script.OURS, kind, task]
        n, wrong = row["series"], row["series_wrong"]
        return f"{wrong} of {n} (at most {script.at_most(wrong, n):.1%})".replace("%", " %")

    for kind in script.NOISES:
        delays = [script.delay(lines, script.OURS, kind, size) for size in (3, 2)]
        cells = [alarms(kind, "nothing"), alarms(kind, script.WATCHED), *delays]
        (row,) = [line for line in docs.splitlines() if line.startswith(f"| {kind}") and "at most" in line]
        assert row.split(" | ")[1:] == [*cells[:-1], f"{cells[-1]} |"]


def test_the_delay_begins_where_all_longer_ones_are_found(script: Any) -> None:
    found = {50: 10, 20: 9, 15: 8, 10: 7, 7: 9, 5: 0}
    rows = {
        ("r", "normal", f"step of 2 sd, {behind} behind"): {"found": n, "series": 10} for behind, n in found.items()
    }
    assert script.delay(rows, "r", "normal", 2) == "15"
    assert script.delay(rows, "r", "skewed", 2) == ""
    rows["r", "normal", "step of 2 sd, 50 behind"]["found"] = 7
    assert script.delay(rows, "r", "normal", 2) == "over 50"
