"""How often `harness ab` is wrong, and how soon right: real decisions on identical code and on real slowdowns.

    python benchmarks/gate_calibration.py measure [--same 300] [--slower 60] [--hours 8] [--out FILE]
    python benchmarks/gate_calibration.py table [FILE]

`measure` makes whole decisions (launches, A/A case, confirmation: all that the command does) on work of 1, 5 and 20 ms,
in pure Python, in products and in copies of memory, where the head does 0, 3, 5 or 10 % more of it. It appends a line
for each, takes next what has the fewest, and goes on where it was stopped, so that it can run in the background for a
night.

`table` prints the rates with Clopper and Pearson's one-sided 95 % bounds, and replays the rules of other tools on the
same launches as they would have been measured: the base first (arm a of the first half of the launches), then the head
(arm b of the second half). It is also written beside the file, as Markdown. These are rules, not the tools' own runs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.errors import UserError
from harness.gate.arms.arm import ArmChoice
from harness.gate.lockstep.ab import ab
from harness.gate.lockstep.launch import Clock
from harness.gate.lockstep.lockstep import Limits, Observation
from harness.gate.lockstep.outcome import Z_SEEN
from harness.statistics.exact_proportions import at_least, at_most
from harness.statistics.speed_decision import Rule, decide

sys.path.insert(0, str(Path(__file__).parent))
from gate_workloads import KINDS

OUT = Path(__file__).resolve().parent.parent / "results" / "gate_calibration.jsonl"
CHANGES = (0, 3, 5, 10)
MILLISECONDS = (1, 5, 20)
KEPT = 12
"""Turns of an arm that are kept of each launch, for the other rules."""


MOST_FAILED = 5
"""Comparisons that failed, after which it is no accident."""


def decision(kind: str, milliseconds: int, change: int, clock: Clock | None) -> dict:
    """One whole comparison, as the command makes it."""
    arguments = {"kind": kind, "milliseconds": milliseconds}
    base = ArmChoice(call="gate_workloads:base", arguments=arguments, path=str(Path(__file__).parent))
    slower = {**arguments, "parts": 100 + change}
    head = ArmChoice(call="gate_workloads:head", arguments=slower, path=str(Path(__file__).parent))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = ab(base, head, clock=clock or "auto", threads=1, out=Path(folder))
    seconds = time.monotonic() - began
    told = found.as_json()
    launches = [*found.measured.first, *found.measured.fresh]
    kept = ("verdict", "reasons", "faster", "clock", "wall_ratio", "cpu_ratio", "smallest_seen", "others_share")
    return {
        "kind": kind,
        "milliseconds": milliseconds,
        "change": change,
        "seconds": round(seconds, 1),
        "time": time.time(),
        "machine_class": found.machine,
        **{name: told[name] for name in kept},
        "differences": [round(one, 5) for one in told["differences"]],
        "fresh_differences": [round(one, 5) for one in told["fresh_differences"]],
        "identical_differences": [round(one, 5) for one in told["identical_code"]["differences"]],
        "turns": [{side: some_turns(one, side) for side in "ab"} for one in launches],
    }


def some_turns(told: Observation, side: str) -> list[float]:
    """Milliseconds by the wall of some turns of an arm, evenly over a launch."""
    times = [turn.wall_ns / told.launch.pace.repeats / 1e6 for turn in told.launch.turns if turn.arm == side]
    at = np.unique(np.linspace(0, len(times) - 1, KEPT).astype(int))
    return [float(f"{times[place]:.4g}") for place in at]


def measure(out: Path, same: int, slower: int, hours: float, clock: Clock | None) -> None:
    """Decide until there are as many decisions as are wanted, or the time is over."""
    end, failed = time.monotonic() + hours * 3600, 0
    out.parent.mkdir(parents=True, exist_ok=True)
    while time.monotonic() < end:
        done = read(out)
        by_change = Counter(one["change"] for one in done)
        missing = {change: (slower if change else same) - by_change[change] for change in CHANGES}
        if max(missing.values()) <= 0:
            break
        # the change that is furthest from its goal, then the work that it has been tried on least
        change = max(CHANGES, key=lambda one: missing[one] / max(slower if one else same, 1))
        tried = Counter((one["kind"], one["milliseconds"]) for one in done if one["change"] == change)
        kind, milliseconds = min(((k, m) for m in MILLISECONDS for k in KINDS), key=lambda work: tried[work])
        try:
            found = decision(kind, milliseconds, change, clock)
        except UserError as error:  # one that failed does not end the night
            failed += 1
            print(f"failed: {error}", flush=True)
            if failed == MOST_FAILED:
                raise
            continue
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        said = f"{found['verdict']:<12} {found['seconds']:>5.1f} s"
        print(f"{len(done) + 1:>4}  {kind} {milliseconds} ms +{change} %  {said}", flush=True)


def read(out: Path) -> list[dict]:
    """All decisions in a file; a line that a kill cut off is left out, and cut off."""
    if not out.exists():
        return []
    text = out.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        out.write_text(text, encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


# --- rules of others -------------------------------------------------------------------------------------------------

Launches = list[list[float]]
"""Times of the launches of one arm."""


def pyperf(base: Launches, head: Launches) -> bool:
    """pyperf compare_to: Student's t-test of all values, two-sided, 95 % (3 values of each process)."""
    from scipy.stats import ttest_ind

    a, b = (np.concatenate([launch[:3] for launch in arm]) for arm in (base, head))
    return bool(ttest_ind(a, b).pvalue < 0.05 and b.mean() > a.mean())


def asv(base: Launches, head: Launches) -> bool:
    """asv continuous: Mann-Whitney U, p < 0.002, and the median 1.1 times as long."""
    from scipy.stats import mannwhitneyu

    a, b = np.concatenate(base), np.concatenate(head)
    return bool(mannwhitneyu(a, b).pvalue < 0.002 and np.median(b) > 1.1 * np.median(a))


def google_benchmark(base: Launches, head: Launches) -> bool:
    """google/benchmark's compare.py: Mann-Whitney U of the repetitions, two-sided, 0.05 (one value of each process)."""
    from scipy.stats import mannwhitneyu

    a, b = np.concatenate(base), np.concatenate(head)
    return bool(mannwhitneyu(a, b).pvalue < 0.05 and np.median(b) > np.median(a))


def pytest_benchmark(base: Launches, head: Launches) -> bool:
    """pytest-benchmark --benchmark-compare-fail=min:5%: the smallest time is 5 % longer (one process each)."""
    return min(head[0]) > 1.05 * min(base[0])


def pytest_benchmark_mean(base: Launches, head: Launches) -> bool:
    """pytest-benchmark --benchmark-compare-fail=mean:10%."""
    return bool(np.mean(head[0]) > 1.10 * np.mean(base[0]))


def github_action_benchmark(base: Launches, head: Launches) -> bool:
    """github-action-benchmark: the mean is twice as long (its default, 200 %)."""
    return bool(np.mean(np.concatenate(head)) > 2.0 * np.mean(np.concatenate(base)))


RULES: dict[str, Callable[[Launches, Launches], bool]] = {
    "pyperf: t-test, p < 0.05": pyperf,
    "asv: Mann-Whitney p < 0.002 and > 1.1": asv,
    "google/benchmark: Mann-Whitney p < 0.05": google_benchmark,
    "pytest-benchmark: min:5%": pytest_benchmark,
    "pytest-benchmark: mean:10%": pytest_benchmark_mean,
    "github-action-benchmark: 200 %": github_action_benchmark,
}


def one_after_the_other(found: dict) -> tuple[Launches, Launches]:
    """The base of the first half of the launches, the head of the second half."""
    half = len(found["turns"]) // 2
    return [launch["a"] for launch in found["turns"][:half]], [launch["b"] for launch in found["turns"][half:]]


# --- the table -------------------------------------------------------------------------------------------------------


def table(out: Path) -> str:
    """Rates by injected change, of our rule and of others."""
    by_change: dict[int, list[dict]] = defaultdict(list)
    for found in read(out):
        by_change[found["change"]].append(found)
    ours, others = [], []
    for change, found in sorted(by_change.items()):
        n = len(found)
        verdicts = Counter(verdict_today(one) for one in found)
        fails = verdicts["fail"]
        bound = f"at most {at_most(fails, n):.2%}" if change == 0 else f"at least {at_least(fails, n):.1%}"
        faster = sum(one["faster"] for one in found)
        seconds = np.array([one["seconds"] for one in found])
        cells = [f"+{change} %", n, f"{fails} ({bound})", verdicts["minor"], verdicts["pass"], faster]
        cells += [verdicts["inconclusive"], f"{np.median(seconds):.0f}", f"{np.quantile(seconds, 0.9):.0f}"]
        ours.append(cells)
        for name, rule in RULES.items():
            slower = sum(rule(*one_after_the_other(one)) for one in found)
            range_ = f"{at_least(slower, n, 0.975):.0%} to {at_most(slower, n, 0.975):.0%}"
            others.append([name, f"+{change} %", n, f"{slower} ({slower / n:.0%}; {range_})"])
    head = ["change", "decisions", "FAIL (95 %)", "MINOR", "PASS", "of them faster"]
    head += ["INCONCLUSIVE", "median s", "90 % within s"]
    others.sort(key=lambda row: list(RULES).index(row[0]))
    lines = [
        "# Decisions of `harness ab` on real launches",
        "",
        f"{sum(map(len, by_change.values()))} decisions; margin 5 %,",
    ]
    lines += [
        f"one thread; other programs took {loads(by_change)} of the cores. `python benchmarks/gate_calibration.py`",
        "",
    ]
    lines += [*markdown(head, ours), "", "## Rules of others, on the same launches", ""]
    lines += markdown(["rule", "change", "comparisons", "called slower (exact 95 % interval)"], others)
    return "\n".join(lines) + "\n"


def verdict_today(found: dict) -> str:
    """The verdict by today's rule on the launches that were kept: what an earlier one took for a machine that can't see
    the margin may be a pass. Whether launches were enough, and whether a FAIL stands, was decided while they went."""
    if found["verdict"] != "inconclusive" or not found["reasons"][0].startswith("this machine can't see"):
        return str(found["verdict"])
    d, beside, rule = np.array(found["differences"]), found["identical_differences"], Rule(margin=0.05)
    deviation = np.std([*(d - np.median(d)), *beside], ddof=1)
    is_blind = Z_SEEN * deviation / np.sqrt(Limits().launches) > rule.log_margin
    return "inconclusive" if is_blind else decide(d, rule).value


def loads(by_change: dict[int, list[dict]]) -> str:
    """The range of what others took, over decisions."""
    shares = [one["others_share"] for found in by_change.values() for one in found if one["others_share"] is not None]
    return f"{min(shares):.0%} to {max(shares):.0%}" if shares else "an unknown part"


def markdown(head: list[str], rows: list[list]) -> list[str]:
    """A table's lines."""
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows),
    ]


def main() -> None:
    """Measure, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("--same", type=int, default=300, help="decisions on identical code")
    measuring.add_argument("--slower", type=int, default=60, help="decisions on each slowdown")
    measuring.add_argument("--hours", type=float, default=8.0, help="when to stop; the next call goes on")
    measuring.add_argument(
        "--clock", choices=("wall", "cpu"), help="as the command's; chosen by what runs if not given"
    )
    measuring.add_argument("--out", type=Path, default=OUT)
    printing = commands.add_parser("table")
    printing.add_argument("out", type=Path, nargs="?", default=OUT)
    asked = parser.parse_args()
    if asked.command == "measure":
        measure(asked.out, asked.same, asked.slower, asked.hours, asked.clock)
    found = table(asked.out)
    asked.out.with_suffix(".md").write_text(found, encoding="utf-8")
    print(found)


if __name__ == "__main__":
    main()
