"""Muennighoff et al. 2023: a notebook whose cells hold dictionaries of run name -> loss, and what the names stand for.

A name is parameters, training tokens and unique tokens run together, `2b855b4b` for 2.8B, 55B and 4B, then variants.
It is taken apart as the notebook does, errors included: the tables are the authors' numbers.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

from harness.assets.published.csv_table import write

_ALL, _FITTED = 1, 25
"""Cells with the losses of all runs, and of those that were fitted."""
_VARIANTS = ("op2", "seed1", "seed2", "seed3", "seed4", "opt1", "opt", "c4", "v2")
"""What the notebook takes out of a name before it reads it, in its order."""


Run = tuple[str, float, float, float, float]
"""Name, parameters, training tokens, unique tokens, loss. A loss of 0 stands for a run that hasn't finished."""


def convert(raw: Path, folder: Path) -> None:
    """The notebook, the one file in `raw` -> `runs_all_incl_outliers.csv` and `runs_fit182.csv`."""
    cells = json.loads(next(raw.glob("*.ipynb")).read_text(encoding="utf-8"))["cells"]
    every, fitted = _runs(cells[_ALL]), _runs(cells[_FITTED])
    names = {run[0] for run in fitted}
    write(
        folder / "runs_all_incl_outliers.csv",
        ["run", "N", "D", "U", "loss", "in_fit_set", "epochs"],
        [(*run, run[0] in names, run[2] / run[3]) for run in every],
    )
    write(
        folder / "runs_fit182.csv",
        ["run", "N", "D", "U", "loss", "epochs"],
        [(*run, run[2] / run[3]) for run in fitted],
    )


def _runs(cell: dict[str, Any]) -> list[Run]:
    """The runs in a cell of plain assignments, none of which is run; those on deduplicated text are left out."""
    assigned = {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in ast.parse("".join(cell["source"])).body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }
    return [
        (name, *_sizes(name, assigned["PARAMS_MAP"], assigned["TOKENS_MAP"]), loss)
        for name, loss in assigned["NAMES_TO_VAL_LOSSES"].items()
        if loss != 0 and not name.endswith("dedup")
    ]


def _sizes(name: str, parameters: dict[str, float], tokens: dict[str, float]) -> tuple[float, float, float]:
    """Parameters, training tokens and unique tokens of a run by its name."""
    for variant in _VARIANTS:
        name = name.replace(variant, "")
    end = next(end for end in range(2, len(name)) if name[:end] in parameters)
    start = _start_of_unique_tokens(name)
    return parameters[name[:end]], _tokens(name[end:start], tokens), _tokens(name[start:], tokens)


def _start_of_unique_tokens(name: str) -> int:
    """Unique tokens are the last three or four characters, from after all but one of the `b` or `m` in them."""
    last_is_digit, last_but_one_is_unit = name[-1] not in "bm", name[-2] in "bm"
    start = len(name) - (3 if last_is_digit and last_but_one_is_unit else 4)
    while max(name[start:].count("b"), name[start:].count("m")) > 1:
        start += 1
    return start


def _tokens(label: str, known: dict[str, float]) -> float:
    """`1b5` is 1.5 billion, `12b` 12 billion."""
    billions = known[label] if label in known else float(re.sub("b", ".", label).strip("."))
    return billions * 1e9
