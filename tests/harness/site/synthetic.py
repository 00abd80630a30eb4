"""A synthetic history: commits of a made-up project with planted steps and drifts, and verdicts on some of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from harness.history.folder import History, add_rows, add_verdict
from harness.history.row import Row, schema
from harness.history.verdict import KeptVerdict

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
MODELS = {"small": (1.92, 14_000.0, 1.3e6), "medium": (1.81, 11_500.0, 3.8e6)}
PRECISIONS = {
    "fp32": (1.0, 1.0, 1.0),
    "bf16": (1.0004, 1.05, 0.55),
    "int8": (1.001, 1.4, 0.3),
    "int4": (1.02, 1.6, 0.2),
}
PINNED = hashlib.sha1(b"pinned").hexdigest()


def commit(number: int) -> str:
    return hashlib.sha1(f"commit {number}".encode()).hexdigest()


def rows_of_commit(number: int, commits: int, metrics: int = 48) -> list[Row]:
    """One run of `metrics` rows (48 at most). Decoding becomes 6 % slower after a third of the commits, int4's
    loss falls by 1 % after two thirds, memory drifts upwards, the text of the loss changes after four fifths."""
    random = np.random.default_rng(number)
    off_branch, dirty = number % 23 == 11, number % 17 == 5
    shared = Row(
        **{
            "suite": "ci",
            "suite_hash": "5e1f",
            "machine_class": "a1b2c3d4e5f60718",
            "run": f"20260105-{number:06d}-ci",
        },
        run_id=hashlib.sha256(f"run {number}".encode()).hexdigest()[:32],
        sequence=number + 1,
        time=START + timedelta(hours=5 * number + (number * 7919) % 3),
        commit=commit(number),
        parents=(commit(number - 1),) if number else (),
        branch="try-kernels" if off_branch else "main",
        dirty=dirty,
        commit_time=START + timedelta(hours=5 * number),
        cell="",
    )
    found = [
        row for model in MODELS for name in PRECISIONS for row in _rows(shared, random, number / commits, model, name)
    ]
    return sorted(found, key=lambda row: row.kind == "value")[:metrics]


def _rows(shared: Row, random: Any, at: float, model: str, precision: str) -> Iterator[Row]:
    loss, rate, size = MODELS[model]
    worse, faster, smaller = PRECISIONS[precision]
    base = {"device": "cpu", "precision": precision, "threads": 1}
    slower = 1.06 if at >= 1 / 3 else 1.0

    def row(metric: str, value: float, width: float, settings: dict[str, Any], **facts: Any) -> Row:
        text = json.dumps(base | settings, sort_keys=True)
        cell = hashlib.sha256(f"{metric}{text}".encode()).hexdigest()[:16]
        ends = {} if width == 0 else {"low": value - width, "high": value + width, "confidence": 0.95}
        known = {"model": model, "where": text, "metric": metric, "value": value, "cell": cell, "metric_version": 1}
        return replace(shared, **(known | ends | facts))

    noise = random.normal
    ratio = slower * float(np.exp(noise(0, 0.012)))
    speed = {"prompt": 128, "generate": 32, "batch": 1}
    timed = {"measure": "inference", "depends_on": "time", "n": 30, "n_unit": "iterations", "launches": 5}
    timed |= {"interval": "order statistics of launches"}
    yield row(
        *("decode_rate", ratio, 0.02, speed),
        **(
            timed
            | {"kind": "ratio", "unit": "ratio", "direction": "lower", "pinned": PINNED, "n": 12, "n_unit": "launches"}
        ),
    )
    busy = float(np.exp(noise(0, 0.07)))
    real = rate * faster / slower * busy
    yield row("decode_rate", real, real * 0.03, speed, **(timed | {"unit": "tokens/s", "direction": "higher"}))
    first = 0.9 / rate * slower * busy
    yield row("ttft", first, first * 0.05, speed, **(timed | {"unit": "s", "direction": "lower"}))
    later = at >= 0.8
    bits = loss * worse * (0.99 if precision == "int4" and at >= 2 / 3 else 1) * (0.97 if later else 1)
    bits *= float(np.exp(noise(0, 0.001)))
    read = {"reads": "second text" if later else "first text", "measure": "perplexity", "n": 60, "n_unit": "documents"}
    read |= {"unit": "bits/byte", "direction": "lower", "interval": "bootstrap over documents"}
    read |= {"definition": "Mean negative log2-likelihood of a text, divided by its UTF-8 bytes."}
    yield row("bits_per_byte", bits, 0.05, {"text": "microworld/test", "documents": 60}, **read)
    memory = size * smaller * 4 * (1 + 0.12 * at) * float(np.exp(noise(0, 0.004)))
    held = {"measure": "memory", "unit": "bytes", "direction": "lower", "n": 3, "n_unit": "launches", "launches": 3}
    yield row("peak_memory", memory, memory * 0.01, {"context": 64}, **(held | {"depends_on": "memory"}))
    counted = {"measure": "memory", "unit": "bytes", "direction": "lower"}
    yield row("weight_bytes", float(round(size * smaller)), 0, {"context": 64}, **counted)


def verdict_of_commit(number: int, commits: int) -> KeptVerdict:
    """What a gate said of a run and the one before it."""
    row = rows_of_commit(number, commits, 1)[0]
    fails = abs(number / commits - 1 / 3) < 1 / commits
    word = "fail" if fails else "inconclusive" if number % 7 == 3 else "pass"
    reason = {
        "fail": "decode_rate (small, int8): slower by 6.1 % [4.9, 7.3] (margin 5 %), also when measured once more",
        "inconclusive": "decode_rate (small, int8): 24 launches are too few; a slowdown of 3.4 % would have been seen",
        "pass": "4 metrics of 4 cells",
    }[word]
    judged = [
        {
            "verdict": word if metric == "decode_rate" else "pass",
            "reason": reason if metric == "decode_rate" else f"{metric} is not worse by the margin",
            **{"role": "gate", "metric": metric, "unit": unit, "kind": kind, "base": base, "head": base * (1 + change)},
            **{"margin": margin, "worse_by": {"value": change, "low": change - 0.012, "high": change + 0.012}},
            **{"smallest_seen": 0.034, "p": 0.0004 if fails and metric == "decode_rate" else 0.31},
            "at": {"model": "small", "precision": "int8", "measure": "inference"},
            "details": {"launches": 12, "fresh_launches": 5, "scatter": 0.0131},
        }
        for metric, unit, kind, base, change, margin in (
            ("decode_rate", "tokens/s", "time", 19_600.0, 0.061 if fails else 0.002, 0.05),
            ("bits_per_byte", "bits/byte", "loss", 1.9219, 0.0002, 0.01),
            ("peak_memory", "bytes", "memory", 1_560_000.0, 0.001, 0.05),
        )
    ]
    said = {
        **{"verdict": word, "exit_code": 1 if fails else 3 if word == "inconclusive" else 0, "reason": reason},
        **{"base": f"20260105-{number - 1:06d}-ci", "head": row.run, "alpha": 0.01, "pass_alpha": 0.05, "tests": 3},
        **{"judged": judged, "changes": [f"commit {commit(number - 1)[:10]} and {commit(number)[:10]}"], "notes": []},
        "watched": [
            {
                **{"metric": "ttft", "unit": "s", "at": {"model": "small", "precision": "int8"}, "base": 6.4e-5},
                **{"head": 6.5e-5, "change": 0.0156, "p": None, "q": None, "stands_out": False},
                "note": "undecided: no runs of identical code to tell what is unusual",
            }
        ],
    }
    return KeptVerdict(
        **{"kind": "gate", "suite": "ci", "machine_class": row.machine_class, "run": row.run, "run_id": row.run_id},
        **{"time": row.time, "commit": row.commit, "dirty": row.dirty, "branch": row.branch},
        **{"base": commit(number - 1), "verdict": word, "exit_code": said["exit_code"], "reason": reason, "said": said},
    )


def history(commits: int, metrics: int = 48, verdicts: int = 20) -> History:
    """A history that no folder holds."""
    rows = [row for number in range(commits) for row in rows_of_commit(number, commits, metrics)]
    table = pa.Table.from_pylist([vars(row) for row in rows], schema())  # `table_of` copies each row deeply
    made = History(Path("history"), table, (), ())
    every = max(1, commits // verdicts) if verdicts else commits + 1
    kept = tuple(verdict_of_commit(number, commits) for number in range(1, commits) if number % every == 0)
    vars(made)["_verdicts"] = (kept, ())
    return made


def write_history(folder: Path, commits: int, metrics: int = 48) -> Path:
    """The same as a folder."""
    for number in range(commits):
        add_rows(rows_of_commit(number, commits, metrics), folder)
        if number:
            add_verdict(verdict_of_commit(number, commits), folder)
    return folder


AB = {
    "verdict": "fail",
    "reasons": ["slower by 6 %"],
    "clock": "wall",
    "wall_ratio": {"value": 1.06, "low": 1.05, "high": 1.07, "n": 13},
    "cpu_ratio": {"value": 1.05, "low": None, "high": None, "n": 2},
    **{"margin": 0.05, "fail_alpha": 0.01, "pass_alpha": 0.05, "smallest_seen": 0.031},
    **{"launches": 8, "fresh_launches": 5, "threads": 1, "seconds": 41.2, "others_share": 0.02},
    "differences": [0.0583, 0.0601, float("nan"), "0.1", 1e9],
    "fresh_differences": [0.0577],
    "identical_code": {"scatter": 0.0031, "decisions": 40, "alarms": 0, "alarms_at_most": 0.07, "differences": [0.1]},
    "arms": {"a": {"text": "revision main (aaaa)"}, "b": {"text": "this environment", "path": "/home/jane"}},
    "differs": ["revision"],
    "outputs": {"tolerance": 0.001},
}
"""What an ab says, as its JSON has it, with differences that are none."""
