"""Where and how a run was made: the machine, the software, the state it was in, and what to distrust because of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from harness.measures.noise import is_timed
from harness.measures.other_tools import OTHER_TOOLS
from harness.number import duration, plain, with_interval
from harness.results.conditions import QUIET, others_share
from harness.results.record import Status
from harness.results.run import Run


def summary(run: Run) -> str:
    """One line: processor, cores, memory, versions, how long it took and how it ended."""
    manifest = run.manifest
    machine = manifest.fingerprint
    parts = [str(machine.get("cpu_model", ""))]
    if "cores_allowed" in machine:
        parts.append(f"{machine['cores_allowed']} cores")
    if _is_rate(memory := machine.get("memory_bytes")):
        parts.append(with_interval(memory, None, None, "bytes"))
    gpus, packages = machine.get("gpus"), machine.get("packages")
    parts += [str(gpu.get("name", "")) for gpu in gpus if isinstance(gpu, dict)] if isinstance(gpus, list) else []
    versions = {"python": machine.get("python")} | (packages if isinstance(packages, dict) else {})
    parts += [f"{name} {versions[name]}" for name in ("python", "torch", "transformers") if versions.get(name)]
    if manifest.seconds is not None:
        parts.append(f"{run.status} after {duration(manifest.seconds)}")
    else:
        parts.append(run.status)
    return ", ".join(part for part in parts if part)


def warnings(run: Run) -> list[str]:
    """What a reader must know before believing the numbers."""
    found = []
    manifest = run.manifest
    ended = {cell.planned_key for cell in run.cells}
    left = sum(key not in ended for key in manifest.expected)
    if (status := run.status) == "stopped":
        whole = f"{len(manifest.expected) - left} of {len(manifest.expected)} cells"
        found.append(f"the run stopped at {whole}: its process is gone; go on with `{manifest.goes_on(run.folder)}`")
    elif status != "finished":
        missing = f", {left} of {len(manifest.expected)} cells are missing" if left else ""
        found.append(f"the run is {status}{missing}; `{manifest.goes_on(run.folder)}` goes on")
    found += manifest.problems
    found += run.damage
    if run.unchecked:
        found.append("an earlier version wrote this run, without checksums: its numbers are unchecked")
    if run.cells and all(cell.status is Status.SKIPPED for cell in run.cells):
        found.append("nothing was measured: every cell was skipped")
    shares = list(_others(run))
    busy = [share for share in shares if share > QUIET]
    if busy:
        found.append(
            f"the machine was busy: other programs took up to {max(busy):.0%} of its cores in {len(busy)} of "
            f"{len(shares)} launches that measured speed: their numbers are not kept for later runs"
        )
    earlier = sorted(cell.measured for cell in run.cells if cell.source == "cache" and cell.measured and is_timed(cell))
    if earlier:
        days = " to ".join(dict.fromkeys((earlier[0][:10], earlier[-1][:10])))
        found.append(f"{len(earlier)} speed cells are known from earlier runs and were measured {days}, not now")
    timed = any(cell.measure in OTHER_TOOLS for cell in run.cells)
    if manifest.imported and not manifest.fingerprint and timed:
        found.append(
            "the imported files do not say on what machine they were made: their times and memory compare with those "
            "of no other run"
        )
    if manifest.git.get("dirty"):
        found.append("the working folder had uncommitted changes")
    return found


def peaks(run: Run) -> list[str]:
    """The machine's measured peaks, by device and thread count."""
    lines = []
    for where, peak in run.manifest.peaks.items():
        flops = peak.get("flops") if isinstance(peak, dict) else None
        if not isinstance(flops, dict):
            continue
        parts = [f"{kind} {rate / 1e9:,.0f} GFLOP/s" for kind, rate in flops.items() if _is_rate(rate)]
        if _is_rate(peak.get("bandwidth")):
            parts.append(f"memory {peak['bandwidth'] / 1e9:,.1f} GB/s")
        lines.append(f"{where} threads: " + ", ".join(parts))
    return lines


def _is_rate(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and 0 < value < float("inf")


def machine(run: Run) -> list[tuple[str, str]]:
    """Every field of the fingerprint, flat."""
    return list(_flat(run.manifest.fingerprint))


def _others(run: Run) -> Iterator[float]:
    """Part of the cores' time that went to others, per launch of a cell that measures time.

    Of cached cells too: their numbers are those of that time, and so are the conditions that come with them.
    """
    cores = run.manifest.fingerprint.get("cores") or 1
    for cell in run.cells:
        if not is_timed(cell):
            continue
        launches = cell.conditions.get("launches")
        for launch in launches if isinstance(launches, list) else ():
            with contextlib.suppress(AttributeError, TypeError):  # of an earlier version, and not what it wrote
                share = others_share(launch.get("before", {}), launch.get("after", {}), cores)
                if share is not None:
                    yield share


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping):
            yield from _flat(item, f"{name}.")
        elif isinstance(item, list):
            for number, part in enumerate(item):
                yield from _flat({str(number): part}, f"{name}.")
        elif isinstance(item, float):
            yield name, plain(item)
        else:
            yield name, str(item)
