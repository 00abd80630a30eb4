"""A gate's result in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.gate.judgment import GateResult
from harness.gate.written.tables import last_line, tables, told_below

if TYPE_CHECKING:
    from rich.console import Console


def print_gate(result: GateResult, console: Console) -> None:
    """All of it, the verdict last."""
    from harness.report.tables import print_table

    for table in tables(result):
        print_table(table, console)
    for title, lines in told_below(result):
        console.print(f"\n{title}")
        for line in lines:
            console.print(f"  {line}")
    console.print(f"\n{last_line(result)}")
