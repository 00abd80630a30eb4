"""The files that a command was asked to write its verdict to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import strict_json
from harness.gate.judgment import GateResult
from harness.gate.written.junit import junit_of
from harness.gate.written.markdown import markdown_of
from harness.gate.written.plain_data import as_json
from harness.gate.written.sarif import sarif_of
from harness.whole_file import write_whole


@dataclass(frozen=True)
class Files:
    """Each where it was asked for."""

    json: Path | None = None
    markdown: Path | None = None
    junit: Path | None = None
    sarif: Path | None = None

    def write(
        self,
        result: GateResult,
        *,
        seconds: float | None = None,
        interrupted: bool = False,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Write them. seconds, interrupted: of what was measured for it. about: what `json_of` takes. Raises UserError
        or OSError."""
        if self.json is not None:
            write_whole(self.json, json_of(result, seconds=seconds, interrupted=interrupted, about=about))
        if self.markdown is not None:
            write_whole(self.markdown, markdown_of(result))
        if self.junit is not None:
            write_whole(self.junit, junit_of(result, seconds=seconds or 0.0))
        if self.sarif is not None:
            write_whole(self.sarif, sarif_of(result))


def json_of(
    result: GateResult,
    *,
    seconds: float | None = None,
    interrupted: bool = False,
    about: Mapping[str, Any] | None = None,
) -> str:
    """The text of `--json`, and of a change's `verdict.json`. about: of which commits, suite and machine it is."""
    told = as_json(result)
    if seconds is not None:
        told |= {"seconds": round(seconds, 1), "interrupted": interrupted}
    told |= about or {}
    return strict_json.dumps(told, indent=2) + "\n"
