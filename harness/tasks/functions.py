"""Python functions that task files name with `!function`: which may run, and loading them.

Two kinds. Document functions make prompts of documents (`process_docs`, `doc_to_*`, examples): they run behind the
fence of `fence.py`. Everything else judges answers or makes data sets, imports what it likes, and runs only where the
user allowed task code. Helper code sees stand-ins for `datasets` and for parts of `lm_eval`, and files beside it.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from harness.errors import UserError
from harness.spelling import nearest
from harness.tasks import fence
from harness.tasks.config import Function, TaskConfig
from harness.tasks.datasets_module import datasets_module
from harness.tasks.helper_files import is_library, module_file
from harness.tasks.lm_eval_module import lm_eval_module

DOCUMENT_KEYS = frozenset(
    {"process_docs", "doc_to_text", "doc_to_target", "doc_to_choice", "doc_to_decontamination_query", "description"}
    | {f"fewshot_config.{key}" for key in ("samples", "process_docs", "doc_to_text", "doc_to_target", "doc_to_choice")}
)
"""Keys whose functions need no permission."""


def functions_of(config: TaskConfig) -> list[tuple[str, Function]]:
    """Every function that a task names, by the key that names it, such as `metric_list.aggregation`."""
    return list(_functions(config, ""))


def needs_task_code(config: TaskConfig) -> str | None:
    """The first key whose function runs only where task code is allowed; None where there's none."""
    return next((key for key, _ in functions_of(config) if key not in DOCUMENT_KEYS), None)


def load(function: Function, key: str, allow_task_code: bool) -> Callable[..., Any]:
    """The function, or class, itself. `key` is the one that names it, as `functions_of` writes it.

    Raises UserError where it may not run, its file or name does not exist, or its file can't be run.
    """
    if key not in DOCUMENT_KEYS and not allow_task_code:
        raise UserError(
            f"`{key}` is task code ({function.name}), which runs only if you allow it: read the file, "
            "then say --allow-task-code",
            place=str(function.file),
        )
    try:
        changed = function.file.stat().st_mtime_ns
    except OSError:
        raise UserError(
            f"`{key}` names {function.name} in this file, which does not exist", place=str(function.file)
        ) from None
    module = _module(function.file, changed, None if allow_task_code else (function.name,), allow_task_code)
    try:
        return getattr(module, function.name)  # type: ignore[no-any-return]
    except AttributeError:
        raise UserError(
            f"`{key}` names {function.name}, which this file does not define{nearest(function.name, vars(module))}",
            place=str(function.file),
        ) from None


@lru_cache(maxsize=1024)
def _module(file: Path, changed: int, wanted: tuple[str, ...] | None, allow_task_code: bool) -> ModuleType:
    """The file as a module; behind the fence only what `wanted` needs of it (None: everything)."""
    try:
        tree = ast.parse(file.read_bytes(), filename=str(file))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise UserError(f"not valid Python: {error.args[0]}", place=f"{file}:{line}" if line else str(file)) from None
    if not allow_task_code:
        tree.body = fence.needed_statements(tree, wanted)
        fence.check(tree.body, file, lambda name, level: _beside(name, file, level) is not None or _stands_in(name))
    name = hashlib.sha256(f"{file}\n{wanted}\n{allow_task_code}".encode()).hexdigest()[:16]
    module = ModuleType(f"harness_task_code_{name}")
    module.__file__ = str(file)
    vars(module)["__builtins__"] = {**vars(builtins), "__import__": _importer(file, allow_task_code)}
    sys.modules[module.__name__] = module  # dataclasses look their module up there
    try:
        exec(compile(tree, str(file), "exec"), vars(module))
    except UserError:
        raise
    except ImportError as error:
        raise UserError(f"needs a package that isn't here ({error})", place=str(file)) from None
    except Exception as error:  # whatever code of others raises
        raise UserError(f"can't be run: {type(error).__name__}: {error}", place=str(file)) from error
    return module


def _importer(file: Path, allow_task_code: bool) -> Callable[..., Any]:
    """An `__import__` for one helper file: files beside it, stand-ins, then the real thing."""

    def load_module(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: tuple[str, ...] = (),
        level: int = 0,
    ) -> Any:
        if name.partition(".")[0] == "datasets" and not level:
            return datasets_module(allow_task_code)
        if found := _beside(name, file, level):
            module = _beside_module(found, name, fromlist or (), allow_task_code)
            for wanted in fromlist or ():  # of a package: its files too
                if not hasattr(module, wanted) and (inner := _beside(f"{name}.{wanted}", file, level)):
                    setattr(module, wanted, _module(inner, inner.stat().st_mtime_ns, None, allow_task_code))
            return module
        folder = file.parent if level == 1 else file.parents[level - 1] if level else None
        if folder is not None or (fromlist and name.startswith("lm_eval.tasks")):
            return _package(name, file, level, fromlist or (), allow_task_code)
        if name.partition(".")[0] == "lm_eval":
            return _lm_eval(name, fromlist or (), file, allow_task_code)
        return builtins.__import__(name, globals, locals, fromlist, level)

    return load_module


def _beside_module(file: Path, name: str, fromlist: tuple[str, ...], allow_task_code: bool) -> ModuleType:
    if "." in name and not fromlist:
        raise UserError(f"`import {name}` isn't read in task code; write `from {name} import ...`", place=str(file))
    wanted = None if allow_task_code or not fromlist or "*" in fromlist else tuple(fromlist)
    return _module(file, file.stat().st_mtime_ns, wanted, allow_task_code)


def _package(name: str, file: Path, level: int, fromlist: tuple[str, ...], allow_task_code: bool) -> ModuleType:
    """A folder without `__init__.py`: each name that is asked of it is a file in it."""
    package = ModuleType(name or "package")
    for wanted in fromlist:
        inner = f"{name}.{wanted}" if name else wanted
        if (found := _beside(inner, file, level)) is None:
            raise UserError(f"imports {inner}, and there is no such file beside", place=str(file))
        setattr(package, wanted, _module(found, found.stat().st_mtime_ns, None, allow_task_code))
    return package


def _lm_eval(name: str, fromlist: tuple[str, ...], file: Path, allow_task_code: bool) -> ModuleType:
    if fromlist and name in ("lm_eval", "lm_eval.api", "lm_eval.filters"):
        package = ModuleType(name)
        for wanted in fromlist:
            setattr(package, wanted, _lm_eval(f"{name}.{wanted}", (wanted,), file, allow_task_code))
        return package
    module = lm_eval_module(name)
    if module is not None and all(hasattr(module, wanted) or wanted == name.rpartition(".")[2] for wanted in fromlist):
        return module if fromlist else _from_above(module)
    if allow_task_code and importlib.util.find_spec("lm_eval") is not None:
        return importlib.import_module(name)
    asked = f" ({', '.join(fromlist)})" if fromlist else ""
    raise UserError(f"imports {name}{asked}; `pip install gpt-harness[lm-eval]` brings it", place=str(file))


def _from_above(module: ModuleType) -> ModuleType:
    """What `import a.b.c` binds: the package `a`, in which `b.c` is the module."""
    while "." in module.__name__:
        above, _, last = module.__name__.rpartition(".")
        package = ModuleType(above)
        setattr(package, last, module)
        module = package
    return module


def _beside(name: str, file: Path, level: int) -> Path | None:
    if not level and is_library(name):
        return None
    found = module_file(name, file.parent, level)
    return None if found == file else found


def _stands_in(name: str) -> bool:
    return name.partition(".")[0] == "lm_eval"


def _functions(value: Any, key: str) -> Iterator[tuple[str, Function]]:
    if isinstance(value, Function):
        yield key, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            inner = name if not key else key if name in ("steps", "options") else f"{key}.{name}"
            yield from _functions(getattr(value, name), inner)
    elif isinstance(value, Mapping):
        for name, one in value.items():
            # under a way of reasoning a key is what it is elsewhere
            inner = "" if key == "reasoning" else f"{key}.{name}" if key else str(name)
            yield from _functions(one, inner)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _functions(one, key)
