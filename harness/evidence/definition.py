"""Whether two cells measured the same thing, where a setting was left open and each model settled it for itself.

A perplexity's window is by default the model's context. The more of a text a model sees, the easier the next token is,
so a model that reads 512 tokens at once looks better than one that reads 32 for that reason alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.results.record import CellResult, Scalar

SET_BY = {"first_token": "bos"}
"""Settings that decide on what has another name."""


def definition(cell: CellResult) -> dict[str, Scalar]:
    """What a cell's model settled, as far as it moves the numbers: windows that hold every document don't."""
    settled = dict(cell.resolved)
    if settled.pop("whole_documents", False):
        settled |= {name: "whole documents" for name in ("window", "context") if name in settled}
        settled.pop("stride", None)
    return settled


def why_other_definition(a: CellResult, b: CellResult) -> str | None:
    """What the two cells' models settled differently, and the fix; None where nothing is known to differ."""
    ours, theirs = definition(a), definition(b)
    names = [name for name in ours if name in theirs and ours[name] != theirs[name]]
    if not names:
        return None
    told = ", ".join(f"{_words(name)} {_shown(ours[name])} and {_shown(theirs[name])}" for name in names)
    return f"they were measured differently ({told}): {_fix(names)}"


def why_no_ranking(cells: Sequence[CellResult]) -> str | None:
    """The same of cells of several models that differ in nothing else: they can't be ranked. None where they can."""
    found: dict[str, dict[str, dict[Scalar, list[str]]]] = {}
    for cell in cells:
        asked = repr(sorted(cell.settings.items()))
        for name, value in definition(cell).items():
            models = found.setdefault(asked, {}).setdefault(name, {}).setdefault(value, [])
            if cell.model not in models:
                models.append(cell.model)
    differing = {name: values for names in found.values() for name, values in names.items() if len(values) > 1}
    if not differing:
        return None
    told = "; ".join(
        f"{_words(name)} " + ", ".join(f"{_shown(value)} ({_few(models)})" for value, models in values.items())
        for name, values in differing.items()
    )
    return f"these rows can't be ranked, because they were measured differently ({told}): {_fix(differing)}"


def _fix(names: Iterable[str]) -> str:
    keys = list(dict.fromkeys(SET_BY.get(name, name) for name in names))
    return f"give all the same {' and '.join(f'`{key}`' for key in keys)} in the suite"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Scalar) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _few(models: Sequence[str]) -> str:
    return ", ".join(models[:3]) + (f" and {len(models) - 3} more" if len(models) > 3 else "")
