"""`ab`: two arms measured in lockstep until it is decided which is slower; the whole comparison as one function."""

from __future__ import annotations

import datetime
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import kept_file, strict_json
from harness.errors import UserError
from harness.gate import ledger
from harness.gate.arm import Arm, ArmChoice, check
from harness.gate.arm_process import QUIET_WAITS, ArmProcess, Worker, environment_of
from harness.gate.environment import prepare
from harness.gate.launch import Clock, Draw, Patience, Side
from harness.gate.lockstep import Limits, Lockstep, Measured, Observation
from harness.gate.outcome import Outcome, judge
from harness.gate.same_code import what_differs
from harness.results.fingerprint import fingerprint
from harness.statistics.speed_decision import Rule
from harness.threads import default_threads

LAUNCHES = "launches.jsonl"
VERDICT = "verdict.json"
COMPARISONS = Path("results/ab")


@dataclass(frozen=True)
class Comparison:
    """Two arms, what was measured of them, and the verdict."""

    folder: Path
    """Holds every turn of every launch, what the arms printed, and the verdict."""
    arms: dict[Side, Arm]
    rule: Rule
    clock: Clock
    """What was judged."""
    threads: int
    tolerance: float | None
    same_arms: bool
    measured: Measured
    outcome: Outcome
    differs: tuple[str, ...]
    """What is not the same in both arms: settings, Python, packages."""
    realized: ledger.Realized
    """What this rule made of launches of identical code on this machine class, these included."""
    machine: str
    """The machine class."""
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The verdict and what it rests on, as plain data."""
        outcome = self.outcome
        return {
            "verdict": outcome.verdict.value,
            "exit_code": int(outcome.verdict.exit_code),
            "reasons": list(outcome.reasons),
            "faster": outcome.faster,
            "margin": self.rule.margin,
            "fail_alpha": self.rule.fail_alpha,
            "pass_alpha": self.rule.pass_alpha,
            "clock": self.clock,
            "wall_ratio": None if outcome.wall_ratio is None else outcome.wall_ratio._asdict(),
            "cpu_ratio": None if outcome.cpu_ratio is None else outcome.cpu_ratio._asdict(),
            "smallest_seen": outcome.seen,
            "launches": outcome.launches,
            "fresh_launches": outcome.fresh,
            "differences": self.measured.differences,
            "fresh_differences": self.measured.fresh_differences,
            "outputs": {**asdict(outcome.outputs), "tolerance": self.tolerance},
            "identical_code": {
                "launches": outcome.beside,
                "differences": self.measured.beside_differences,
                "scatter": outcome.scatter,
                "decisions": self.realized.decisions,
                "alarms": self.realized.alarms,
                "alarms_at_most": self.realized.at_most,
            },
            "arms": {side: {"text": str(arm), "built": arm.built, **arm.settings} for side, arm in self.arms.items()},
            "differs": list(self.differs),
            "code": self.measured.first[0].launch.code if self.measured.first else {},
            "threads": self.threads,
            "waits": QUIET_WAITS,
            "others_share": outcome.others,
            "machine_class": self.machine,
            "seconds": round(self.seconds, 1),
            "folder": str(self.folder),
        }


Listener = Callable[[str | Observation | Comparison], None]
"""Is told sentences, launches that ended, and the comparison that Ctrl-C ended."""


def ab(
    a: ArmChoice,
    b: ArmChoice,
    shared: ArmChoice | None = None,
    *,
    rule: Rule | None = None,
    limits: Limits | None = None,
    clock: Clock | None = None,
    threads: int | None = None,
    tolerance: float | None = None,
    same_arms: bool = False,
    out: Path = COMPARISONS,
    seed: int | None = None,
    patience: Patience | None = None,
    tell: Listener = lambda said: None,
) -> Comparison:
    """Compare the speed of two arms, and what they return.

    shared: the call or command of an arm that names none (else it runs what the other one does). clock: what is judged
    (None: CPU time where both arms only compute, on one thread, else time). same_arms: compare `a` with itself (A/A).
    tolerance: by what share of its size a returned number may differ. What is measured is written below `out` as it
    comes; nothing is cached. Raises UserError; before a KeyboardInterrupt goes on, `tell` gets the comparison as far as
    it went.
    """
    rule, limits = rule or Rule(), limits or Limits()
    threads = default_threads() if threads is None else threads
    if threads < 1:
        raise UserError("at least one thread is needed", place="--threads")
    chosen: dict[Side, ArmChoice] = {"a": a, "b": a if same_arms else b}
    chosen = {side: choice.with_defaults(shared or ArmChoice()) for side, choice in chosen.items()}
    chosen = {"a": chosen["a"].with_defaults(chosen["b"]), "b": chosen["b"].with_defaults(chosen["a"])}
    for side, choice in chosen.items():
        check(choice, f"arm {side}")
        if not (choice.call or choice.command):
            raise UserError("it runs nothing: name a function (module:function) or a command", place=f"arm {side}")
    arms = {side: prepare(choice, side, tell) for side, choice in chosen.items()}
    asked = _Asked(
        arms, rule, limits, tolerance, threads, same_arms, _new_folder(out), datetime.datetime.now(datetime.UTC)
    )
    seed = secrets.randbits(32) if seed is None else seed
    record = _Record(asked.folder / LAUNCHES)
    record(_first_line(asked, seed, clock))

    def start(side: Side, arm: Arm, drawn: Draw) -> Worker:
        return ArmProcess(side, arm, environment_of(arm, threads, drawn.layout(side)), asked.folder / f"{side}.log")

    lockstep = Lockstep(
        arms,
        rule,
        limits,
        clock=clock,
        start=start,
        record=record,
        tell=tell,
        seed=seed,
        search=str(Path.cwd()),
        same_arms=same_arms,
        patience=patience,
    )
    try:
        lockstep.measure()
    except KeyboardInterrupt:
        tell(_concluded(asked, lockstep, interrupted=True))
        raise
    except UserError as error:
        record({"kind": "failed", "sentence": str(error)})
        if lockstep.measured.first:
            error = type(error)(f"{error.message}\n(the launches before it are in {asked.folder})", place=error.place)
            raise error from None
        raise
    return _concluded(asked, lockstep, interrupted=False)


@dataclass(frozen=True)
class _Asked:
    """What a comparison is asked to do, and where."""

    arms: dict[Side, Arm]
    rule: Rule
    limits: Limits
    tolerance: float | None
    threads: int
    same_arms: bool
    folder: Path
    began: datetime.datetime

    @property
    def time(self) -> str:
        """When it began."""
        return self.began.isoformat(timespec="seconds")


def _first_line(asked: _Asked, seed: int, clock: Clock | None) -> dict[str, Any]:
    """What is known before the first launch."""
    arms = {side: {"text": str(arm), **arm.settings, "python": arm.python} for side, arm in asked.arms.items()}
    return {
        "kind": "comparison",
        "time": asked.time,
        "seed": seed,
        "rule": asdict(asked.rule),
        "limits": asdict(asked.limits),
        "arms": arms,
        "clock": clock,
        "threads": asked.threads,
        "waits": QUIET_WAITS,
        "machine": fingerprint().model_dump(mode="json"),
    }


def _concluded(asked: _Asked, lockstep: Lockstep, interrupted: bool) -> Comparison:
    """The verdict on what was measured; it is kept, and the launches of identical code go into the ledger."""
    done, judged, machine = lockstep.measured, lockstep.clock or "wall", fingerprint().machine_class
    outcome = judge(done, asked.rule, asked.limits, asked.tolerance, interrupted)
    identical = [*done.differences, *done.fresh_differences] if asked.same_arms else done.beside_differences
    if identical:
        workload = asked.arms["a"].workload
        ledger.keep(
            ledger.Entry(asked.time, machine, workload, judged, asked.threads, tuple(identical), outcome.others)
        )
    made = Comparison(
        folder=asked.folder,
        arms=asked.arms,
        rule=asked.rule,
        clock=judged,
        threads=asked.threads,
        tolerance=asked.tolerance,
        same_arms=asked.same_arms,
        measured=done,
        outcome=outcome,
        differs=tuple(what_differs(done.first[0].launch, asked.arms)) if done.first else (),
        realized=ledger.realized(ledger.entries(machine), asked.rule, asked.limits.launches),
        machine=machine,
        seconds=(datetime.datetime.now(datetime.UTC) - asked.began).total_seconds(),
    )
    text = strict_json.dumps(made.as_json(), indent=2)
    kept_file.write_json(asked.folder / VERDICT, text + "\n", VERDICT)
    return made


def arm_of(function: Callable[..., Any], **more: Any) -> ArmChoice:
    """An arm that calls a function of an importable module. more: other fields of `ArmChoice`. Raises UserError."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module in (None, "__main__") or "<" in name:
        raise UserError(
            f"{name or function} can't be imported by another process: put it into a module, at its top level"
        )
    return replace(ArmChoice(call=f"{module}:{name}"), **more)


class _Record:
    """Appends lines; each is in the system's hands when the call returns, and on the disk at the end of a launch."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, line: dict[str, Any]) -> None:
        sealed = kept_file.seal(strict_json.dumps(line), LAUNCHES) + "\n"
        with self._path.open("ab", buffering=0) as file:
            file.write(sealed.encode())
            if line["kind"] != "turn":
                os.fsync(file.fileno())


def _new_folder(out: Path) -> Path:
    """A folder of its own below `out`. Raises UserError where none can be made."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    try:
        for number in range(1, 1000):
            folder = out / (stamp if number == 1 else f"{stamp}-{number}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                if folder.is_dir():
                    continue
                raise
            return folder
    except OSError as error:
        raise UserError(f"can't be written to ({error.strerror}); choose another --out", place=str(out)) from None
    raise UserError("no free name for a new folder", place=str(out))
