"""CSV as lm-evaluation-harness gets it: pandas guesses the type of each column.

So `007` becomes 7, `NA`, `None` and `nan` become nothing, and a column of whole numbers with a hole becomes floats.
Mode right reads every cell as the text that it is.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.corpora.row_files import bytes_of
from harness.errors import UserError, told
from harness.tasks.data.rows import Rows

_NAMED = {"column_names": "names"}
"""Names of `datasets` -> pandas'."""
_PASSED_ON = frozenset(
    {"header", "names", "sep", "delimiter", "quotechar", "quoting", "doublequote", "escapechar", "skiprows", "nrows"}
    | {"usecols", "skipinitialspace", "skip_blank_lines", "encoding", "encoding_errors", "na_values", "keep_default_na"}
    | {"na_filter", "true_values", "false_values", "thousands", "decimal", "comment", "on_bad_lines", "float_precision"}
    | {"lineterminator", "skipfooter", "index_col", "dialect", "date_format"}
)
_LINES, _MOST_LINES = ("skiprows", "skipfooter", "header", "index_col"), 1_000_000
_MOST_COLUMNS = 10_000
OPTIONS = _PASSED_ON | frozenset(_NAMED)
"""What a task may tell."""


def csv_as_lm_eval(file: Path, suffix: str, options: Mapping[str, Any]) -> Rows:
    """All rows of a file. Raises UserError where pandas can't read it."""
    import pandas as pd

    given = {_NAMED.get(name, name): value for name, value in options.items() if name in OPTIONS}
    for name in _LINES:
        one_or_several = given.get(name)
        listed = one_or_several if isinstance(one_or_several, list) else [one_or_several]
        if any(isinstance(one, int) and one > _MOST_LINES for one in listed):
            raise UserError(f"`{name}` counts lines, and {_MOST_LINES:,} is the most", place=str(file))
    if suffix == ".tsv" and not {"sep", "delimiter"} & set(given):
        given["sep"] = "\t"
    content = bytes_of(file)
    separator = given.get("sep", given.get("delimiter", ","))
    columns = content[: content.find(b"\n")].count(
        separator.encode() if isinstance(separator, str) and separator else b","
    )
    if columns > _MOST_COLUMNS:
        raise UserError(f"its first line has {columns:,} columns, and {_MOST_COLUMNS:,} is the most", place=str(file))
    try:
        return Rows.from_pandas(pd.read_csv(io.BytesIO(content), **given))
    except Exception as error:  # whatever pandas raises for settings of anyone's: there are dozens
        raise UserError(f"not read as {suffix[1:].upper()}: {told(error)}", place=str(file)) from None
