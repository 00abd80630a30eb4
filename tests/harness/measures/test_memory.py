"""Memory of a model: exact counts, and peaks that a known allocation must move by what it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.errors import Unsupported
from harness.measures.measure import Facts
from harness.measures.memory import MEMORY, MemorySettings, collect, summarize
from harness.models.contract import ModelSource
from harness.models.open import open_model
from harness.results.record import Measurement

MB = 2**20

WORKER = """
import json, sys
import torch
from harness.measures.memory import MemorySettings, collect
from harness.models.contract import ModelSource
from harness.models.open import open_model, prepare
prepare("transformers")
folder, load_extra, run_extra = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

class Heavy:
    # holds and frees known buffers while it loads and while it runs
    def __init__(self):
        self.model = open_model(ModelSource("m", "transformers", folder, "d"))
        torch.ones(load_extra, dtype=torch.uint8)
        self.identity, self.new_cache = self.model.identity, self.model.new_cache
    def forward(self, *args, **kwargs):
        torch.ones(run_extra, dtype=torch.uint8)
        return self.model.forward(*args, **kwargs)

print(json.dumps(collect(Heavy, MemorySettings(context=48, batch=3))))
"""


def launch(folder: Path, load_extra: int, run_extra: int) -> dict[str, Any]:
    arguments = [sys.executable, "-c", WORKER, str(folder), str(load_extra), str(run_extra)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    [row] = json.loads(done.stdout)
    found: dict[str, Any] = row
    return found


@pytest.fixture(scope="module")
def facts(llama_folder: Path) -> Facts:
    return Facts(open_model(ModelSource("m", "transformers", str(llama_folder), "d")).identity)


def by_name(rows: list[dict[str, Any]], facts: Facts) -> dict[str, Measurement]:
    return {m.metric.name: m for m in summarize(pd.DataFrame(rows), MemorySettings(context=48, batch=3), facts)}


def test_known_allocations_are_seen_where_they_happen(llama_folder: Path, facts: Facts) -> None:
    """A tiny model takes nearly nothing above the baseline; 200 MB that come and go move the right peak by 200 MB."""
    row = launch(llama_folder, load_extra=200 * MB, run_extra=80 * MB)
    if row["meter"] != "VmHWM":
        pytest.skip(f"this system has only {row['meter']}")
    found = {name: m.value for name, m in by_name([row], facts).items()}
    assert found["load_peak"] == pytest.approx(200 * MB, abs=8 * MB)
    assert found["working_memory"] == pytest.approx(80 * MB, abs=8 * MB)
    assert found["peak_memory"] == pytest.approx(80 * MB, abs=16 * MB), "what only loading needs is not in it"
    assert row["loaded_bytes"] < 8 * MB, "what loading freed is not held"


def test_exact_counts(llama_folder: Path, facts: Facts) -> None:
    [row] = collect(
        lambda: open_model(ModelSource("m", "transformers", str(llama_folder), "d")),
        MemorySettings(context=48, batch=3),
    )
    found = by_name([row], facts)
    assert found["weight_bytes"].value == facts.identity.weight_bytes
    # 2 layers, keys and values, 2 heads of 8, fp32
    assert found["kv_cache_bytes"].value == 2 * 2 * 2 * 8 * 4 * 48 * 3
    assert found["kv_cache_bytes"].interval == "exact"
    assert set(found) == {metric.name for metric in MEMORY.metrics}
    assert all(metric.definition and metric.unit == "bytes" for metric in MEMORY.metrics)


def test_the_cache_ends_up_holding_the_context(llama_folder: Path) -> None:
    model = open_model(ModelSource("m", "transformers", str(llama_folder), "d"))
    caches: list[Any] = []

    class Spy:
        identity, forward = model.identity, staticmethod(model.forward)

        def new_cache(self, batch: int, length: int, *, sliding: bool) -> Any:
            caches.append(model.new_cache(batch, length, sliding=sliding))
            return caches[-1]

    collect(lambda: Spy(), MemorySettings(context=64, batch=2))  # type: ignore[arg-type, return-value]
    assert caches[0].length == 64
    assert caches[0].grown.layers[0].keys.shape[0] == 2


def test_a_context_that_does_not_fit_is_unsupported(llama_folder: Path) -> None:
    with pytest.raises(Unsupported, match="65 tokens do not fit in this model's context of 64"):
        collect(
            lambda: open_model(ModelSource("m", "transformers", str(llama_folder), "d")), MemorySettings(context=65)
        )


def several(facts: Facts, *run_peaks: int) -> dict[str, Measurement]:
    rows = [
        {"load_peak_bytes": 70, "run_peak_bytes": peak, "loaded_bytes": 20, "weight_bytes": 7, "kv_cache_bytes": 5}
        for peak in run_peaks
    ]
    return by_name(rows, facts)


def test_three_launches_give_an_interval(facts: Facts) -> None:
    # logs of 50, 100, 200: mean log 100, standard error ln 2 / sqrt 3, t of 2 degrees 4.302653
    found = several(facts, 100, 200, 50)
    peak = found["peak_memory"]
    factor = 2 ** (4.302653 / 3**0.5)
    assert (peak.value, peak.low, peak.high) == pytest.approx((100, 100 / factor, 100 * factor))
    assert (peak.interval, peak.n, peak.n_unit) == ("t over logs of launches", 3, "launches")
    assert found["load_peak"].value == found["load_peak"].low == found["load_peak"].high == pytest.approx(70)
    assert found["working_memory"].interval == "t over logs of launches"


def test_known_bad_a_range_of_launches_is_no_interval(facts: Facts) -> None:
    two = several(facts, 90, 100)["peak_memory"]
    assert (two.value, two.low, two.high) == (95, None, None)
    assert two.interval == "none: 2 launches, 3 give one"
    assert several(facts, 90)["peak_memory"].interval == "none: one launch"


def test_working_memory_of_nothing_has_no_interval(facts: Facts) -> None:
    found = several(facts, 24, 25, 28)
    working = found["working_memory"]
    assert (working.value, working.low, working.high, working.n) == (0, None, None, 3)
    assert working.interval == "none: not above 0 in every launch (median of launches)"
    assert found["peak_memory"].low is not None
