"""A verdict as the history keeps it: what `gate`, `ci` or `ab` said, whole, with what it was about."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from harness import strict_json
from harness.results.record import Anything
from harness.strict_models import Kept

VERDICT_VERSION = 1

VerdictKind = Literal["gate", "ci", "ab"]


class KeptVerdict(Kept):
    """One verdict."""

    version: Annotated[int, Field(strict=True, ge=1)] = VERDICT_VERSION
    kind: VerdictKind
    """Which command said it."""
    suite: str
    machine_class: str
    run: str
    """Of which run it is: the head's, or the folder of `ci` or `ab`."""
    run_id: str
    time: datetime
    """When it was said (UTC)."""
    commit: str | None = None
    """Of the head."""
    dirty: bool | None = None
    branch: str | None = None
    base: str | None = None
    """Commit of the base."""
    verdict: str
    """pass, fail, inconclusive ..."""
    exit_code: int
    reason: str = ""
    said: Anything = Field(default_factory=dict)
    """All of it, as the command's `--json` has it."""

    @property
    def digest(self) -> str:
        """sha256 of what was said and of which run: the same verdict is kept once."""
        told: dict[str, Any] = {"kind": self.kind, "run_id": self.run_id, "said": self.said}
        return hashlib.sha256(strict_json.dumps(told, sort_keys=True).encode()).hexdigest()


class LaterVerdict(ValueError):
    """A later version of the harness wrote it."""


class _Versioned(Kept):
    version: Annotated[int, Field(strict=True, ge=1)]


def parse_verdict(content: bytes) -> KeptVerdict:
    """A verdict out of its file. Raises LaterVerdict, and ValueError as pydantic for what is none."""
    version = _Versioned.model_validate_json(content).version
    if version > VERDICT_VERSION:
        raise LaterVerdict(
            f"written by a later version of harness (verdict {version}; this one reads up to {VERDICT_VERSION}): "
            "update it to read this file"
        )
    return KeptVerdict.model_validate_json(content)
