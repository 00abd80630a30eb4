"""Arms without processes: a clock that the test moves, and calls that take as long as a script says."""

from __future__ import annotations

import base64
import hashlib
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.gate.arms.arm import Arm, ArmChoice
from harness.gate.arms.arm_process import ArmFailed
from harness.gate.lockstep.launch import Draw, Side

Cost = Callable[[str, int, np.random.Generator], float]
"""Nanoseconds of a call: of which function, in which launch, with which randomness."""


class World:
    """Time in which scripted arms live."""

    def __init__(self, cost: Cost, seed: int = 0) -> None:
        self.seconds = 0.0
        self.cost = cost
        self.generator = np.random.default_rng(seed)
        self.launches = 0
        self.log: list[tuple[str, ...]] = []
        self.fails: dict[int, str] = {}
        """In which launch b fails, and with what."""
        self.returns: dict[str, list[float] | None] = {}
        self.code: dict[str, str] = {}
        self.edited_in: int | None = None
        self.interrupt_in: int | None = None
        self.second = 1.0
        """What a turn costs more where the other arm had the one before it."""
        self.last = self.side = ""
        self.computes = True

    def now(self) -> float:
        return self.seconds

    def start(self, side: Side, arm: Arm, drawn: Draw) -> ScriptedWorker:
        self.launches = sum(entry[0] == "start" for entry in self.log) // 2 + 1
        self.log.append(("start", str(self.launches), side, drawn.order))
        return ScriptedWorker(self, side, arm, self.launches)


class ScriptedWorker:
    """Answers as `arm_worker.py` does."""

    def __init__(self, world: World, side: Side, arm: Arm, number: int) -> None:
        self.world, self.side, self.arm, self.number = world, side, arm, number
        self.returned = array("d")

    def ask(self, do: str, timeout: float, **request: Any) -> Any:
        world = self.world
        world.log.append((do, str(self.number), self.side))
        if do == "turn" and world.fails.get(self.number) and self.side == "b":
            raise ArmFailed(world.fails[self.number], place="arm b")
        if do == "turn" and world.interrupt_in == self.number:
            raise KeyboardInterrupt
        return getattr(self, do)(request)

    def open(self, request: dict[str, Any]) -> dict[str, Any]:
        world = self.world
        world.seconds += 0.5
        return {"python": "3.11", "built": "3.11", "executable": self.arm.python, "torch_threads": None}

    def warm(self, request: dict[str, Any]) -> dict[str, Any]:
        returned = self.world.returns.get(self.arm.workload, [1.0])
        self.returned = array("d", returned or ())
        digest = hashlib.sha256(self.returned.tobytes()).hexdigest()
        output = {
            "why_not": "" if returned else "it returns nothing",
            "shape": str(len(self.returned)),
            "sha256": digest,
            "count": len(self.returned),
            "length": len(self.returned),
        }
        return {"ns": self._cost(), "computes": self.world.computes, "output": output}

    def turn(self, request: dict[str, Any]) -> dict[str, Any]:
        world = self.world
        wall = self._cost() * request["repeats"] * (world.second if world.last not in ("", self.side) else 1.0)
        world.last = self.side
        world.seconds += wall / 1e9
        return {"wall_ns": int(wall), "cpu_ns": int(wall), "time": world.seconds}

    def numbers(self, request: dict[str, Any]) -> str:
        part = self.returned[request["start"] : request["start"] + request["count"]]
        return base64.b64encode(part.tobytes()).decode()

    def code(self, request: dict[str, Any]) -> dict[str, Any]:
        digest = self.world.code.get(self.side, "same")
        return {"kernels": {"file": "/there/kernels.py", "files": 1, "sha256": digest}}

    def states(self, request: dict[str, Any]) -> dict[str, str]:
        edited = self.world.edited_in is not None and self.number >= self.world.edited_in
        return {"/there/kernels.py": "edited" if edited else "as it was"}

    def pin(self, request: dict[str, Any]) -> int:
        return int(request["share"] * 2)

    def used(self, request: dict[str, Any]) -> float:
        return self.world.seconds / 2

    def hang_up(self) -> None:
        self.world.log.append(("hang_up", str(self.number), self.side))

    def close(self) -> None:
        self.world.log.append(("close", str(self.number), self.side))

    def _cost(self) -> float:
        self.world.side = self.side
        return self.world.cost(self.arm.workload, self.number, self.world.generator)


@pytest.fixture
def arm() -> Callable[[str], Arm]:
    """An arm that calls this."""
    return lambda call: Arm(ArmChoice(call=call), "/usr/bin/python3")


@pytest.fixture
def world() -> type[World]:
    return World


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
