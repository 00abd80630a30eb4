"""Python functions that task files name with `!function`: which may run, and loading them.

Two kinds. Document functions make prompts of documents (`process_docs`, `doc_to_*`, examples): they run behind the
fence of `fence.py`. Everything else judges answers or makes data sets, imports what it likes, and runs only where the
user allowed task code. Helper code sees stand-ins for `datasets` and for parts of `lm_eval`, and files beside it.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib.util
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import count
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from pydantic import BaseModel

from harness.errors import UserError
from harness.spelling import nearest
from harness.tasks import fence
from harness.tasks.config import Function, TaskConfig
from harness.tasks.datasets_module import datasets_module
from harness.tasks.evaluate_module import evaluate_module
from harness.tasks.helper_files import is_library, module_file
from harness.tasks.lm_eval_classes import AnySplit
from harness.tasks.lm_eval_module import lm_eval_module

DOCUMENT_KEYS = frozenset(
    {"process_docs", "doc_to_text", "doc_to_target", "doc_to_choice", "doc_to_decontamination_query", "description"}
    | {f"fewshot_config.{key}" for key in ("samples", "process_docs", "doc_to_text", "doc_to_target", "doc_to_choice")}
)
"""Keys whose functions need no permission."""


def functions_of(config: TaskConfig) -> list[tuple[str, Function]]:
    """Every function that a task names, by the key that names it, such as `metric_list.aggregation`."""
    return list(_functions(config, ""))


class Modules:
    """Helper files as modules: each is loaded once here, and anew by every other `Modules`.

    So what a file keeps (a generator, a counter, a cache, a dictionary that its functions change) is shared by the
    functions of one pass over the documents and can't reach the next.
    """

    def __init__(self, allow_task_code: bool, together: Mapping[Path, tuple[str, ...]] | None = None) -> None:
        """together: names of a file that share one module. Behind the fence each function otherwise gets a module with
        only what it needs; where task code is allowed a file is one module anyway."""
        self._allow = allow_task_code
        self._together = together or {}
        self._loaded: dict[tuple[Path, tuple[str, ...] | None], ModuleType] = {}
        self._objects: dict[tuple[Path, str], Any] = {}

    def __iter__(self) -> Iterator[ModuleType]:
        """The modules that are loaded so far."""
        return iter(self._loaded.values())

    def load(self, function: Function, key: str) -> Callable[..., Any]:
        """The function itself; of `CLASS.METHOD` that method. `key` names it, as `functions_of` writes it.

        Raises UserError where it may not run, its file or name does not exist, or its file can't be run.
        """
        if key not in DOCUMENT_KEYS and not self._allow:
            raise UserError(
                f"`{key}` is task code ({function.name}), which runs only if you allow it: read the file, "
                "then say --allow-task-code",
                place=str(function.file),
            )
        if not function.file.is_file():
            raise UserError(
                f"`{key}` names {function.name} in this file, which does not exist", place=str(function.file)
            )
        name, _, inner = function.name.partition(".")
        module = self._sharing(function.file, name)
        if not hasattr(module, name):
            raise UserError(
                f"`{key}` names {name}, which this file does not define{nearest(name, vars(module))}",
                place=str(function.file),
            )
        if not inner:
            return getattr(module, name)  # type: ignore[no-any-return]
        return _method(self.object_of(Function(file=function.file, name=name)), inner)

    def object_of(self, function: Function) -> Any:
        """The object of a task's class, made once. Raises UserError where it can't be made."""
        if (function.file, function.name) not in self._objects:
            made = getattr(self._sharing(function.file, function.name), function.name)
            try:
                self._objects[function.file, function.name] = made()
            except Exception as error:  # whatever code of others raises
                if isinstance(error, UserError):
                    raise
                reason = f"{type(error).__name__}: {error}"
                raise UserError(f"{function.name} can't be made: {reason}", place=str(function.file)) from error
        return self._objects[function.file, function.name]

    def _sharing(self, file: Path, name: str) -> ModuleType:
        if self._allow:
            return self._module(file, None)
        together = self._together.get(file, ())
        if name in together:
            with contextlib.suppress(UserError):  # what another one needs may not be let through
                return self._module(file, together)
        return self._module(file, (name,))

    def _module(self, file: Path, wanted: tuple[str, ...] | None) -> ModuleType:
        """The file as a module; behind the fence only what `wanted` needs of it (None: everything)."""
        if (file, wanted) in self._loaded:
            return self._loaded[file, wanted]
        code = _module(file, file.stat().st_mtime_ns, wanted, self._allow)
        module = ModuleType(f"harness_task_code_{next(_NUMBERS)}")
        module.__file__ = str(file)
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": self._importer(file)}
        _register(module)
        self._loaded[file, wanted] = module
        try:
            exec(code, vars(module))
        except Exception as error:  # whatever code of others raises
            del self._loaded[file, wanted]
            if isinstance(error, UserError):
                raise
            if isinstance(error, ImportError):
                raise UserError(f"needs a package that isn't here ({error})", place=str(file)) from None
            raise UserError(f"can't be run: {type(error).__name__}: {error}", place=str(file)) from error
        return module

    def _importer(self, file: Path) -> Callable[..., Any]:
        """An `__import__` for one helper file: files beside it, stand-ins, then the real thing."""

        def load_module(
            name: str,
            globals: Mapping[str, Any] | None = None,
            locals: Mapping[str, Any] | None = None,
            fromlist: tuple[str, ...] = (),
            level: int = 0,
        ) -> Any:
            if name.partition(".")[0] == "datasets" and not level:
                return datasets_module(self._allow)
            if name == "evaluate" and not level:
                return evaluate_module()
            if not level and (ours := stand_in(name, fromlist or ())) is not None:
                return ours
            if found := _beside(name, file, level):
                module = self._beside_module(found, name, fromlist or ())
                for wanted in fromlist or ():  # of a package: its files too
                    if not hasattr(module, wanted) and (inner := _beside(f"{name}.{wanted}", file, level)):
                        setattr(module, wanted, self._module(inner, None))
                return module
            folder = file.parent if level == 1 else file.parents[level - 1] if level else None
            if folder is not None or (fromlist and name.startswith("lm_eval.tasks")):
                return self._package(name, file, level, fromlist or ())
            if name.partition(".")[0] == "lm_eval":
                return _lm_eval(name, fromlist or (), file, self._allow)
            return builtins.__import__(name, globals, locals, fromlist, level)

        return load_module

    def _beside_module(self, file: Path, name: str, fromlist: tuple[str, ...]) -> ModuleType:
        if "." in name and not fromlist:
            raise UserError(f"`import {name}` isn't read in task code; write `from {name} import ...`", place=str(file))
        return self._module(file, None if self._allow or not fromlist or "*" in fromlist else tuple(fromlist))

    def _package(self, name: str, file: Path, level: int, fromlist: tuple[str, ...]) -> ModuleType:
        """A folder without `__init__.py`: each name that is asked of it is a file in it."""
        package = ModuleType(name or "package")
        for wanted in fromlist:
            inner = f"{name}.{wanted}" if name else wanted
            if (found := _beside(inner, file, level)) is None:
                raise UserError(f"imports {inner}, and there is no such file beside", place=str(file))
            setattr(package, wanted, self._module(found, None))
        return package


@lru_cache(maxsize=1024)
def _module(file: Path, changed: int, wanted: tuple[str, ...] | None, allow_task_code: bool) -> CodeType:
    """The compiled statements of a file that are run where these names are wanted. Raises UserError with file, line."""
    try:
        tree = ast.parse(file.read_bytes(), filename=str(file))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise UserError(f"not valid Python: {error.args[0]}", place=f"{file}:{line}" if line else str(file)) from None
    if not allow_task_code:
        tree.body = fence.needed_statements(tree, wanted)
        fence.check(tree.body, file, lambda name, level: _beside(name, file, level) is not None or _stands_in(name))
    return compile(tree, str(file), "exec")


_NUMBERS = count()
"""Every module that is made has a name of its own: a class of one can't be mistaken for that of another."""
_MOST = 1024
_REGISTERED: deque[str] = deque()


def _register(module: ModuleType) -> None:
    """Put a module where dataclasses and pickle look it up; of very many the oldest are forgotten there."""
    sys.modules[module.__name__] = module
    _REGISTERED.append(module.__name__)
    if len(_REGISTERED) > _MOST:
        sys.modules.pop(_REGISTERED.popleft(), None)


def _lm_eval(name: str, fromlist: tuple[str, ...], file: Path, allow_task_code: bool) -> ModuleType:
    if fromlist and name in ("lm_eval", "lm_eval.api", "lm_eval.filters"):
        package = ModuleType(name)
        for wanted in fromlist:
            setattr(package, wanted, _lm_eval(f"{name}.{wanted}", (wanted,), file, allow_task_code))
        return package
    if (module := stand_in(name, fromlist)) is not None:
        return module
    if allow_task_code and importlib.util.find_spec("lm_eval") is not None:
        return importlib.import_module(name)
    asked = f" ({', '.join(fromlist)})" if fromlist else ""
    raise UserError(f"imports {name}{asked}; `pip install gpt-harness[lm-eval]` brings it", place=str(file))


def stand_in(name: str, fromlist: tuple[str, ...]) -> ModuleType | None:
    """Our own module in the place of one of lm-eval's, if it has what is asked, also where lm-eval lies beside."""
    module = lm_eval_module(name)
    own = name.rpartition(".")[2]
    if module is None or not all(hasattr(module, wanted) or wanted == own for wanted in fromlist):
        return None
    return module if fromlist else _from_above(module)


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


def _method(task: Any, name: str) -> Callable[..., Any]:
    """A method of a task's class, or, of `aggregation.KEY`, what it gives for that key. Raises AttributeError."""
    method, _, key = name.partition(".")
    found = getattr(task, method)
    if method.endswith("_docs"):
        return lambda rows: _documents(task, found, rows)
    return found()[key] if key else found  # type: ignore[no-any-return]


def _documents(task: Any, method: Callable[[], Any], rows: Any) -> Any:
    task.dataset = AnySplit(rows)
    return method()
