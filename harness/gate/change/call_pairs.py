"""What a suite's `calls:` come to in lockstep: a function of the project as it was, and as it is."""

from __future__ import annotations

import sys

from harness.gate.arms.arm import Arm, ArmChoice
from harness.gate.change.project import State
from harness.gate.lockstep.launch import Side
from harness.suite.schema.call_entry import CallEntry


def arms_of_call(entry: CallEntry, states: dict[Side, State]) -> dict[Side, Arm]:
    """Both arms of a call. What the project has not in its package, such as a file of benchmarks beside it, is found in
    the working folder by both."""
    choice = ArmChoice(call=entry.call, setup=entry.setup or "", arguments=entry.arguments)
    return {
        side: Arm(choice, sys.executable, paths=(str(state.path),), built=state.commit, environment=state.name)
        for side, state in states.items()
    }
