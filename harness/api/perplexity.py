"""`harness.perplexity`: how well models predict a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.api.given_models import Models, given_models, several
from harness.api.results import Results
from harness.api.runs import run
from harness.execution.allowed import NOTHING_MORE, Allowed
from harness.execution.events import OnEvent, unheard
from harness.shorthand.in_options import told_in_options
from harness.shorthand.options import MODELS, PERPLEXITY, keywords
from harness.shorthand.perplexity import perplexity_suite, texts_named
from harness.shorthand.written import save_suite as write_suite
from harness.workflow import RUNS


@told_in_options(keywords(PERPLEXITY), MODELS)
def perplexity(
    models: Models,
    *,
    text: str | Path | Sequence[str | Path] = (),
    corpus: str | Sequence[str] = (),
    window: int | None = None,
    stride: int | None = None,
    documents: int | None = None,
    bos: str = "auto",
    precision: str | Sequence[str] = (),
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    out: Path | str = RUNS,
    save_suite: Path | str | None = None,
    command: str = "",
    resume: bool = False,
    fresh: bool = False,
    cached: bool = True,
    allowed: Allowed = NOTHING_MORE,
    on_event: OnEvent = unheard,
) -> Results:
    """Perplexity, loss and bits per byte of one model or several on a text, with intervals.

    models: as on the command line (a folder, a hub id, `asset:NAME`, a preset, `RUN:model`), or in memory: see
    `Models`. text: files or folders; corpus: texts by name (`harness.list("corpora")`); of both, each text is
    measured by itself. window, stride: tokens. bos: auto, add or none. settings: put over each model's entry.
    save_suite: a file for the suite that this call stands for; command: its first line. The rest is as in
    `harness.run`. Raises UserError.
    """
    with given_models(models, Path(out), settings, several(precision)) as entries:
        suite = perplexity_suite(
            entries,
            texts_named([str(one) for one in several(text)], several(corpus)),
            window=window,
            stride=stride,
            documents=documents,
            bos=bos,
            precision=several(precision),
            device=device,
        )
        write_suite(suite, save_suite, command)
        return run(suite, out=out, resume=resume, fresh=fresh, cached=cached, allowed=allowed, on_event=on_event)
