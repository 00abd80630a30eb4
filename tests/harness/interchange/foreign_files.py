"""Files of the shape that each tool writes, made here: what the tools' sources print, with numbers of our own."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

CPU = {"brand_raw": "Example CPU 3000", "count": 8, "arch": "X86_64"}


def pytest_benchmark(rounds: tuple[float, ...] = (0.002, 0.001, 0.003), **more: Any) -> dict[str, Any]:
    """Version 5, of two tests, one with parameters."""
    return {
        "machine_info": {
            **{"node": "box", "processor": "", "machine": "x86_64", "python_compiler": "GCC 12.2.0"},
            **{"python_implementation": "CPython", "python_version": "3.12.1", "release": "6.1", "system": "Linux"},
            "cpu": CPU,
        },
        "commit_info": {
            **{"id": "a" * 40, "time": "2025-03-01T10:00:00+01:00", "author_time": None, "dirty": False},
            **{"project": "p", "branch": "main"},
        },
        "benchmarks": [
            {
                **{"group": None, "name": "test_plain", "fullname": "tests/test_a.py::test_plain", "params": None},
                **{"param": None, "extra_info": {}, "options": {}, "stats": stats(rounds)},
            },
            {
                **{"group": "g", "name": "test_n[10]", "fullname": "tests/test_a.py::test_n[10]", "params": {"n": 10}},
                **{"param": "10", "extra_info": {"k": 1}, "options": {}, "stats": stats((0.5, 0.25))},
            },
        ],
        "datetime": "2025-03-01T12:00:00.123456+00:00",
        "version": "5.1.0",
        **more,
    }


def stats(rounds: tuple[float, ...]) -> dict[str, Any]:
    from harness.interchange.round_statistics import round_statistics

    return {**round_statistics(rounds), "data": list(rounds), "iterations": 1}


def google_benchmark() -> dict[str, Any]:
    """Two repetitions with their aggregates, a fit, an error and a counter."""

    def row(name: str, run: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "family_index": 0, "run_name": run, "run_type": "iteration", "threads": 1, **more}

    times = {"iterations": 100, "real_time": 2.0, "cpu_time": 1.5, "time_unit": "us"}
    return {
        "context": {
            **{"date": "2025-03-01T12:00:00+01:00", "host_name": "box", "executable": "./bench", "num_cpus": 8},
            **{"mhz_per_cpu": 3000, "caches": [{"type": "Data", "level": 1, "size": 32768, "num_sharing": 1}]},
            **{"load_avg": [], "library_version": "1.9.1", "json_schema_version": 1},
        },
        "benchmarks": [
            row("sort/8", "sort/8", repetitions=2, repetition_index=0, **times, items_per_second=5e5),
            row(
                "sort/8",
                "sort/8",
                repetitions=2,
                repetition_index=1,
                **{**times, "real_time": 4.0},
                items_per_second=3e5,
            ),
            row(
                "sort/8_mean",
                "sort/8",
                **{**times, "run_type": "aggregate", "aggregate_name": "mean", "real_time": 3.0},
            ),
            {
                **row("sort_BigO", "sort", aggregate_name="BigO", cpu_coefficient=2.0, real_coefficient=3.0, big_o="N"),
                **{"run_type": "aggregate", "time_unit": "ns"},
            },
            {**row("sort_RMS", "sort", aggregate_name="RMS", rms=0.1), "run_type": "aggregate"},
            {
                **row("broken", "broken", error_occurred=True, error_message="no device", **times),
                **{"family_index": 1, "real_time": 0.0},
            },
        ],
    }


def llama_bench() -> list[dict[str, Any]]:
    """pp512, tg128 at a depth and pp512+tg128, as `json_printer` prints them."""

    def test(prompt: int, generated: int, depth: int, samples: list[int]) -> dict[str, Any]:
        tokens = prompt + generated
        rates = [1e9 * tokens / ns for ns in samples]
        return {
            **{
                "build_commit": "1a2b3c4",
                "build_number": 6000,
                "cpu_info": "Example CPU 3000",
                "gpu_info": "Example GPU",
            },
            **{"backends": "CUDA", "model_filename": "/models/tiny-q4_0.gguf", "model_type": "llama 1B Q4_0"},
            **{"model_size": 700_000_000, "model_n_params": 1_100_000_000, "n_batch": 2048, "n_ubatch": 512},
            **{"n_threads": 8, "cpu_mask": "0x0", "cpu_strict": False, "poll": 50, "type_k": "f16", "type_v": "f16"},
            **{"n_gpu_layers": 99, "n_cpu_moe": 0, "split_mode": "layer", "main_gpu": 0, "no_kv_offload": False},
            **{"flash_attn": True, "devices": "auto", "tensor_split": "0.00", "tensor_buft_overrides": "none"},
            **{"use_mmap": True, "embeddings": False, "no_op_offload": 0, "no_host": False},
            **{"n_prompt": prompt, "n_gen": generated, "n_depth": depth, "test_time": "2025-03-01T12:00:00Z"},
            **{"avg_ns": sum(samples) // len(samples), "stddev_ns": 10, "avg_ts": sum(rates) / len(rates)},
            **{"stddev_ts": 0.5, "samples_ns": samples, "samples_ts": rates},
        }

    return [
        test(512, 0, 0, [500_000_000, 400_000_000]),
        test(0, 128, 4096, [2_000_000_000, 2_100_000_000]),
        test(512, 128, 0, [2_500_000_000, 2_600_000_000]),
    ]


def asv() -> dict[str, Any]:
    """Format 2: parameters, a failure (null), a skip (NaN), a peak of memory, a benchmark that failed as a whole."""
    columns = ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25"]
    columns += ["stats_q_75", "stats_number", "stats_repeat", "samples", "profile"]
    grid = [["10", "20"], ["'a'", "'b'"]]
    nothing = [None] * 6
    return {
        **{"commit_hash": "b" * 40, "env_name": "virtualenv-py3.12", "date": 1_740_000_000_000, "python": "3.12"},
        **{"requirements": {"numpy": "2.0"}, "env_vars": {}, "result_columns": columns, "durations": {}, "version": 2},
        "params": {
            **{"arch": "x86_64", "cpu": "Example CPU 3000", "machine": "box", "num_cpu": "8", "os": "Linux 6.1"},
            **{"ram": "17179869184", "python": "3.12"},
        },
        "results": {
            "bench.Suite.time_sum": [
                *([0.5, 0.25, None, float("nan")], grid, "c" * 64, 1_740_000_100_000, 2.5, *nothing),
                [[0.5, 0.6], [0.25], None, None],
            ],
            "bench.peakmem_list": [[36478976], [], "d" * 64, 1_740_000_200_000, 0.5],
            "bench.track_loss": [[1.5], [], "e" * 64, 1_740_000_200_000, 0.5],
            "bench.time_fails": [None, [], "f" * 64, 1_740_000_200_000, 0.5],
        },
    }


def asv_benchmarks() -> dict[str, Any]:
    """`benchmarks.json` beside them."""
    common = {"param_names": [], "params": [], "version": "1", "code": ""}
    return {
        "bench.Suite.time_sum": {**common, "type": "time", "unit": "seconds", "param_names": ["n", "kind"]},
        "bench.track_loss": {**common, "type": "track", "unit": "nats"},
        "version": 2,
    }


def pyperf() -> dict[str, Any]:
    """Format 1.0: a suite of two, metadata of the file, of a benchmark and of a run."""

    def run(*values: float, **metadata: Any) -> dict[str, Any]:
        told = {"date": "2025-03-01 12:00:00.5", "duration": 0.1, **metadata}
        return {"metadata": told, "warmups": [[10, 0.9]], "values": list(values)}

    return {
        "version": "1.0",
        "metadata": {
            **{"cpu_count": 8, "cpu_model_name": "Example CPU 3000", "hostname": "box", "loops": 10, "unit": "second"},
            **{
                "platform": "Linux-6.1-x86_64-with-glibc2.36",
                "python_version": "3.12.1 (64-bit)",
                "perf_version": "2.8",
            },
        },
        "benchmarks": [
            {
                "metadata": {"name": "one"},
                "runs": [
                    {"metadata": {"calibrate_loops": 10, "date": "2025-03-01 11:00:00"}, "warmups": [[1, 0.5]]},
                    *(run(0.5, 0.51), run(0.52, 0.5), run(0.49, 0.5)),
                ],
            },
            {"metadata": {"name": "two"}, "runs": [run(2.0, loops=5), run(2.1, loops=5)]},
        ],
    }


def hyperfine() -> dict[str, Any]:
    """Two commands, one of them with a parameter and an exit code that is not 0."""

    def result(command: str, times: list[float], codes: list[int], **more: Any) -> dict[str, Any]:
        told = {"mean": sum(times) / len(times), "stddev": 0.1, "median": times[0], "user": 0.2, "system": 0.1}
        return {
            "command": command,
            **told,
            "min": min(times),
            "max": max(times),
            "times": times,
            "exit_codes": codes,
            **more,
        }

    return {
        "results": [
            result("sleep 0.5", [0.5, 0.51, 0.52], [0, 0, 0], memory_usage_byte=[1000, 1100, 1200]),
            result("grep x big", [0.2, 0.3, 0.25], [1, 0, 1], parameters={"n": "4"}),
        ]
    }


def optimum_report() -> dict[str, Any]:
    """Two targets of an inference benchmark."""
    latency = {"unit": "s", "values": [0.1, 0.2], "count": 2, "total": 0.3, "mean": 0.15, "p50": 0.15, "p90": 0.19}
    latency |= {"p95": 0.195, "p99": 0.199, "stdev": 0.05, "stdev_": 33.3}
    memory = {"unit": "MB", "max_ram": 900.5, "max_global_vram": None, "max_process_vram": None}
    memory |= {"max_reserved": None, "max_allocated": None}
    nothing = {"energy": None, "efficiency": None}
    return {
        "prefill": {
            "memory": memory,
            "latency": latency,
            "throughput": {"unit": "tokens/s", "value": 213.0},
            **nothing,
        },
        "decode": {
            **{"memory": None, "latency": {**latency, "values": [1.0, 3.0]}},
            "throughput": {"unit": "tokens/s", "value": 60.0},
            "energy": {"unit": "kWh", "cpu": 1e-6, "ram": 1e-7, "gpu": 0.0, "total": 1.1e-6},
            "efficiency": {"unit": "tokens/kWh", "value": 1e7},
        },
    }


def optimum_config() -> dict[str, Any]:
    """`benchmark_config.json`."""
    return {
        "name": "cpu_gpt2",
        "backend": {
            **{"name": "pytorch", "version": "2.7.0", "_target_": "x", "model": "gpt2", "processor": "gpt2"},
            **{"device": "cpu", "task": "text-generation", "seed": 42, "no_weights": True, "model_kwargs": {}},
        },
        "scenario": {
            **{"name": "inference", "_target_": "y", "iterations": 10, "memory": True, "latency": True},
            **{"input_shapes": {"batch_size": 2, "sequence_length": 16}, "new_tokens": None},
        },
        "launcher": {"name": "process", "_target_": "z"},
        "environment": {
            **{
                "cpu": "Example CPU 3000",
                "cpu_count": 8,
                "cpu_ram_mb": 16000.0,
                "system": "Linux",
                "machine": "x86_64",
            },
            **{"platform": "Linux-6.1", "python_version": "3.12.1", "optimum_benchmark_version": "0.6.0"},
            **{"transformers_version": "4.50.0", "transformers_commit": None},
        },
    }


def lm_eval_samples(right: tuple[int, ...] = (1, 0, 1, 1), model_says: float = -1.0) -> list[dict[str, Any]]:
    """A multiple-choice task `sums` of four documents. right: whether each is."""
    lines = []
    for number, score in enumerate(right):
        prompt = f"{number}+1?"
        answers = [(model_says if score else -3.0), -2.0]
        lines.append(
            {
                "doc_id": number,
                "doc": {"q": prompt, "choices": [str(number + 1), "nine"], "answer": 0},
                "target": "0",
                "arguments": {
                    "gen_args_0": {"arg_0": prompt, "arg_1": f" {number + 1}"},
                    "gen_args_1": {"arg_0": prompt, "arg_1": " nine"},
                },
                "resps": [[[str(answers[0]), "True"]], [[str(answers[1]), "False"]]],
                "filtered_resps": [[str(answers[0]), "True"], [str(answers[1]), "False"]],
                "filter": "none",
                "metrics": ["acc"],
                **{"doc_hash": f"{number}d", "prompt_hash": f"{number}p", "target_hash": "t", "acc": float(score)},
            }
        )
    return lines


def lm_eval_written(answers: tuple[str, ...] = ("1", "two", "3")) -> list[dict[str, Any]]:
    """A task `counting` of written answers, judged behind two filters."""
    lines = []
    for name in ("strict", "flexible"):
        for number, answer in enumerate(answers):
            taken = answer if name == "strict" or answer.isdigit() else "[invalid]"
            lines.append(
                {
                    **{"doc_id": number, "doc": {"q": number}, "target": str(number + 1)},
                    "arguments": {"gen_args_0": {"arg_0": f"{number}+1=", "arg_1": {"until": ["\n"]}}},
                    **{"resps": [[answer]], "filtered_resps": [taken], "filter": name, "metrics": ["exact_match"]},
                    **{"doc_hash": f"{number}d", "prompt_hash": f"{number}p", "target_hash": f"{number}t"},
                    "exact_match": float(taken == str(number + 1)),
                }
            )
    return lines


def lm_eval(sums: list[dict[str, Any]] | None = None, written: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """`results_*.json` of a group of both."""
    sums, written = sums or lm_eval_samples(), written or lm_eval_written()
    acc = sum(line["acc"] for line in sums) / len(sums)
    exact = {
        name: sum(line["exact_match"] for line in written if line["filter"] == name) / (len(written) // 2)
        for name in ("strict", "flexible")
    }
    group = {"alias": "arithmetic", "name": "arithmetic", "sample_len": 7, "acc,none": acc, "acc_stderr,none": 0.25}
    return {
        "results": {
            "sums": {"name": "sums", "alias": "sums", "sample_len": 4, "acc,none": acc, "acc_stderr,none": 0.25},
            "counting": {
                **{"name": "counting", "alias": "counting", "sample_len": 3},
                **{"exact_match,strict": exact["strict"], "exact_match_stderr,strict": 0.2},
                **{"exact_match,flexible": exact["flexible"], "exact_match_stderr,flexible": "N/A"},
            },
            "arithmetic": group | {"sample_count": {"acc,none": 4}},
        },
        "groups": {"arithmetic": group},
        "group_subtasks": {"arithmetic": ["sums", "counting"]},
        "configs": {
            "sums": {
                **{"task": "sums", "output_type": "multiple_choice", "target_delimiter": " ", "num_fewshot": 2},
                "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
            },
            "counting": {
                **{"task": "counting", "output_type": "generate_until", "generation_kwargs": {"until": ["\n"]}},
                "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
            },
        },
        "versions": {"sums": 1.0, "counting": 2.0, "arithmetic": "1.0"},
        "n-shot": {"sums": 2, "counting": 2, "arithmetic": 2},
        "higher_is_better": {"sums": {"acc": True}, "counting": {"exact_match": True}},
        "n-samples": {"sums": {"original": 9, "effective": 4}, "counting": {"original": 9, "effective": 3}},
        "config": {
            **{"model": "hf", "model_args": {"pretrained": "org/tiny", "dtype": "float32"}, "limit": 4.0},
            **{"model_num_parameters": 1000, "model_dtype": "torch.float32", "model_sha": "1" * 40, "gen_kwargs": {}},
            **{"device": "cpu", "fewshot_seed": 1234},
        },
        **{"git_hash": "abcdef1", "date": 1_740_000_000.5, "lm_eval_version": "0.4.13", "model_name": "org/tiny"},
        **{"transformers_version": "4.50.0", "chat_template": None, "system_instruction": None},
        "task_hashes": {"sums": task_hash(sums), "counting": task_hash(written)},
    }


def task_hash(lines: list[dict[str, Any]]) -> str:
    joined = "".join(line["doc_hash"] + line["prompt_hash"] + line["target_hash"] for line in lines)
    return hashlib.sha256(joined.encode()).hexdigest()


def inspect(letters: tuple[str, ...] = ("C", "I", "C", "I"), epochs: int = 1) -> dict[str, Any]:
    """A log of format 2 of a task `adding`."""
    samples = [
        {
            **{"id": f"q{number}", "epoch": epoch + 1, "input": f"{number}+1?", "target": str(number + 1)},
            "output": {"model": "m", "choices": [], "completion": "7"},
            **{"messages": [], "events": [], "metadata": {}, "scores": {"match": {"value": letter, "answer": "7"}}},
        }
        for epoch in range(epochs)
        for number, letter in enumerate(letters)
    ]
    share = letters.count("C") / len(letters)
    metrics = {
        "accuracy": {"name": "accuracy", "value": share, "params": {}},
        "stderr": {"name": "stderr", "value": 0.25, "params": {}},
    }
    return {
        **{"version": 2, "status": "success"},
        "eval": {
            **{"created": "2025-03-01T12:00:00+00:00", "task": "adding", "task_version": 3, "model": "vendor/m"},
            "dataset": {"samples": len(letters), "sample_ids": [f"q{number}" for number in range(len(letters))]},
            **{"config": {"epochs": epochs}, "packages": {"inspect_ai": "0.3.200"}, "task_args": {"hard": True}},
            "revision": {"type": "git", "origin": "x", "commit": "abc1234", "dirty": False},
        },
        "results": {
            **{"total_samples": len(samples), "completed_samples": len(samples)},
            "scores": [
                {
                    "name": "match",
                    "scorer": "match",
                    "reducer": "mean",
                    "scored_samples": len(letters),
                    "metrics": metrics,
                }
            ],
        },
        "stats": {"started_at": "2025-03-01T12:00:01+00:00"},
        "samples": samples,
    }


def inspect_archive(log: dict[str, Any], *, zstandard: bool = False) -> bytes:
    """The same as `.eval`: members as inspect names them, deflated, or (as it does now) packed by zstandard."""
    header = {name: value for name, value in log.items() if name != "samples"}
    members = {"header.json": header, "_journal/start.json": {"version": 2}}
    members |= {f"samples/{one['id']}_epoch_{one['epoch']}.json": one for one in log["samples"]}
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            archive.writestr(name, json.dumps(value))
    if not zstandard:
        return found.getvalue()
    return _repacked({name: json.dumps(value).encode() for name, value in members.items()})


def _repacked(members: dict[str, bytes]) -> bytes:
    """A zip whose members are packed by zstandard: a stored zip of the packed bytes, its method written over."""
    import pyarrow

    packed = {name: pyarrow.compress(content, "zstd", asbytes=True) for name, content in members.items()}
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_STORED) as archive:
        for name, content in packed.items():
            archive.writestr(name, content)
    content = bytearray(found.getvalue())
    for signature, method, checksum in ((b"PK\x03\x04", 8, 14), (b"PK\x01\x02", 10, 16)):
        start = content.find(signature)
        for plain in members.values():
            content[start + method : start + method + 2] = (93).to_bytes(2, "little")
            content[start + checksum : start + checksum + 4] = zlib.crc32(plain).to_bytes(4, "little")
            size = start + checksum + 8
            content[size : size + 4] = len(plain).to_bytes(4, "little")
            start = content.find(signature, start + 4)
    return bytes(content)


JSON: dict[str, Callable[[], Any]] = {
    "pytest-benchmark": pytest_benchmark,
    "google-benchmark": google_benchmark,
    "llama-bench": llama_bench,
    "asv": asv,
    "pyperf": pyperf,
    "hyperfine": hyperfine,
    "lm-eval": lm_eval,
    "inspect": inspect,
    "optimum-benchmark": optimum_report,
}
"""A valid file of each format."""


def write(path: Path, value: Any) -> str:
    """A file with a value as JSON; its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(path)


def write_lines(path: Path, lines: list[dict[str, Any]]) -> str:
    """A file of JSON Lines; its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)
