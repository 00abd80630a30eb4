"""What is not the same in two runs: the commit, the software, the suite. Shown beside a verdict, never a reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from harness.errors import shown
from harness.results.record import CellResult
from harness.results.run import Run

UNASKED = ("name", "about", "expect")
"""Keys of a suite that change nothing of what is measured or judged."""
MOST = 8
"""Differences of one kind that are told one by one."""


def what_changed(base: Run, head: Run) -> list[str]:
    """A sentence for each thing that differs: commits, software by name, keys of the suite."""
    a, b = base.manifest, head.manifest
    found = []
    if (before := _commit(a.git)) != (after := _commit(b.git)):
        found.append(f"commit: {before} and {after}")
    if a.suite != b.suite:
        found.append(f"suite: {a.suite} and {b.suite}")
    found += _few(_software(a.fingerprint, b.fingerprint))
    found += _few([f"suite's `{key}` changed" for key in _differing(_suite(a.suite_text), _suite(b.suite_text))])
    both = [(name, a.models[name], b.models[name]) for name in a.models if name in b.models]
    found += _few([_another_model(*one) for one in both if one[1].get("digest") != one[2].get("digest")])
    return found


def _another_model(name: str, base: Mapping[str, Any], head: Mapping[str, Any]) -> str:
    """What is known where the digests of a model differ: of one that the run trained it is a hash of all that decides
    its weights, and none of the weights, which no two machines train to the same bit."""
    if "settings" not in base or "settings" not in head:
        return f"weights of {name} changed"
    if differing := list(_differing(base["settings"], head["settings"], "train")):
        return f"{name} was trained otherwise: {', '.join(differing)}"
    return (
        f"{name} was trained anew, as the code that trains or its corpus is another: that alone says nothing of its "
        "weights"
    )


def of_what(name: str, model: Mapping[str, Any]) -> str:
    """What a model's digest is a digest of, from what a run's manifest tells of it."""
    if "settings" in model:
        return f"what decides the training of {name} (settings, corpus and code, not the weights)"
    if model.get("kind") == "in_memory":
        return f"weights and code of {name}"
    return f"the files of {name}" if model.get("path") else f"the model {name}"


def is_identical_code(base: Run, head: Run) -> bool:
    """Whether two runs are known to have run the same code with the same libraries on the same weights: the same commit
    without changes, the same packages, the same models. What nobody knows is not the same."""
    a, b = base.manifest, head.manifest
    same_commit = a.git.get("commit") is not None and a.git.get("commit") == b.git.get("commit")
    clean = a.git.get("dirty") is False and b.git.get("dirty") is False
    digests = [{name: model.get("digest") for name, model in one.models.items()} for one in (a, b)]
    return (
        same_commit
        and clean
        and not _software(a.fingerprint, b.fingerprint)
        and a.plugins == b.plugins
        and digests[0] == digests[1]
        and None not in digests[0].values()
    )


def ran_the_same(base: CellResult, head: CellResult) -> bool:
    """Whether nothing is known to differ in what the workers of two cells imported."""
    imported = [getattr(getattr(cell, "provenance", None), "packages", None) for cell in (base, head)]
    return imported[0] is None or imported[1] is None or imported[0] == imported[1]


def _commit(git: Mapping[str, Any]) -> str:
    commit = git.get("commit")
    if not commit:
        return "unknown"
    return f"{str(commit)[:12]}{' with changes' if git.get('dirty') else ''}"


def _software(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[str]:
    """What differs in the software that two fingerprints tell of, such as `torch: 2.12.0 and 2.13.0`."""
    found = [
        f"{name}: {base.get(name)} and {head.get(name)}"
        for name in ("python", "libc", "kernel")
        if base.get(name) != head.get(name)
    ]
    for group, lacking in (("packages", "not there"), ("environment", "not set")):
        mine, theirs = base.get(group) or {}, head.get(group) or {}
        found += [
            f"{name}: {mine.get(name, lacking)} and {theirs.get(name, lacking)}"
            for name in dict.fromkeys([*mine, *theirs])
            if mine.get(name) != theirs.get(name)
        ]
    return found


def _suite(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _differing(base: Any, head: Any, path: str = "") -> Iterator[str]:
    """The keys of a suite whose values differ, each as deep as both have it."""
    if isinstance(base, Mapping) and isinstance(head, Mapping):
        for key in dict.fromkeys([*base, *head]):
            if path or key not in UNASKED:
                yield from _differing(base.get(key), head.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(base, list) and isinstance(head, list) and len(base) == len(head):
        for number, both in enumerate(zip(base, head, strict=True)):
            yield from _differing(*both, f"{path}.{number}")
    elif base != head:
        yield shown(path)


def _few(told: list[str]) -> list[str]:
    return told if len(told) <= MOST else [*told[:MOST], f"and {len(told) - MOST} more"]
