"""`harness ab` on simulated comparisons, with the drift that real launches had.

    python benchmarks/gate_simulation.py record [--launches 400] [--out FILE]
    python benchmarks/gate_simulation.py simulate [--same 1000] [--slower 300] [FILE]

`record` measures identical code in lockstep (the work of `gate_workloads.py`) and keeps every turn of every launch in
the order in which they were measured: what neighbors, caches and the clock of a real machine did to them, from one turn
and from one launch to the next.

`simulate` plays such launches again, a stretch of consecutive ones for each comparison: a turn takes what the turn at
its place in the real launch took, whichever arm has it, and the head's turns 0, 3, 5 or 10 % more. Everything else is
the command's own: the order that is drawn, the A/A case, the rule, the second measurement. So identical code is
identical exactly, and what is left is what the rule makes of drift: by CPU time, which is judged of what only computes,
and by the wall, which is judged of everything else. Rules of others get the same launches one arm after the other, by
the wall.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from gate_calibration import CHANGES, MILLISECONDS, RULES, markdown
from gate_workloads import KINDS

from harness.gate.arms.arm import Arm, ArmChoice
from harness.gate.lockstep.ab import ab
from harness.gate.lockstep.launch import Clock, Draw, Side
from harness.gate.lockstep.lockstep import Limits, Lockstep
from harness.gate.lockstep.outcome import judge
from harness.gate.lockstep.record import LAUNCHES
from harness.kept_file import unseal
from harness.statistics.exact_proportions import at_least, at_most
from harness.statistics.speed_decision import Rule
from harness.strict_json import loads

HERE = Path(__file__).resolve().parent
TURNS = HERE.parent / "results" / "gate_turns.parquet"


def record(out: Path, launches: int) -> None:
    """Measure identical code, and add its turns to a file, work after work, until each has its share."""
    wanted = -(-launches // (len(KINDS) * len(MILLISECONDS)))
    for milliseconds in MILLISECONDS:
        for kind in KINDS:
            known = pd.read_parquet(out) if out.exists() else pd.DataFrame({"work": [], "launch": []})
            work = f"{kind} {milliseconds} ms"
            have = known[known["work"] == work]["launch"].nunique()
            while have < wanted:
                count = min(24, wanted - have)
                found = recorded(kind, milliseconds, count).assign(work=work)
                found["launch"] += have
                known = pd.concat([known, found], ignore_index=True)
                known.to_parquet(out, compression="zstd")
                have += found["launch"].nunique()
                print(f"{work}: {have} of {wanted} launches", flush=True)


def recorded(kind: str, milliseconds: int, launches: int) -> pd.DataFrame:
    """The turns of so many launches of identical code: microseconds a call by both clocks."""
    arm = ArmChoice(call="gate_workloads:base", arguments={"kind": kind, "milliseconds": milliseconds}, path=str(HERE))
    with tempfile.TemporaryDirectory() as folder:
        # a margin that nothing decides, so that all launches are made
        made = ab(arm, margin=1e-9, launches=launches, minutes=60, threads=1, aa=True, out=Path(folder))
        lines = (made.folder / LAUNCHES).read_bytes().splitlines()
    told = [loads(unseal(line, LAUNCHES)) for line in lines]
    turns = [one for one in told if one["kind"] == "turn"]
    return pd.DataFrame(
        {
            "launch": [one["launch"] for one in turns],
            "turn": [4 * one["block"] + one["position"] for one in turns],
            "wall_us": np.float32([one["wall_ns"] / one["repeats"] / 1e3 for one in turns]),
            "cpu_us": np.float32([one["cpu_ns"] / one["repeats"] / 1e3 for one in turns]),
            "time": [one["time"] for one in turns],
        }
    )


# --- playing them again ----------------------------------------------------------------------------------------------

CLOCKS: dict[Clock, str] = {"cpu": "CPU time", "wall": "time"}
Series = list[np.ndarray]
"""Microseconds of each turn, by launch, in the order in which they were measured."""


class Played:
    """Arms whose turns take what a real launch's took."""

    def __init__(self, series: Series, start: int, change: float) -> None:
        self.series, self.at, self.change = series, start - 1, change
        self.turn = 0
        self.seconds = 0.0

    def start(self, side: Side, arm: Arm, drawn: Draw) -> PlayedWorker:
        """The worker of an arm; the first of a launch begins the next real one."""
        if side == drawn.first:
            self.at, self.turn = self.at + 1, 0
        return PlayedWorker(self, 1 + self.change if arm.choice.call == "head" else 1.0)

    @property
    def launch(self) -> np.ndarray:
        """The real launch that is played now."""
        return self.series[self.at % len(self.series)]


class PlayedWorker:
    """Answers as an arm's process does."""

    def __init__(self, played: Played, factor: float) -> None:
        self.played, self.factor = played, factor

    def ask(self, do: str, timeout: float, **request: Any) -> Any:
        """See `arm_process.Worker`."""
        played = self.played
        match do:
            case "open":
                return {"python": "", "built": "", "executable": "", "torch_threads": None}
            case "warm":
                blocks = len(played.launch) // 4
                ns = 1e9 / (4 * blocks)  # so that the pace has as many blocks as the real launch
                output = {"why_not": "", "shape": "", "sha256": "", "count": 0}
                return {"ns": ns, "computes": True, "output": output}
            case "turn":
                real = played.launch[played.turn % len(played.launch)]
                played.turn += 1
                played.seconds += real / 1e6
                ns = int(1e3 * real * self.factor)
                return {"wall_ns": ns, "cpu_ns": ns, "time": played.seconds}
            case "code":
                return {self.factor: {"file": "", "files": 1, "sha256": str(self.factor)}}
            case "states":
                return {}
            case "used":
                return 0.0
            case _:
                return None

    def hang_up(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def decided(series: Series, clock: Clock, start: int, change: float, seed: int) -> tuple[str, bool, int]:
    """Verdict, whether it is called faster, and how many launches it took, of a comparison from a launch on."""
    played = Played(series, start, change)
    arms: dict[Side, Arm] = {
        "a": Arm(ArmChoice(call="base"), ""),
        "b": Arm(ArmChoice(call="head"), ""),
    }
    rule, limits = Rule(margin=0.05), Limits()
    lockstep = Lockstep(
        arms,
        rule,
        limits,
        clock=clock,
        start=played.start,
        record=lambda line: None,
        tell=lambda one: None,
        seed=seed,
        search="",
        now=lambda: played.seconds,
    )
    lockstep.measure()
    outcome = judge(lockstep.measured, rule, limits)
    return outcome.verdict.value, outcome.faster, outcome.launches + outcome.fresh + outcome.beside


def of_others(series: Series, start: int, change: float, launches: int) -> dict[str, int]:
    """What rules of others say of the same launches, the base's first and then the head's."""
    real = [series[(start + number) % len(series)] / 1e3 for number in range(launches)]
    half = launches // 2
    base = [[float(one) for one in launch[:12]] for launch in real[:half]]
    head = [[float(one) * (1 + change) for one in launch[:12]] for launch in real[half : 2 * half]]
    return {name: int(rule(base, head)) for name, rule in RULES.items()}


def simulate(out: Path, same: int, slower: int) -> str:
    """The table of all changes."""
    turns = pd.read_parquet(out).sort_values(["launch", "turn"])
    clocks: tuple[Clock, Clock] = "cpu", "wall"
    works: dict[Clock, dict[str, Series]] = {clock: {} for clock in clocks}
    for clock in clocks:
        for work, of_work in turns.groupby("work"):
            launches = of_work.groupby("launch")[f"{clock}_us"]
            works[clock][str(work)] = [part.to_numpy(dtype=float) for _, part in launches]
    names = sorted(works["cpu"])
    generator = np.random.default_rng(0)
    ours, others = [], []
    for change in CHANGES:
        comparisons = slower if change else same
        drawn = [
            (names[number % len(names)], int(generator.integers(1 << 31)), int(generator.integers(1 << 31)))
            for number in range(comparisons)
        ]
        called: Counter[str] = Counter()
        for clock in clocks:
            verdicts: Counter[str] = Counter()
            faster, spent = 0, []
            for name, start, seed in drawn:
                verdict, is_faster, launches = decided(works[clock][name], clock, start, change / 100, seed)
                verdicts[verdict] += 1
                faster += is_faster
                spent.append(launches)
                if clock == "cpu":
                    called.update(of_others(works["wall"][name], start, change / 100, launches))
            fails = verdicts["fail"]
            bound = at_most(fails, comparisons) if change == 0 else at_least(fails, comparisons)
            said = f"{fails} ({'at most' if change == 0 else 'at least'} {bound:.2%})"
            cells = [f"+{change} %", CLOCKS[clock], comparisons, said, verdicts["minor"], verdicts["pass"], faster]
            ours.append([*cells, verdicts["inconclusive"], f"{np.median(spent):.0f}"])
        for name in RULES:
            count = called[name]
            range_ = f"{at_least(count, comparisons, 0.975):.1%} to {at_most(count, comparisons, 0.975):.1%}"
            others.append([name, f"+{change} %", comparisons, f"{count} ({count / comparisons:.1%}; {range_})"])
    others.sort(key=lambda row: list(RULES).index(row[0]))
    total = turns.groupby("work")["launch"].nunique().sum()
    head = ["change", "judged", "comparisons", "FAIL (95 %)", "MINOR", "PASS", "of them faster", "INCONCLUSIVE"]
    made = f"{2 * (same + (len(CHANGES) - 1) * slower):,} comparisons on {total} real launches of identical code"
    linked, scattered = [correlation(works[clock]) for clock in clocks], [scatter(works[clock]) for clock in clocks]
    lines = [
        "# Simulated comparisons with the drift of real launches",
        "",
        f"{made}, of {len(names)} kinds of work; margin 5 %.",
        f"The levels of neighboring launches correlate by {linked[0]:+.2f} (CPU time) and {linked[1]:+.2f} (time), and",
        f"scatter by {scattered[0]:.1%} and {scattered[1]:.1%}.",
        "`python benchmarks/gate_simulation.py simulate`",
        "",
        *markdown([*head, "median launches"], ours),
        "",
        "## Rules of others, on the same launches",
        "",
        *markdown(["rule", "change", "comparisons", "called slower (exact 95 % interval)"], others),
    ]
    return "\n".join(lines) + "\n"


def levels(works: dict[str, Series]) -> list[np.ndarray]:
    """Of each work the logarithms of its launches' medians, less their mean."""
    found = [np.log([np.median(launch) for launch in series]) for series in works.values()]
    return [level - level.mean() for level in found]


def correlation(works: dict[str, Series]) -> float:
    """Of neighboring launches' levels, within each work."""
    found = levels(works)
    before, after = np.concatenate([one[:-1] for one in found]), np.concatenate([one[1:] for one in found])
    return float(np.corrcoef(before, after)[0, 1])


def scatter(works: dict[str, Series]) -> float:
    """Standard deviation of launches' levels, within each work."""
    return float(np.concatenate(levels(works)).std())


def main() -> None:
    """Record, or simulate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record")
    recording.add_argument("--launches", type=int, default=400)
    recording.add_argument("--out", type=Path, default=TURNS)
    simulating = commands.add_parser("simulate")
    simulating.add_argument("--same", type=int, default=1000, help="comparisons of identical code")
    simulating.add_argument("--slower", type=int, default=300, help="comparisons of each slowdown")
    simulating.add_argument("out", type=Path, nargs="?", default=TURNS)
    asked = parser.parse_args()
    if asked.command == "record":
        record(asked.out, asked.launches)
        return
    began = time.monotonic()
    found = simulate(asked.out, asked.same, asked.slower)
    asked.out.with_name("gate_simulation.md").write_text(found, encoding="utf-8")
    print(f"{found}\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
