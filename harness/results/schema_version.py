"""The version of what a run keeps, looked at before anything else of it: a later one may be laid out otherwise."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.errors import UserError
from harness.results.record import SCHEMA_VERSION
from harness.strict_models import Kept


class LaterVersion(UserError):
    """A file that a later version of the harness wrote, which this one does not know how to read."""

    def __init__(self, version: int, place: str) -> None:
        super().__init__(
            f"written by a later version of harness (format {version}; this one reads up to {SCHEMA_VERSION}): update "
            "harness to read it",
            place=place,
        )


class _Versioned(Kept):
    schema_version: Annotated[int, Field(strict=True, ge=1)] = SCHEMA_VERSION


def version_of(content: bytes) -> int:
    """The version of a JSON object. Raises ValidationError where there stands none: a number below 1, a text."""
    return _Versioned.model_validate_json(content).schema_version
