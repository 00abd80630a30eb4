"""Measures, analyses and adapters of other installed packages, found by their entry points.

A plugin that can't be loaded ends nothing: the rest works, `harness list plugins` says why, and so does a suite that
names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from pydantic import BaseModel

from harness.errors import told
from harness.promises import Promises

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Plugin:
    """One entry point of an installed package, loaded or not."""

    group: str
    """`harness.measures`, `harness.analyses` or `harness.models`."""
    name: str
    """What a suite calls it."""
    package: str
    """The distribution with its version, such as `gpt-words 1.0`."""
    module: str
    """Where its object is imported from."""
    why_not: str = ""
    """Where it could not be loaded, a sentence."""


RESERVED = ("models", "matrix", "measure", "analysis", "adapter", "settings", "given", "keys_of_people")
"""What entries of a suite have beside the name of their measure, analysis or adapter."""

_known: list[Plugin] = []


def known_plugins() -> tuple[Plugin, ...]:
    """Every plugin of the registries that are imported, loaded or not: kinds of models, then measures, then analyses,
    whichever registry was imported first."""
    return tuple(sorted(_known, key=lambda one: one.group, reverse=True))


def plugin_of(group: str, name: str) -> Plugin | None:
    """The plugin that something was loaded from; None of what ships."""
    return next((one for one in _known if (one.group, one.name) == (group, name) and not one.why_not), None)


def is_loaded(name: str) -> bool:
    """Whether a plugin of this name is here."""
    return any(one.name == name and not one.why_not for one in _known)


def why_not_loaded(name: str) -> str | None:
    """Why the plugin of this name could not be loaded; None where there is none, and where it could."""
    return next((one.why_not for one in _known if one.name == name and one.why_not), None)


def with_plugins(
    group: str,
    kind: type[Kind],
    ours: Mapping[str, Kind],
    promises: Promises,
    refuse: Callable[[Kind, Mapping[str, Kind]], str | None],
) -> dict[str, Kind]:
    """Ours, then those of a group's entry points, in the order of their packages' names.

    kind: what an entry point must lead to: something with a `name`. promises: what its declaration holds. refuse: (one,
    those before it) -> why it can't be taken beside them, as the end of a sentence that begins with the plugin; None
    where it can.
    """
    found = dict(ours)
    for point in sorted(entry_points(group=group), key=lambda point: (_package(point), point.name)):
        who, why_not = f"the plugin `{point.name}` of {_package(point)}", ""
        try:
            loaded = _load(kind, point, found, promises, refuse)
            if isinstance(loaded, kind):
                loaded = promises.kept(loaded, who)
        except (Exception, SystemExit) as error:
            loaded = f"has a declaration that can't be read: {told(error)}"
        if isinstance(loaded, kind):
            found[point.name] = loaded
        else:
            why_not = f"{who} ({point.value}) {loaded}"
        _known.append(Plugin(group, point.name, _package(point), point.module, why_not))
    return found


def _load(
    kind: type[Kind],
    point: EntryPoint,
    before: Mapping[str, Kind],
    promises: Promises,
    refuse: Callable[[Kind, Mapping[str, Kind]], str | None],
) -> Kind | str:
    """What an entry point leads to, or why it can't be taken."""
    what = kind.__name__.lower()
    try:
        loaded: Any = point.load()
    except (Exception, SystemExit) as error:
        return f"can't be imported: {told(error)}"
    if not isinstance(loaded, kind):
        return f"is no {what}: it leads to {_a(type(loaded).__name__)}"
    if (name := loaded.name) != point.name:  # type: ignore[attr-defined]
        return f"calls itself `{name}`: give its entry point that name"
    if name in before:
        return f"has a name that is taken: there is already {_a(what)} `{name}`"
    if not name.isidentifier() or name.startswith("_") or name in RESERVED or hasattr(BaseModel, name):
        return "has a name that no entry of a suite can have: rename it"
    return promises.broken(loaded) or refuse(loaded, before) or loaded


def _a(noun: str) -> str:
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def _package(point: EntryPoint) -> str:
    return "an unknown package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
