"""Files that the tools themselves write, where they are installed: what they hold is what is imported."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.results.record import Status


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # where pytest-benchmark sees it, it writes nothing


def called(folder: Path, *words: str) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"{module} is not installed")


PYTEST = """
import pytest
@pytest.mark.parametrize("n", [10, 20])
def test_sum(benchmark, n):
    benchmark.pedantic(sum, args=(range(n),), rounds=5, iterations=3)
"""


@pytest.mark.parametrize("stored", [False, True])
def test_pytest_benchmark(tmp_path: Path, stored: bool) -> None:
    (tmp_path / "test_it.py").write_text(PYTEST)
    options = ["--benchmark-save=x", "--benchmark-storage=s"] if stored else ["--benchmark-json=out.json"]
    called(tmp_path, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py", *options)
    path = next((tmp_path / "s").rglob("*.json")) if stored else tmp_path / "out.json"
    told = json.loads(path.read_text())["benchmarks"]
    run = harness.import_results(path, out=tmp_path / "runs")
    assert [cell.settings for cell in run.cells] == [{"n": 10}, {"n": 20}]
    for cell, one in zip(run.cells, told, strict=True):
        assert cell.model == "test_it.py::test_sum"
        values = {record.metric: record.value for record in cell.records}
        stats = one["stats"]
        expected = {"round_time": stats["median"], "mean_round_time": stats["mean"], "min_round_time": stats["min"]}
        assert values == pytest.approx(expected, rel=1e-12)
        assert stored == (cell.samples is None)


@needs("pyperf")
def test_pyperf(tmp_path: Path) -> None:
    for name in ("a.json", "b.json.gz"):
        command = ["-m", "pyperf", "timeit", "-p", "3", "-n", "2", "-w", "1", "-l", "100", "-q", "-o", name, "1+1"]
        called(tmp_path, sys.executable, *command)
        run = harness.import_results(tmp_path / name, out=tmp_path / "runs")
        assert run.cells[0].records[0].n == 3 and len(run.samples_of(run.cells[0])) == 9


@needs("google_benchmark")
def test_google_benchmark(tmp_path: Path) -> None:
    (tmp_path / "bench.py").write_text(
        "import google_benchmark as b\n"
        "@b.register\n@b.option.range(1, 8)\n@b.option.complexity(b.oN)\n"
        "def f(s):\n    while s: sum(range(s.range(0)))\n    s.complexity_n = s.range(0)\n"
        "b.main()\n"
    )
    options = [
        "--benchmark_min_time=0.001s",
        "--benchmark_repetitions=2",
        "--benchmark_out=o",
        "--benchmark_out_format=json",
    ]
    called(tmp_path, sys.executable, "bench.py", *options)
    run = harness.import_results(tmp_path / "o", out=tmp_path / "runs")
    assert {cell.model for cell in run.cells} == {"f/1", "f/8", "f"}


@pytest.mark.skipif(shutil.which("hyperfine") is None, reason="hyperfine is not installed")
def test_hyperfine(tmp_path: Path) -> None:
    called(tmp_path, "hyperfine", "-N", "-r", "3", "-L", "x", "1,2", "--export-json", "o", "echo {x}")
    run = harness.import_results(tmp_path / "o", out=tmp_path / "runs")
    assert [cell.settings for cell in run.cells] == [{"x": "1"}, {"x": "2"}]
    assert all(cell.status is Status.OK and cell.records[0].n == 3 for cell in run.cells)


ASV = """
class Suite:
    params = [[10, 20], ["a", "b"]]
    param_names = ["n", "kind"]
    def time_sum(self, n, kind):
        if (n, kind) == (20, "b"):
            raise ValueError
        sum(range(n))
def peakmem_list():
    return list(range(1000))
"""


@needs("asv")
def test_asv(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks/__init__.py").touch()
    (tmp_path / "benchmarks/bench.py").write_text(ASV)
    settings = {"version": 1, "project": "p", "project_url": "x", "repo": ".", "branches": ["HEAD"]}
    settings |= {"benchmark_dir": "benchmarks", "results_dir": "results", "environment_type": "existing"}
    (tmp_path / "asv.conf.json").write_text(json.dumps(settings))
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q", "."], ["add", "-A"], ["commit", "-qm", "x"]):
        called(tmp_path, *git, *words)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True).stdout.strip()
    asv = [sys.executable, "-m", "asv"]
    called(tmp_path, *asv, "machine", "--yes")
    subprocess.run(
        [*asv, "run", "--quick", "-E", "existing", "--set-commit-hash", head, "--record-samples"], cwd=tmp_path
    )
    results = next((tmp_path / "results").glob("*/*existing*.json"))
    run = harness.import_results(results, tmp_path / "results/benchmarks.json", out=tmp_path / "runs")
    assert run.manifest.git["commit"] == head and len(run.cells) == 5
    assert sum(cell.status is Status.FAILED for cell in run.cells) == 1


INSPECT = """
import sys
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import match
answers = [ModelOutput.from_content("mockllm/model", str(number % 2 + 1)) for number in range(4)]
for one in answers:
    one.usage = ModelUsage(input_tokens=3, output_tokens=1, total_tokens=4)
data = MemoryDataset([Sample(id=f"q{i}", input=f"{i}+1?", target=str(i + 1)) for i in range(4)])
model = get_model("mockllm/model", custom_outputs=answers)
task = Task(dataset=data, scorer=match(), name="adding")
eval(task, model=model, log_format=sys.argv[1], log_dir="log", display="none")
"""


@needs("inspect_ai")
@pytest.mark.parametrize("form", ["json", "eval"])
def test_inspect(tmp_path: Path, form: str) -> None:
    (tmp_path / "it.py").write_text(INSPECT)
    called(tmp_path, sys.executable, "it.py", form)
    run = harness.import_results(next((tmp_path / "log").glob(f"*.{form}")), out=tmp_path / "runs")
    assert run.cells[0].records[0].value == 0.5 and len(run.samples_of(run.cells[0])) == 4


OPTIMUM = """
import sys
from optimum_benchmark import Benchmark, BenchmarkConfig, InferenceConfig, InlineConfig, PyTorchConfig
config = BenchmarkConfig(
    name="tiny",
    launcher=InlineConfig(),
    scenario=InferenceConfig(
        latency=True, memory=True, iterations=3, duration=0, warmup_runs=1,
        input_shapes={"batch_size": 1, "sequence_length": 8},
        generate_kwargs={"max_new_tokens": 4, "min_new_tokens": 4},
    ),
    backend=PyTorchConfig(model=sys.argv[1], device="cpu", task="text-generation", library="transformers"),
)
config.save_json("benchmark_config.json")
Benchmark.launch(config).save_json("benchmark_report.json")
"""
OPTIMUM_PYTHON = os.environ.get("HARNESS_OPTIMUM_BENCHMARK_PYTHON", "")


@pytest.mark.skipif(
    not OPTIMUM_PYTHON, reason="HARNESS_OPTIMUM_BENCHMARK_PYTHON names no interpreter that has it (transformers 4)"
)
def test_optimum_benchmark(tmp_path: Path, llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "it.py").write_text(OPTIMUM)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    called(tmp_path, OPTIMUM_PYTHON, "it.py", str(llama_folder))
    report = json.loads((tmp_path / "benchmark_report.json").read_text())
    run = harness.import_results(
        tmp_path / "benchmark_report.json", tmp_path / "benchmark_config.json", out=tmp_path / "runs"
    )
    latencies = {cell.settings["target"]: cell for cell in run.cells if report[cell.settings["target"]]["latency"]}
    assert {"load_model", "prefill", "decode", "per_token"} <= set(latencies)
    for target, cell in latencies.items():
        (value,) = (record.value for record in cell.records if record.metric == "latency")
        assert value == pytest.approx(report[target]["latency"]["mean"], rel=1e-12)
        assert cell.model == str(llama_folder)
