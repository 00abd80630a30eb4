"""Pictures are drawn in one process beside ours, and what goes wrong in it is one sentence."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.report import vl_convert_process
from harness.report.picture import write_pictures
from harness.report.vl_convert_process import Call, vl_convert

SPEC: dict[str, Any] = {
    "data": {"values": [{"x": 1, "y": 2}, {"x": 2, "y": 3}]},
    "mark": "point",
    "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}},
}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The processes that were started."""
    run, found = subprocess.run, []

    def counted(*arguments: Any, **named: Any) -> Any:
        found.append(arguments)
        return run(*arguments, **named)

    monkeypatch.setattr(vl_convert_process.subprocess, "run", counted)
    return found


def test_all_pictures_of_a_command_are_drawn_in_one_process(tmp_path: Path, started: list[Any]) -> None:
    bars = SPEC | {"mark": "bar"}
    files = {tmp_path / "a.svg": SPEC, tmp_path / "a.png": SPEC, tmp_path / "b.svg": bars}
    write_pictures(files)
    assert len(started) == 1
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    drawn = [(tmp_path / name).read_text() for name in ("a.svg", "b.svg")]
    assert all(text.startswith("<svg") and text.rstrip().endswith("</svg>") for text in drawn)
    assert "mark-symbol" in drawn[0] and "mark-rect" in drawn[1]


def test_nothing_to_draw_starts_no_process(started: list[Any]) -> None:
    assert vl_convert() == [] and started == []


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.svg": SPEC, "b.svg": {"mark": "nonsense"}}, "vl-convert, which draws the charts, failed"),
        ({"a.svg": SPEC, "b.gif": SPEC}, "b.gif: a picture is a .png or an .svg file"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(files: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        write_pictures({tmp_path / name: spec for name, spec in files.items()})
    assert "\n" not in str(caught.value)


def test_no_process_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vl_convert_process.sys, "executable", "/nowhere/python")
    with pytest.raises(UserError, match="can't be started"):
        vl_convert(Call("vegalite_to_svg", (SPEC,)))
