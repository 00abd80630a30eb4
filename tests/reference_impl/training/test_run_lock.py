"""A training is done by one process at a time, and nobody's who died."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reference_impl.training.run_lock import UnderWay, alone

HOLDS = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from reference_impl.training.run_lock import alone\n"
    "with alone(Path(sys.argv[1])):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(100)\n"
)


def test_a_second_process_is_refused_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    state = tmp_path / "out" / "model.state"
    other = subprocess.Popen([sys.executable, "-c", HOLDS, str(state)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with (
            pytest.raises(UnderWay, match=r"another process does this training now and keeps its state in .*model\.st"),
            alone(state),
        ):
            pass
        with alone(state.with_name("another")):
            pass
    finally:
        other.kill()
        other.communicate()
    with alone(state):
        pass
    assert not list(state.parent.iterdir()), "nothing is left"


def test_a_training_that_keeps_no_state_holds_nothing() -> None:
    with alone(None), alone(None):
        pass
