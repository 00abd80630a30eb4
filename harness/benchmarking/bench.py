"""`harness.bench`: speed and memory of models, and ratios between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from harness.api.given_models import Models, given_models, several
from harness.api.results import Results
from harness.api.runs import run
from harness.benchmarking.ratios import LAUNCHES, Ratio, check_launches, frame, ratios, variants
from harness.execution.allowed import NOTHING_MORE, Allowed
from harness.execution.events import OnEvent, unheard
from harness.models.registry import ADAPTERS
from harness.shorthand.benchmarking import UNTRAINED, bench_suite, untrained
from harness.shorthand.written import save_suite as write_suite
from harness.workflow import RUNS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class BenchResults(Results):
    """The results of a run of speed and memory, with the ratios that were measured beside it."""

    compared: tuple[Ratio, ...] = ()

    @cached_property
    def ratios(self) -> pd.DataFrame:
        """A row for each model or precision, batch and metric: how much time it takes of what the first one takes, with
        an interval of 95 %, and why there is no ratio where there is none."""
        return frame(self.compared)


def bench(
    models: Models,
    *,
    precision: str | Sequence[str] = (),
    batch: int | Sequence[int] = 1,
    prompt: int = 512,
    new: int = 128,
    threads: int | None = None,
    launches: int = LAUNCHES,
    device: str = "auto",
    memory: bool = True,
    compare: bool = True,
    settings: Mapping[str, Any] | None = None,
    out: Path | str = RUNS,
    save_suite: Path | str | None = None,
    command: str = "",
    resume: bool = False,
    fresh: bool = False,
    cached: bool = True,
    allowed: Allowed = NOTHING_MORE,
    on_event: OnEvent = unheard,
    tell: Callable[[str], None] = lambda said: None,
) -> BenchResults:
    """Speed and memory of models at precisions and batches, and how much time each takes of the first one's.

    models: as in `harness.perplexity`; a preset alone is made without a training. prompt, new: tokens read and written.
    launches: of each comparison in lockstep (6 give an interval). memory, compare: False leaves it out. tell: is told
    what is untrained, and how the comparisons go. Models in memory are in no comparison: those take turns in processes
    of their own. The rest is as in `harness.perplexity` and `harness.run`. Raises UserError.
    """
    check_launches(launches)
    precisions, batches = several(precision) if precision else [], several(batch)
    with given_models(models, Path(out), settings, precisions, UNTRAINED) as entries:
        suite = bench_suite(
            entries,
            precision=precisions,
            batch=batches,
            prompt=prompt,
            new=new,
            threads=threads,
            device=device,
            memory=memory,
        )
        write_suite(suite, save_suite, command)
        for name in untrained(entries):
            tell(f"{name} is untrained: of a preset alone speed and memory are measured, no quality")
        ran = run(suite, out=out, resume=resume, fresh=fresh, cached=cached, allowed=allowed, on_event=on_event)
    measured = BenchResults(ran.folder).with_report(ran.made)
    return side_by_side(measured, launches=launches, allowed=allowed, tell=tell) if compare else measured


def side_by_side(
    measured: BenchResults,
    *,
    launches: int = LAUNCHES,
    allowed: Allowed = NOTHING_MORE,
    tell: Callable[[str], None] = lambda said: None,
) -> BenchResults:
    """The same results with the ratios between what was measured: see `bench`."""
    suite: dict[str, Any] = yaml.safe_load(measured.manifest.suite_text)
    matrix, speed = suite["matrix"], suite["measures"][0]["inference"]
    found = ratios(
        variants(_in_processes(suite["models"]), several(matrix.get("precision", ()))),
        batch=several(speed["batch"]),
        prompt=speed["prompt"],
        new=speed["generate"],
        run=measured.folder,
        launches=launches,
        threads=several(matrix.get("threads"))[0],
        device=several(matrix["device"])[0],
        trust_remote_code=allowed.trust_remote_code,
        tell=tell,
    )
    return BenchResults(measured.folder, tuple(found)).with_report(measured.made)


def _in_processes(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The models that other processes can open."""
    own = [adapter.name for adapter in ADAPTERS.values() if adapter.in_process]
    return {name: entry for name, entry in entries.items() if not any(key in entry for key in own)}
