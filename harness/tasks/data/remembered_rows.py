"""What the library `datasets` remembers of `map` and `filter`, for the mode lm-eval.

lm-eval prepares a task's documents several times. Of the same rows and the same function `datasets` gives what it
computed the first time, so that a helper's generator does not move on; and a function is the same while all that it
refers to is: its code, the module's variables that it uses, a generator's state. This holds for a first run; a run that
finds an earlier one's files in the cache of `datasets` has other documents there, wherever a helper keeps a generator.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from harness.tasks.data.rows import Rows

Memory = dict[str, Any]
"""Key of a call -> the rows that it gave."""


class RememberedRows(Rows):
    """Rows that know where they come from: a method that is called again the same way isn't run again.

    Rows that a helper makes itself (`from_list`) come from nowhere.
    """

    _memory: Memory | None = None
    _origin = ""

    @classmethod
    def of(cls, rows: Rows, memory: Memory, origin: str) -> RememberedRows:
        """These rows, which `origin` says all of."""
        made = cls(rows.plain, rows._features)
        made._memory, made._origin = memory, origin
        return made


def _remembering(name: str) -> Callable[..., Any]:
    method = getattr(Rows, name)

    def call(self: RememberedRows, *arguments: Any, **options: Any) -> Any:
        key = call_key(self._origin, name, arguments, options)
        if self._memory is None or key is None or options.get("load_from_cache_file") is False:
            return method(self, *arguments, **options)
        if key not in self._memory:
            self._memory[key] = method(self, *arguments, **options)
        made = self._memory[key]
        if isinstance(made, dict):
            return {part: RememberedRows.of(rows, self._memory, f"{key} {part}") for part, rows in made.items()}
        return RememberedRows.of(made, self._memory, key)

    return call


for _name in (
    *("map", "filter", "select", "take", "skip", "sort", "select_columns", "remove_columns", "rename_column"),
    *("rename_columns", "add_column", "flatten_indices"),
):
    setattr(RememberedRows, _name, _remembering(_name))


def _drawing(name: str) -> Callable[..., Any]:
    method, remembering = getattr(Rows, name), _remembering(name)

    def call(self: RememberedRows, *arguments: Any, **options: Any) -> Any:
        return (method if options.get("seed") is None and not arguments else remembering)(self, *arguments, **options)

    return call


for _name in ("shuffle", "train_test_split"):
    setattr(RememberedRows, _name, _drawing(_name))


def call_key(origin: str, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> str | None:
    """Equal for two calls between which nothing changed that they refer to; None where that can't be told."""
    target = io.BytesIO()
    try:
        _Told(target).dump((origin, name, arguments, sorted(options.items())))
    except Exception:  # whatever can't be written down: `datasets` computes those again too
        return None
    return hashlib.sha256(target.getvalue()).hexdigest()


class _Told(pickle.Pickler):
    """Writes down what code refers to: functions and classes of helper files by what they are made of."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, ModuleType):
            return str, (obj.__name__,)
        if isinstance(obj, CodeType):
            return str, (repr((obj.co_code, obj.co_names, obj.co_varnames)),), [_constants(obj)]
        if isinstance(obj, CellType):
            return str, ("cell",), [obj.cell_contents]
        if isinstance(obj, FunctionType) and _is_helper(obj.__module__) and not _by_name(obj):
            parts = [obj.__code__, sorted(_used(obj).items()), obj.__defaults__, obj.__kwdefaults__, obj.__closure__]
            return str, (obj.__qualname__,), parts
        if isinstance(obj, FunctionType) and obj.__name__ == "<lambda>":
            return str, (obj.__qualname__,), [obj.__code__, obj.__defaults__, obj.__closure__]
        if isinstance(obj, type) and _is_helper(obj.__module__):
            held = {name: value for name, value in vars(obj).items() if not name.startswith("__")}
            return str, (obj.__qualname__,), [sorted(held.items())]
        if isinstance(obj, random.Random):
            return str, (repr(obj.getstate()),)
        return NotImplemented


def _constants(code: CodeType) -> list[Any]:
    return [constant if isinstance(constant, CodeType) else repr(constant) for constant in code.co_consts]


def _used(function: FunctionType) -> dict[str, Any]:
    """The module's variables that a function uses, or a function of the module that it uses."""
    found: dict[str, Any] = {}
    waiting = [function]
    while waiting:
        for name in _names(waiting.pop().__code__):
            if name in function.__globals__ and name not in found:
                found[name] = function.__globals__[name]
                waiting += [found[name]] if isinstance(found[name], FunctionType) else []
    return found


def _names(code: CodeType) -> set[str]:
    """The names that code uses, that of functions inside included."""
    inner = (name for constant in code.co_consts if isinstance(constant, CodeType) for name in _names(constant))
    return {*code.co_names, *inner}


def _is_helper(module: str | None) -> bool:
    return str(module).startswith("harness_task_code_")


def _by_name(function: FunctionType) -> bool:
    """Whether `datasets` knows a function by its name alone: it stands at the top of a file that lm-eval's loader puts
    among the modules under a name without a dot, which is its path. Files of lm-eval's own folder have dots."""
    file = Path(str(function.__globals__.get("__file__"))).resolve().with_suffix("")
    if "/lm_eval/tasks/" in str(file) or "." in str(file):
        return False
    return getattr(sys.modules.get(function.__module__), function.__qualname__, None) is function
