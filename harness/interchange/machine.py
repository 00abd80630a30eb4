"""A machine as far as a file of another tool tells of it.

What is not told is unknown, and of a machine without a processor's or an accelerator's name nothing is known that
could tell it from another: times of two such runs are not comparable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.interchange.names import text_of
from harness.results.fingerprint import TOLD_BY, Fingerprint

NAMES_IT = ("cpu_model", "gpus")
"""Facts one of which must be known."""


def fingerprint_of(facts: Mapping[str, Any], tool: str) -> dict[str, Any]:
    """A manifest's fingerprint; empty where the machine is unknown."""
    known = {name: plain(value) for name, value in facts.items() if value not in (None, "", [], {})}
    if not any(known.get(name) for name in NAMES_IT):
        return {}
    return {TOLD_BY: text_of(tool), **known}


def class_of(fingerprint: Mapping[str, Any]) -> str:
    """Its class; empty where the machine is unknown."""
    return Fingerprint.model_validate(fingerprint).class_id if fingerprint else ""


def plain(value: Any) -> Any:
    """Texts as they can be stored."""
    if isinstance(value, str):
        return text_of(" ".join(value.split()))
    if isinstance(value, Mapping):
        return {text_of(name): plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def system_of(system: str | None, machine: str | None) -> str:
    """`Linux-x86_64`, as our own fingerprints have it; empty where one of them is not told."""
    return f"{system}-{machine}" if system and machine else ""


def gpus_named(names: Any) -> list[dict[str, Any]]:
    """Accelerators of which only names are known."""
    named = [names] if isinstance(names, str) else names if isinstance(names, list | tuple) else []
    return [{"name": text_of(one), "memory_mib": 0, "driver": ""} for one in named if isinstance(one, str) and one]


def bytes_of(told: str | None) -> int:
    """`25276510208`, `16Gi`, `32 GB` -> bytes; 0 where it is nothing of the kind."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", told or "", re.IGNORECASE)
    if found is None:
        return 0
    power = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}[found[2].upper()]
    return int(float(found[1]) * 1024**power)
