"""A template or a function of a task file, applied to a document: its value, or one sentence that says why not."""

from __future__ import annotations

from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from harness.errors import UserError
from harness.mode import Mode
from harness.spelling import nearest
from harness.tasks.ask import Row
from harness.tasks.config import Function, LoadFunction, Template
from harness.tasks.prompts import template
from harness.tasks.prompts.null import NullWritten


def rendered(
    key: str,
    wanted: Template,
    row: Row,
    file: str,
    which: str,
    function: LoadFunction,
    mode: Mode = "right",
    as_text: bool = False,
) -> Any:
    """What a template or a function makes of a document; a template `as_text` also where its value is another one.

    Raises UserError with file, key and document.
    """
    try:
        if isinstance(wanted, Function):
            return function(wanted, key)(row)
        if not isinstance(wanted, str):
            return wanted
        if mode == "lm-eval":
            return template.value_as_lm_eval(wanted, row)
        return template.text(wanted, row) if as_text else template.value(wanted, row)
    except UserError:
        raise
    except NullWritten as error:
        raise UserError(f"{which}: the template {error}", place=f"{file}:{key}") from None
    except Exception as error:  # whatever expressions and code of others raise
        what = f"the function `{wanted.name}`" if isinstance(wanted, Function) else "the template"
        missing = isinstance(error, KeyError) or "undefined" in str(error)
        columns = f"; its columns are {', '.join(map(str, row))}" if missing else ""
        why = str(error) or ("it takes more memory than there is" if isinstance(error, MemoryError) else "")
        failed = f"{type(error).__name__}: {why}" if why else type(error).__name__
        raise UserError(f"{which}: {what} failed with {failed}{columns}", place=f"{file}:{key}") from None


def column_or_template(key: str, wanted: str, row: Row, file: str, which: str, function: LoadFunction) -> Any:
    """As `rendered`, but a single word must be a column: as a text it would be the same for all documents. Raises
    UserError with file, key and document."""
    if template.is_absent_column(wanted, row):
        raise no_column(wanted, row, which, f"{file}:{key}")
    return rendered(key, wanted, row, file, which, function)


def no_column(word: str, row: Row, which: str, place: str) -> UserError:
    """A word in a template that is no column of this document."""
    return UserError(
        f"{which} has no column `{word}`{nearest(word, map(str, row))} (its columns are {', '.join(map(str, row))}; "
        f"a fixed text is written {{{{'{word}'}}}})",
        place=place,
    )


def as_written(value: Any) -> Any:
    """The text of a value that has one: true is True, 2.50 as a decimal 2.50; whole numbers, and what has none (null,
    lists, bytes) as they are."""
    if isinstance(value, bool | Decimal | date | time | timedelta | UUID):
        return str(value)
    return str(value) if isinstance(value, float) and value == value else value


def kind_of(value: Any) -> str:
    """What a value is, for a sentence."""
    return "nothing" if value is None else type(value).__name__
