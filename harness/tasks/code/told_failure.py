"""What code of a task file raises, as one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import UserError
from harness.tasks.config import Function


@contextmanager
def told(key: str, function: Function, task: str) -> Iterator[None]:
    """Around a call of a function that a task file names under `key`: what it raises becomes a UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # whatever code of others raises
        what = (
            f"KeyError: no column or key {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        )
        raise UserError(f"`{key}` ({function.name}) fails for {task}: {what}", place=str(function.file)) from error
