"""Which packages a task needs besides ours: what its Python files import, read off without running them.

Told before a model runs, with the command that installs them. Their versions determine scores, so they are in a cell's
key. An import that its file can do without (`try` ... `except ImportError`) is not needed.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.file_digest import FileState, file_state
from harness.tasks.code import fence
from harness.tasks.code.evaluate_module import METRICS
from harness.tasks.code.functions import functions_of
from harness.tasks.code.helper_files import is_library, module_file
from harness.tasks.code.lm_eval_module import stand_in
from harness.tasks.config import TaskConfig
from harness.tasks.judging.specification import listed_metrics
from harness.tasks.judging.text_scores import CORPUS_SCORES

DISTRIBUTIONS = {
    "antlr4": "antlr4-python3-runtime==4.11",
    "bert_score": "bert-score",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "datasets": "gpt-harness[hub]",
    "iso639": "iso639-lang",
    "kstar_planner": "kstar-planner",
    "lm_eval": "gpt-harness[lm-eval]",
    "math_verify": "math-verify[antlr4_11_0]",
    "PIL": "pillow",
    "rouge_score": "rouge-score",
    "sacrebleu": "gpt-harness[translation]",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}
"""What pip calls a module, where that isn't its own name."""
_OURS = ("harness", "reference_impl")


@dataclass(frozen=True, order=True)
class Need:
    """A module that must be importable."""

    module: str
    """With its dots, such as `sklearn.metrics`."""
    place: str
    """`file:line` of the import."""

    @property
    def package(self) -> str:
        """What pip installs for it."""
        return DISTRIBUTIONS.get(self.top, self.top.replace("_", "-"))

    @property
    def version(self) -> str | None:
        """Of what is installed; None where it isn't."""
        own = self.top if self.package.startswith("gpt-harness") else self.package
        try:
            return importlib.metadata.version(own.partition("=")[0].partition("[")[0])
        except importlib.metadata.PackageNotFoundError:
            return None

    @property
    def top(self) -> str:
        """The module without what is inside of it."""
        return self.module.partition(".")[0]

    @property
    def is_installed(self) -> bool:
        """Whether the package is there."""
        return _places(self.top) is not None

    @property
    def is_here(self) -> bool:
        """Whether it could be imported: looked up, not imported."""
        places = _places(self.top)
        if places is None:
            return False
        for name in self.module.split(".")[1:]:
            if not places:
                return True  # a module that makes what is inside of it, such as `os.path`
            found = [place / name for place in places]
            if not any(one.is_dir() or any(one.parent.glob(f"{name}.*")) for one in found):
                return False
            places = [one for one in found if one.is_dir()]
        return True


def _places(module: str) -> list[Path] | None:
    """The folders of a module that is none of ours; None where there's no such module."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return None if spec is None else [Path(place) for place in spec.submodule_search_locations or ()]


def needs_of(config: TaskConfig, allow_task_code: bool) -> tuple[Need, ...]:
    """Every module of others that judging and asking this task imports, in order of name."""
    wanted: dict[Path, set[str]] = {}
    for _, function in functions_of(config):
        wanted.setdefault(function.file, set()).add(function.name.partition(".")[0])
    found = {need for file, names in wanted.items() for need in _needs(file, tuple(sorted(names)), allow_task_code)}
    scores = {name for listed in listed_metrics(config) for name in (listed.metric, listed.aggregation)}
    if scores & set(CORPUS_SCORES) and config.output_type == "generate_until":
        found.add(Need("sacrebleu", f"{config.file}:metric_list"))
    by_module: dict[str, Need] = {}
    for need in sorted(found):
        by_module.setdefault(need.module, need)
    return tuple(by_module.values())


def missing_sentence(task: str, needs: Iterable[Need]) -> str | None:
    """What must be installed before a task can be asked, as a sentence with the command; None where nothing must."""
    absent = [need for need in needs if not need.is_here]
    new = [need for need in absent if not need.is_installed]
    if new:
        names = list(dict.fromkeys(need.top for need in new))
        packages = " ".join(f"'{package}'" for package in dict.fromkeys(need.package for need in new))
        told = (
            f"{' and '.join(names)}, which {'is' if len(names) == 1 else 'are'} not installed: pip install {packages}"
        )
        return f"the task {task} needs {told} ({new[0].place})"
    if absent:
        old = absent[0]
        told = f"{old.module}, which {old.top} {old.version or ''} doesn't have; install a version of it that does"
        return f"the task {task} needs {told} ({old.place})"
    return None


def _needs(
    file: Path, wanted: tuple[str, ...] | None, allow_task_code: bool, above: tuple[Path, ...] = ()
) -> tuple[Need, ...]:
    try:
        state = file_state(file)
    except OSError:  # told where the function is loaded
        return ()
    return _read_off(file, state, wanted, allow_task_code, above)


@lru_cache(maxsize=4096)
def _read_off(
    file: Path, state: FileState, wanted: tuple[str, ...] | None, allow_task_code: bool, above: tuple[Path, ...]
) -> tuple[Need, ...]:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    used = fence.needed_statements(tree, wanted)
    run = [statement for statement in tree.body if not fence.is_script(statement)] if allow_task_code else used
    found: dict[Need, None] = {}
    for node in [*_imports(run, inside=False), *_imports(used, inside=True)]:
        for name, names in _asked(node):
            found |= dict.fromkeys(_needs_of(name, names, node, file, allow_task_code, above))
    loads = {
        *_calls(used, "load"),
        *(name for one in run if not isinstance(one, _FUNCTIONS) for name in _calls([one], "load")),
    }
    if not loads - set(METRICS):
        found = {need: None for need in found if need.module != "evaluate"}
    if not _calls(used, "load_dataset"):
        found = {need: None for need in found if need.module != "datasets"}
    return tuple(found)


def _needs_of(
    name: str, names: tuple[str, ...], node: ast.stmt, file: Path, allow_task_code: bool, above: tuple[Path, ...]
) -> Iterator[Need]:
    level = node.level if isinstance(node, ast.ImportFrom) else 0
    top = name.partition(".")[0]
    if not level and (is_library(name) or top in _OURS or stand_in(name, names) is not None):
        return
    place = f"{file}:{node.lineno}"
    beside = [(name, names)] + [(f"{name}.{one}" if name else one, ()) for one in names]
    files = [
        (found, inner) for one, inner in beside if (found := module_file(one, file.parent, level)) not in (None, file)
    ]
    for found, inner in files:
        if found is not None and found not in above:
            yield from _needs(found, inner or None, allow_task_code, (*above, file))
    if not files and not level:
        yield Need(name, place)


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _imports(statements: Iterable[ast.AST], inside: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports that must succeed: those that run when a file is loaded, or those inside of its functions."""
    for node in statements:
        if isinstance(node, ast.Import | ast.ImportFrom):
            if not inside:
                yield node
        elif isinstance(node, _FUNCTIONS):
            if inside:
                yield from _imports(ast.iter_child_nodes(node), inside=False)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from _imports(node.orelse, inside)
        elif isinstance(node, ast.Try) and any(_goes_on(handler) for handler in node.handlers):
            yield from _imports([*node.orelse, *node.finalbody], inside)
        else:
            yield from _imports(ast.iter_child_nodes(node), inside)


def _goes_on(handler: ast.ExceptHandler) -> bool:
    """Whether a file goes on where an import failed."""
    caught = "ImportError ModuleNotFoundError Exception" if handler.type is None else ast.dump(handler.type)
    fails = any(name in caught for name in ("ImportError", "ModuleNotFoundError", "'Exception'"))
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(handler))
    return (fails or handler.type is None) and not raises


def _asked(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(module, names that are taken from it)."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, ()) for alias in node.names)
    else:
        yield node.module or "", tuple(alias.name for alias in node.names if alias.name != "*")


def _calls(statements: Iterable[ast.AST], called: str) -> set[str]:
    """The first arguments of all calls of a function or method of that name, as far as they are written out."""
    found = set()
    for node in (node for statement in statements for node in ast.walk(statement)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
            if name == called:
                first = node.args[0] if node.args else None
                found.add(str(first.value) if isinstance(first, ast.Constant) else "")
    return found
