"""Python files of task files as modules, in the process that runs them: never in the one that scores.

Without permission a file's source is read before it is run (`fence.check`), and only what the wanted functions need
of it is run; what then runs is fenced in by the kernel. Helper code sees stand-ins for `datasets` and for parts of
`lm_eval`, and files beside it.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib
import importlib.util
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple, Protocol

from harness.errors import UserError
from harness.spelling import nearest
from harness.tasks.code import fence
from harness.tasks.code.datasets_module import datasets_module
from harness.tasks.code.evaluate_module import evaluate_module
from harness.tasks.code.helper_files import is_library, module_file
from harness.tasks.code.lm_eval_classes import AnySplit
from harness.tasks.code.lm_eval_module import stand_in


class Function(Protocol):
    """What a task file names: `config.Function`."""

    @property
    def file(self) -> Path:
        """The file that defines it."""

    @property
    def name(self) -> str:
        """Its name there, or CLASS.METHOD."""


class Named(NamedTuple):
    """A function by its file and its name."""

    file: Path
    name: str


class Modules:
    """Helper files as modules: each is loaded once here, and again by every other `Modules`.

    So what a file keeps (a generator, a counter, a cache, a dictionary that its functions change) is shared by the
    functions of one pass over the documents and can't reach the next.
    """

    def __init__(
        self,
        allow_task_code: bool,
        together: Mapping[Path, tuple[str, ...]] | None = None,
        sources: Mapping[Path, bytes] | None = None,
        imported: Callable[[], None] = lambda: None,
    ) -> None:
        """together: names of a file that share one module. Without permission each function otherwise gets a module
        with only what it needs; where task code is allowed a file is one module anyway. sources: the files that there
        are, where they aren't read from the disk. imported: called after every import of a module that is no
        helper."""
        self._allow = allow_task_code
        self._together = together or {}
        self._sources = sources
        self._imported = imported
        self._loaded: dict[tuple[Path, tuple[str, ...] | None], ModuleType] = {}
        self._objects: dict[tuple[Path, str], Any] = {}

    def __iter__(self) -> Iterator[ModuleType]:
        """The modules that are loaded so far."""
        return iter(self._loaded.values())

    def load(self, function: Function, key: str) -> Callable[..., Any]:
        """The function itself; of `CLASS.METHOD` that method. `key` names it, as `functions_of` writes it.

        Raises UserError where its file or name does not exist, or its file can't be run.
        """
        if not self._is_file(function.file):
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
        return _method(self.object_of(Named(function.file, name)), inner)

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
        code = self._compiled(file, wanted)
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
            if found := self._beside(name, file, level):
                module = self._beside_module(found, name, fromlist or ())
                for wanted in fromlist or ():  # of a package: its files too
                    if not hasattr(module, wanted) and (inner := self._beside(f"{name}.{wanted}", file, level)):
                        setattr(module, wanted, self._module(inner, None))
                return module
            folder = file.parent if level == 1 else file.parents[level - 1] if level else None
            if folder is not None or (fromlist and name.startswith("lm_eval.tasks")):
                return self._package(name, file, level, fromlist or ())
            if name.partition(".")[0] == "lm_eval":
                return _lm_eval(name, fromlist or (), file, self._allow)
            found_module = builtins.__import__(name, globals, locals, fromlist, level)
            self._imported()
            return found_module

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
            if (found := self._beside(inner, file, level)) is None:
                raise UserError(f"imports {inner}, and there is no such file next to it", place=str(file))
            setattr(package, wanted, self._module(found, None))
        return package

    def _compiled(self, file: Path, wanted: tuple[str, ...] | None) -> CodeType:
        """The statements of a file that are run where these names are wanted. Raises UserError with file and line."""
        try:
            source = file.read_bytes() if self._sources is None else self._sources[file]
            tree = ast.parse(source, filename=str(file))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None)
            told = error.args[0] if error.args else type(error).__name__
            raise UserError(f"not valid Python: {told}", place=f"{file}:{line}" if line else str(file)) from None
        if not self._allow:
            tree.body = fence.needed_statements(tree, wanted)

            def beside(name: str, level: int) -> bool:
                return self._beside(name, file, level) is not None or _stands_in(name)

            fence.check(tree.body, file, beside)
        return compile(tree, str(file), "exec")

    def _beside(self, name: str, file: Path, level: int) -> Path | None:
        if not level and is_library(name):
            return None
        found = module_file(name, file.parent, level, self._is_file)
        return None if found == file else found

    def _is_file(self, file: Path) -> bool:
        return file.is_file() if self._sources is None else file in self._sources


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


def _stands_in(name: str) -> bool:
    return name.partition(".")[0] == "lm_eval"


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
