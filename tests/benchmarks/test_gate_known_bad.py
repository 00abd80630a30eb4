"""The defects that are planted: each of their texts is in this checkout once, and what comes of it is code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.known_bad.planted import KNOWN_BAD, ROOT


@pytest.mark.parametrize("name", sorted(KNOWN_BAD.DEFECTS))
def test_every_defect_can_be_planted(name: str, tmp_path: Path) -> None:
    defect = KNOWN_BAD.DEFECTS[name]
    assert defect.expected in ("fail", "pass")
    for file in {edit.file for edit in defect.edits}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    KNOWN_BAD.plant(defect, tmp_path)
    for file in {edit.file for edit in defect.edits}:
        text = (tmp_path / file).read_text()
        assert text != (ROOT / file).read_text()
        if file.endswith(".py"):
            compile(text, file, "exec")
    with pytest.raises(ValueError, match="not once"):
        KNOWN_BAD.plant(defect, tmp_path)


def test_the_file_goes_on_after_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "found.jsonl"
    row = '{"defect": "stop-token", "expected": "fail", "verdict": "fail", "what": ["probe_loss (m fp32)"], '
    file.write_text(row + '"seconds": 61.4, "load": 0.5, "cores": 2}\n{"defect": "ext')
    (found,) = KNOWN_BAD.read(file)
    assert file.read_text().endswith("2}\n")
    assert "| FAIL | FAIL | probe_loss (m fp32) | 61 | 0.5 on 2 cores |" in KNOWN_BAD.table([found])
