"""Which modules helper files import when they are loaded: a new process has them sooner if the server has them
already."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from harness.tasks.code.helper_files import module_file

_LATER = {b"shuffle": "numpy", b"train_test_split": "numpy", b"_pandas": "pandas"}
"""Words of a source that stand for what the stand-in for `datasets` imports when it is asked."""
_STAND_INS = ("datasets", "evaluate", "lm_eval")


def imported_modules(sources: Mapping[Path, bytes]) -> list[str]:
    """Names of modules that none of the files is, and that have no stand-in."""
    found = {
        name: None
        for file, source in sources.items()
        for name in _imported(source)
        if name.partition(".")[0] not in _STAND_INS and module_file(name, file.parent, 0, sources.__contains__) is None
    }
    return list(found)[:200]


@lru_cache(maxsize=256)
def _imported(source: bytes) -> tuple[str, ...]:
    try:
        names = list(_names(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # told where the file is loaded
        return ()
    names += [module for word, module in _LATER.items() if word in source]
    return tuple("numpy.random" if name == "numpy" else name for name in names)


def _names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module
