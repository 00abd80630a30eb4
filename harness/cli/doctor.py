"""`harness doctor`: what this machine is, what it can do, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import make_console

if TYPE_CHECKING:
    from harness import Examination
    from harness.report.table import Row


def doctor(
    measure: Annotated[bool, typer.Option(help="Measure the peaks if they are not known (a few seconds).")] = True,
) -> None:
    """Print the fingerprint, the measured peaks, the threads, and what is missing and how to install it.

    Exit code 2 where nothing can be kept in the cache folder: no suite can run then.
    """
    import harness
    from harness.errors import ExitCode
    from harness.report.table import Column, Row, Table
    from harness.report.tables import print_table

    console = make_console()
    found = harness.doctor(measure=measure)
    columns = (Column("what"), Column("found"))
    print_table(Table("This machine", columns, tuple(_machine(found))), console)
    threads = f"{found.threads} thread{'s' if found.threads > 1 else ''}"
    print_table(Table("What it can do", columns, tuple(_peaks(found)), threads), console)
    if found.missing:
        rows = tuple(Row((part.module, part.needed_for, part.install)) for part in found.missing)
        print_table(Table("Missing", (Column("library"), Column("needed for"), Column("install with")), rows), console)
    else:
        console.print("\nnothing is missing")
    console.print(f"compiled decode step: {found.kernel}", soft_wrap=True, highlight=False)
    if found.busy:
        console.print(f"warning: {found.busy}", style="yellow")
    if found.cache_problem:
        raise typer.Exit(ExitCode.USAGE)


def _machine(found: Examination) -> list[Row]:
    from harness.number import with_interval
    from harness.report.table import Row

    machine = found.fingerprint
    gpus = ", ".join(f"{gpu.name} ({gpu.memory_mib} MiB)" for gpu in machine.gpus) or "none"
    bf16 = "native" if machine.native_bf16 else "none in hardware: bf16 products of many rows are slow"
    versions = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return [
        Row(("cpu", f"{machine.cpu_model}, {machine.cores_allowed} of {machine.cores} cores may be used")),
        Row(("vector instructions", f"{machine.cpu_capability}; bf16: {bf16}")),
        Row(("memory", with_interval(machine.memory_bytes, None, None, "bytes"))),
        Row(("gpu", gpus)),
        Row(("system", f"{machine.system} {machine.kernel}, {machine.libc}, Python {machine.python}")),
        Row(("libraries", versions)),
        Row(("machine class", f"{machine.machine_class} (speeds are comparable within a class)")),
        Row(("with its software", f"{machine.class_id} (what is kept for later runs is of one)")),
        Row(("fences of foreign code", str(found.fences))),
        Row(("cache", found.cache_problem or str(found.cache))),
    ]


def _peaks(found: Examination) -> list[Row]:
    from harness.report.table import Row

    if found.peaks is None:
        reason = found.peaks_problem or "not measured yet: leave out --no-measure"
        return [Row(("peaks", reason))]
    rows = [Row((f"{name} matrix product", f"{rate / 1e9:,.1f} GFLOP/s")) for name, rate in found.peaks.flops.items()]
    return [*rows, Row(("memory bandwidth (triad)", f"{found.peaks.bandwidth / 1e9:,.1f} GB/s"))]
