"""Whether the texts of a suite that lie here can be read: a first document with something in it, in the named field; of
short ones, every document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.corpora.local import Local
from harness.corpora.spec import source
from harness.errors import UserError
from harness.execution.plan import Plan, PlannedCell
from harness.execution.preflight.check import Impossible
from harness.measures.registry import MEASURES
from harness.suite.where_named import where_named
from harness.yaml_files.document import KeyPath

MOST_BYTES = 256 << 20
"""Of files that have to be read whole to see their first row; of larger ones the run says what is wrong."""
WHOLE = (".json",)
SHORT_BYTES = 4 << 20
"""Files up to this size are read to their end, which takes a fraction of a second."""


def check_texts(plan: Plan, items: Sequence[PlannedCell]) -> Iterator[Impossible]:
    """Local texts, of measures and of trainings, without a document that can be read: cells that read them fail."""
    readers: dict[str, tuple[KeyPath, list[PlannedCell]]] = {}
    for item in items:
        for name, path in _texts(plan, item):
            readers.setdefault(name, (path, []))[1].append(item)
    for name, (path, cells) in readers.items():
        try:
            text = source(name)
            if isinstance(text, Local) and not _is_long(text):
                text.look()
                if (text.size() or 0) <= SHORT_BYTES:
                    text.documents()
        except UserError as error:
            yield Impossible(path, str(error), tuple(cells))


def _texts(plan: Plan, item: PlannedCell) -> Iterator[tuple[str, KeyPath]]:
    for name in MEASURES[item.cell.measure].texts(item.cell.typed):
        yield name, where_named(plan.suite, item.cell.measure, name)
    for model in item.models:
        for stage in [] if model.ready else model.stages:
            if stage.training is not None:
                for name in stage.training.texts:
                    yield name, ("models", model.source.name, "train", "corpus")


def _is_long(text: Local) -> bool:
    size = text.size()
    return size is not None and size > MOST_BYTES and any(ending in text.path.name for ending in WHOLE)
