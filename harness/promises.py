"""What a declaration of another package promises by its types: looked at when it is loaded, and held to afterwards.

Python lets a declaration hold anything, and a function return or raise anything. Of what ships, mypy and the tests see
that; of a plugin, this file: what is wrong is said of the plugin, and isn't a fault of the harness.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from harness.errors import UserError, shown, told

_AS_IT_STANDS = ConfigDict(arbitrary_types_allowed=True, strict=True, revalidate_instances="always")


def afresh(value: Any) -> Any:
    """The fields of a model that is there already, for pydantic to look at again: a copy with other ones
    (`model_copy`) was never checked."""
    return dict(value) if isinstance(value, BaseModel) else value


class PluginFailed(UserError):
    """A function that a plugin declares failed, in a way that it doesn't foresee: no cell that asks it can run."""


@dataclass(frozen=True)
class Promises:
    """What every declaration of one kind holds."""

    fields: Mapping[str, Any]
    """The type of each field that is looked at."""
    gives: Mapping[str, Any] = field(default_factory=dict)
    """Of the functions that plans and runs call: the type of what each returns."""

    def broken(self, declaration: Any) -> str | None:
        """Which promise a declaration doesn't hold, as the end of a sentence that begins with the plugin; None where it
        holds all."""
        for name, kind in (*self.fields.items(), *((name, Callable) for name in self.gives)):
            try:
                TypeAdapter(kind, config=_AS_IT_STANDS).validate_python(getattr(declaration, name))
            except ValidationError as error:
                return f"declares `{name}` wrongly: {_first(error)}"
        declaration.settings.model_json_schema()  # an annotation that means nothing would end whatever reads a suite
        return None

    def kept(self, declaration: Any, plugin: str) -> Any:
        """The same declaration, its functions such that whatever goes wrong in one is a PluginFailed: it names the
        `plugin` and the function. A UserError stays what it is."""
        held = {
            name: _held(getattr(declaration, name), kind, f"{plugin} failed in `{name}`")
            for name, kind in self.gives.items()
        }
        return replace(declaration, **held)


def _held(function: Callable[..., Any], kind: Any, failed: str) -> Callable[..., Any]:
    returned: TypeAdapter[Any] = TypeAdapter(kind)

    def held(*given: Any) -> Any:
        try:
            found = function(*given)
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginFailed(f"{failed}: {told(error)}{_where(error)}") from error
        try:
            return returned.validate_python(found)
        except ValidationError as error:
            raise PluginFailed(f"{failed}: of what it returns {_first(error)}") from error

    return held


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, such as `0.kind should be a valid string (it is 3)`."""
    first = error.errors()[0]
    if first["type"] == "value_error":  # a sentence of ours
        return str(first["ctx"]["error"])
    place = "".join(f"{part}." for part in first["loc"]).rstrip(".")
    said = f"{place} {first['msg'].removeprefix('Input ')}".strip()
    return f"{said[0].lower()}{said[1:]} (it is {shown(repr(first['input']))})"


def _where(error: BaseException) -> str:
    """The line of the plugin's that it was raised in; nothing where it was raised in calling it."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return f", in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
