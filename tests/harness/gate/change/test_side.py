from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.gate.change.project import State
from harness.gate.change.side import measured
from harness.suite.load import load_suite


def test_a_state_whose_run_hangs_is_ended(tmp_path: Path) -> None:
    (tmp_path / "code/harness").mkdir(parents=True)
    (tmp_path / "code/harness/__main__.py").write_text("import time\ntime.sleep(60)\n")
    state = State("HEAD", "abc", False, tmp_path / "code", tmp_path)
    with pytest.raises(UserError, match=r"HEAD: its run was ended after 1 s; see said\.log"):
        measured(state, load_suite("quickstart").suite, tmp_path / "run", [], lambda said: None, limit=1.0)
    assert (tmp_path / "run/said.log").is_file()
