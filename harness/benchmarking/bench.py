"""`harness.bench`: speed and memory of models, and ratios between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.api.given_models import Models, given_models, several
from harness.api.results import Results
from harness.benchmarking.pairing import check_launches
from harness.benchmarking.running import run_and_compare
from harness.execution.allowed import NOTHING_MORE, Allowed
from harness.execution.events import OnEvent, unheard
from harness.shorthand.benchmarking import UNTRAINED, bench_suite, untrained
from harness.shorthand.in_options import told_in_options
from harness.shorthand.options import BENCH, MODELS, keywords
from harness.shorthand.written import save_suite as write_suite
from harness.suite.schema.side_by_side import LAUNCHES
from harness.workflow import RUNS


@told_in_options(keywords(BENCH), MODELS)
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
) -> Results:
    """Speed and memory of models at precisions and batches, and how much time each takes of the first one's.

    models: as in `harness.perplexity`; a preset alone is made without a training. prompt, new: tokens read and written.
    launches: of each comparison (6 give an interval). memory, compare: False leaves it out. tell: is told what is
    untrained and what is compared. Models take turns in processes of their own; one in memory does so in this process,
    three rounds for each launch, and its interval is over those. The ratios are cells of the run, under the measure
    `side_by_side` (`Results.ratios`). The rest is as in `harness.perplexity` and `harness.run`. Raises UserError.
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
            launches=launches if compare else None,
        )
        write_suite(suite, save_suite, command)
        for name in untrained(entries):
            tell(f"{name} is untrained: of a preset alone speed and memory are measured, no quality")
        return run_and_compare(
            suite,
            out=out,
            resume=resume,
            fresh=fresh,
            cached=cached,
            allowed=allowed,
            on_event=on_event,
            tell=tell,
        )
