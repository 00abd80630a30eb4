"""`harness.train`: a model of one's own, in one call."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from harness.api.results import Results
from harness.api.runs import run
from harness.errors import UserError
from harness.execution.events import OnEvent, unheard
from harness.execution.resolve import resolve
from harness.models.digest import hash_of
from harness.models.stage import state_file
from harness.results.unfinished import last_unfinished
from harness.shorthand.device import check_training_device
from harness.shorthand.in_options import told_in_options
from harness.shorthand.options import MODELS, TRAIN, keywords
from harness.shorthand.training import training_suite
from harness.shorthand.written import save_suite as write_suite
from harness.suite.load import load_suite, suite_text
from harness.suite.schema import ModelEntry
from harness.workflow import RUNS


@told_in_options(keywords(TRAIN), MODELS)
def train(
    text: str | Path | None = None,
    *,
    corpus: str | None = None,
    preset: str = "nano",
    name: str | None = None,
    device: str = "auto",
    out: Path | str = RUNS,
    save_suite: Path | str | None = None,
    command: str = "",
    resume: bool = True,
    fresh: bool = False,
    cached: bool = True,
    on_event: OnEvent = unheard,
    **settings: Any,
) -> Results:
    """Train a model of the reference on a text, and give back what came of it. `harness.generate(name, "Once")` goes on
    from it by its name, or by that of text and preset (`notes-nano`).

    text: a file or a folder; corpus: a text by name, in its place. settings: keys of a suite's `train:` (`tokens`,
    `steps`, `batch`, `learning_rate`, `schedule`, `seed`, `tokenizer`, `context` ... docs/training.md). device: `auto`
    or `cpu`, which is where these models are trained. resume: go on with a training that was cut off where it last kept
    its state; False begins it anew. A training that ended well is kept, whatever is asked. save_suite: also write the
    suite that this stands for to that file; command: its first line. fresh, cached: as in `harness.run` (the trained
    model stays in the cache). on_event: is told how it goes; nothing is printed. Raises UserError for bad input; a
    training that fails is a record.
    """
    check_training_device(device)
    suite = training_suite(
        text=None if text is None else str(text), corpus=corpus, preset=preset, name=name, **settings
    )
    loaded = load_suite(suite)
    write_suite(suite, save_suite, command)
    go = partial(run, suite, out=out, fresh=fresh, cached=cached, on_event=on_event)
    if not resume:
        _forget(loaded.suite.models.items())
        return go()
    try:
        last_unfinished(Path(out), loaded.suite.name, hash_of(suite_text(loaded.suite)))
        return go(resume=True)
    except UserError:  # no such run, or one of other code: a new one
        return go()


def _forget(models: Iterable[tuple[str, ModelEntry]]) -> None:
    """Remove what was kept of trainings that were cut off."""
    for name, entry in models:
        folder = resolve(name, entry, None, False).source.path
        state_file(Path(folder)).unlink(missing_ok=True)
