"""Two runs document by document: which were right once and wrong once, whether that is chance, and why they flipped.

Cells are paired as `gate.compare` pairs them, or, within one run too, by what was chosen of each side.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.comparison.flip import Difference, Paired
from harness.comparison.paired_samples import PairedSamples
from harness.errors import UserError, WrongArgument
from harness.evidence.selection import coordinates, describe, varying
from harness.evidence.where_text import chosen
from harness.measures.task.samples.frames import has_documents, tasks_of
from harness.results.record import CellResult, Scalar, Status
from harness.results.run import Run
from harness.results.samples import reading_samples
from harness.spelling import nearest_aside


def flips(
    base: Run,
    head: Run,
    *,
    of_base: Sequence[str] = (),
    of_head: Sequence[str] = (),
    task: str | None = None,
    metric: str | None = None,
) -> Difference:
    """Pair two runs, or (`of_base`, `of_head`: `name=value`) cells of one, document by document.

    Everything but what was chosen must be the same in a pair of cells. task: only this one, or the members of this
    group. metric: one that says right or wrong of each document, as it is named in the samples; left out, the first
    such. Raises UserError where nothing is there to be paired, with what there is.
    """
    sides, alone = _sides(base, head, of_base, of_head)
    pairs: list[Paired] = []
    notes: dict[str, None] = dict.fromkeys(alone)
    tasks: dict[str, None] = {}
    metrics: dict[str, None] = {}
    questions = 0
    for at, left, right in sides:
        before, after = base.samples_of(left), head.samples_of(right)
        if not has_documents(before) or not has_documents(after):
            continue
        with reading_samples(base.samples_file(left), head.samples_file(right)):
            group = coordinates(left).get("task")
            tasks |= dict.fromkeys([str(group), *tasks_of(before)])
            found = PairedSamples(at, before, after, task if task != group else None)
            if not (mine := list(found.pairs(metric))):
                metrics |= dict.fromkeys(found.metrics())
                questions += found.questions
            pairs.extend(mine)
            notes |= dict.fromkeys(found.notes())
    if not pairs:
        raise UserError(
            _why_nothing(task, metric, list(tasks), list(metrics), list(notes), questions),
            place=f"{base.name}, {head.name}",
        )
    return Difference(_words(base, of_base), _words(head, of_head), tuple(pairs), tuple(notes))


def _words(run: Run, of: Sequence[str]) -> str:
    return f"{run.name} ({', '.join(of)})" if of else run.name


def _sides(
    base: Run, head: Run, of_base: Sequence[str], of_head: Sequence[str]
) -> tuple[list[tuple[dict[str, Scalar], CellResult, CellResult]], list[str]]:
    """Pairs of cells with the coordinates that tell them from other pairs; and what has no counterpart, in words."""
    able = [[c for c in run.cells if c.measure == "task" and c.status is Status.OK] for run in (base, head)]
    whole = [[c for c in cells if run.why_no_samples(c) is None] for run, cells in zip((base, head), able, strict=True)]
    able = [some or every for some, every in zip(whole, able, strict=True)]  # what is damaged was told of
    for run, cells in zip((base, head), able, strict=True):
        if not cells:
            raise UserError("no cell of this run has documents: the measure `task` keeps them", place=str(run.folder))
    if base.folder == head.folder and not of_base and not of_head:
        differing = ", ".join(name for name in varying(able[0]) if name != "measure") or "nothing"
        raise UserError(
            "a run differs in nothing from itself: say with --base and --head what to compare, such as --base "
            f"precision=fp32 --head precision=int8; its cells differ in {differing}",
            place=base.name,
        )
    mine, theirs = chosen(able[0], of_base, "of_base"), chosen(able[1], of_head, "of_head")
    replaced = {text.partition("=")[0].strip() for text in (*of_base, *of_head)}
    if base.manifest.imported or head.manifest.imported:  # what another tool's file doesn't tell is no difference
        told = [{name for cell in cells for name in coordinates(cell)} for cells in (mine, theirs)]
        replaced |= told[0] ^ told[1]
    lefts, rights = _by_identity(mine, replaced, "of_base"), _by_identity(theirs, replaced, "of_head")
    both = [identity for identity in lefts if identity in rights]
    if not both:
        raise UserError(_why_no_pair(mine, theirs, replaced), place=f"{base.name}, {head.name}")
    # a task's own name is told beside its documents
    names = {"model", *varying([lefts[identity] for identity in both])} - replaced - {"measure", "task"}
    pairs = [
        (
            {name: value for name, value in coordinates(lefts[identity]).items() if name in names},
            lefts[identity],
            rights[identity],
        )
        for identity in both
    ]
    alone = [
        f"{len(cells)} of {len(those)} cells of the {side} have no counterpart; the first: {_told(cells[0], able)}"
        for side, those, others in (("base", lefts, rights), ("head", rights, lefts))
        if (cells := [cell for identity, cell in those.items() if identity not in others])
    ]
    return pairs, alone


def _told(cell: CellResult, able: Sequence[Sequence[CellResult]]) -> str:
    """A cell by what tells it from the others."""
    names = {"model", *varying([cell for cells in able for cell in cells])} - {"measure"}
    return describe({name: value for name, value in coordinates(cell).items() if name in names and value is not None})


def _why_no_pair(mine: Sequence[CellResult], theirs: Sequence[CellResult], replaced: set[str]) -> str:
    """In what the two cells differ that differ in the least."""
    differing = [([name for name in varying([a, b]) if name not in replaced], a, b) for a in mine for b in theirs]
    names, a, b = min(differing, key=lambda one: len(one[0]))
    told = ", ".join(f"{name} ({coordinates(a).get(name)} and {coordinates(b).get(name)})" for name in names)
    sides = " ".join(
        f"--{side} {name}={coordinates(cell)[name]}"
        for side, cell in (("base", a), ("head", b))
        for name in names
        if name in coordinates(cell)
    )
    return f"no cell of the base is in the head; the nearest two differ in {told}: {sides} pairs them"


def _by_identity(cells: Sequence[CellResult], replaced: set[str], option: str) -> dict[str, CellResult]:
    """The cells by their coordinates but for those that differ between the sides. Raises UserError for two of one."""
    found: dict[str, CellResult] = {}
    for cell in cells:
        identity = repr(
            sorted((name, repr(value)) for name, value in coordinates(cell).items() if name not in replaced)
        )
        if (other := found.setdefault(identity, cell)) is not cell:
            differing = varying([other, cell])
            raise WrongArgument(
                f"two cells differ only in {', '.join(differing)}: say which is meant, such as "
                f"{option} {differing[0]}={coordinates(cell).get(differing[0])}",
                place=option,
            )
    return found


def _why_nothing(
    task: str | None,
    metric: str | None,
    tasks: Sequence[str],
    metrics: Sequence[str],
    notes: Sequence[str],
    questions: int,
) -> str:
    if task is not None and task not in tasks:
        return f"no task '{task}'{nearest_aside(task, tasks)}; there are: {', '.join(tasks)}"
    if metric is not None and metric not in metrics:
        there = ", ".join(metrics) or "none"
        near = nearest_aside(metric, metrics)
        return f"no metric '{metric}' that says right or wrong of a document{near}; there are: {there}"
    if questions:
        return f"no metric says right or wrong of the documents that are in both ({questions})"
    return "no document is in both" + "".join(f"; {note}" for note in notes)
