"""The plan of `harness plan` and of every run: made, and looked over before anything is loaded, fetched or trained.

A mistake of the suite refuses it, with all others in the same answer. What only makes cells impossible is said
beforehand and stands in their place, and the others run; where none is left, that refuses the run too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from harness.errors import UserError
from harness.execution.allowed import NOTHING_MORE, Allowed
from harness.execution.mistakes import Mistakes
from harness.execution.plan import Plan, PlannedCell, plan_of
from harness.execution.preflight.check import Impossible
from harness.execution.preflight.checks import CHECKS, WARNINGS
from harness.suite.load import LoadedSuite, SuiteLike, WrongSuite, load_suite
from harness.suite.mistakes import in_order


def checked_suite(suite: SuiteLike, allowed: Allowed = NOTHING_MORE) -> tuple[LoadedSuite, Plan]:
    """A suite and its plan. Raises UserError as `load_suite` and `checked_plan` do, together: where entries of the
    suite are wrong, the others are planned all the same."""
    try:
        loaded = load_suite(suite)
    except WrongSuite as wrong:
        more: list[str] = []
        if wrong.rest is not None:
            with suppress(UserError):  # what is left may not be what was meant
                mistakes, _, told = _looked_at(wrong.rest, allowed)[1:]
                more = [*mistakes, *told]
        raise UserError("\n".join(in_order([*str(wrong).split("\n"), *more]))) from None
    return loaded, checked_plan(loaded, allowed)


def _looked_at(loaded: LoadedSuite, allowed: Allowed) -> tuple[Plan, list[str], list[Impossible], list[str]]:
    """The plan, the mistakes of the suite, what makes cells impossible, and the sentences on that."""
    mistakes = Mistakes(loaded)
    plan = plan_of(loaded, allowed, mistakes)
    due = [item for item in plan.cells if not item.cached and _can(item)]
    found = [one for check in CHECKS for one in check(plan, due)]
    return plan, mistakes.sentences, found, in_order(loaded.told(one.path, one.sentence) for one in found)


def checked_plan(loaded: LoadedSuite, allowed: Allowed = NOTHING_MORE) -> Plan:
    """The plan, with what makes cells impossible in them (`missing`, `unsupported`) and in `Plan.told`. Raises
    UserError with every mistake of the suite and with what was found beside, and where no cell can be measured."""
    plan, mistakes, found, told = _looked_at(loaded, allowed)
    if mistakes:
        raise UserError("\n".join(in_order([*mistakes, *told])))
    marked = tuple(_marked(loaded, plan.cells, found))
    if told and not any(map(_can, marked)):
        raise UserError("\n".join([*told, *(["no cell of this suite can be measured"] if len(marked) > 1 else [])]))
    return replace(plan, cells=list(marked), told=tuple(told))


def warnings(plan: Plan, items: Sequence[PlannedCell]) -> list[str]:
    """What may go wrong with the cells that will be measured. items: those, of this plan."""
    items = [item for item in items if _can(item)]
    return [sentence for warn in WARNINGS if (sentence := warn(plan.fingerprint, items)) is not None]


def _can(item: PlannedCell) -> bool:
    """Whether nothing is known that keeps a cell from being measured."""
    return item.missing is None and item.unsupported is None


def _marked(loaded: LoadedSuite, cells: Iterable[PlannedCell], found: Sequence[Impossible]) -> Iterable[PlannedCell]:
    """The cells, with the first reason why each can't be measured."""
    first: dict[int, Impossible] = {}
    for one in found:
        for item in one.cells:
            first.setdefault(id(item), one)
    for item in cells:
        why = first.get(id(item))
        if why is None:
            yield item
        elif why.skipped:
            yield replace(item, unsupported=loaded.told(why.path, why.sentence))
        else:
            yield replace(item, missing=loaded.told(why.path, why.sentence))
