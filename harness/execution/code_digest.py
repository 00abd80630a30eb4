"""A hash of the code that determines results: with other code, a cached result is not the same result.

What is listed must be there: a folder that moved and is still listed here under its old name would hash to nothing, and
results of old code would be taken for those of new code. `tests/harness/execution/test_code_digest.py` holds that
everything a worker loads is listed.
"""

import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

from harness.errors import UserError

MEASURING = (
    "harness/models",
    "harness/scoring",
    "harness/tasks",
    "harness/measures",
    "harness/statistics",
    "harness/corpora",
    "harness/fences",
    "harness/common_prefix.py",
    "harness/results/peaks.py",
    "harness/results/stored_weights.py",
    "harness/template_bounds",
    "harness/yaml_files",
    "reference_impl/files",
    "reference_impl/model",
    "reference_impl/inference",
    "reference_impl/decoding",
    "reference_impl/quantization",
    "reference_impl/native",
    "reference_impl/interpret",
    "reference_impl/text",
    "reference_impl/training",
    "reference_impl/alignment",
)
"""What determines a measured number with its interval, given a model."""
SOURCE = (".py", ".cpp", ".hpp")
TRAINING = (
    "harness/models/training.py",
    "harness/models/encoded_corpus.py",
    "harness/models/training_evidence.py",
    "harness/measures/memory_meter.py",
    "harness/corpora",
    "reference_impl/files",
    "reference_impl/model",
    "reference_impl/text",
    "reference_impl/training",
)
"""What determines a pretrained model, and what is known of its training, given its settings."""
ALIGNING = (
    *TRAINING,
    "harness/models/aligning.py",
    "harness/models/alignment.py",
    "harness/models/checkpoint_stage.py",
    "harness/models/adapter_stage.py",
    "reference_impl/alignment",
    "reference_impl/inference",
    "reference_impl/decoding",
    "reference_impl/quantization",
    "reference_impl/native",
)
"""The same of a model that alignment made, whose files are few: an edit of one method has all stages of alignment done
again, and no pretraining."""


def training_code(method: str) -> str:
    """Hash of the code that does trainings of a method (`harness.models.stage`)."""
    return code_digest(TRAINING if method == "pretrain" else ALIGNING)


@cache
def code_digest(packages: tuple[str, ...]) -> str:
    """sha256 over the source files of `packages` (paths below the folder that holds harness and reference_impl).

    Raises FileNotFoundError for a path that names no source file.
    """
    return _digest_of(file for package in packages for file in source_files(package))


@cache
def package_digest(module: str) -> str:
    """sha256 over all files of the package that an imported module belongs to, but for what Python compiles; over the
    file of a module that is in no package.

    Raises UserError where there are no files, as in a zip: an edit could not be told.
    """
    names = module.split(".")
    packages = (sys.modules.get(".".join(names[:length])) for length in range(1, len(names) + 1))
    file = next((package.__file__ for package in packages if package is not None and package.__file__), "")
    path = Path(file)
    inside = [path] if path.is_file() else []
    if path.name == "__init__.py":
        inside = sorted(one for one in path.parent.rglob("*") if one.is_file() and _is_written(one))
    if not inside:
        raise UserError(f"the package of {module} has no files on the disk, so edits could not be told: unpack it")
    return _digest_of((one.relative_to(path.parent).as_posix(), one) for one in inside)


def _digest_of(files_by_name: Iterable[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    for name, path in files_by_name:
        digest.update(name.encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _is_written(path: Path) -> bool:
    return "__pycache__" not in path.parts and path.suffix not in (".pyc", ".pyo")


def source_files(package: str) -> list[tuple[str, Path]]:
    """The source files of a folder, or the one file, each with its name below its package.

    Raises FileNotFoundError where there are none.
    """
    roots = {name: Path(str(files(name))) for name in ("harness", "reference_impl")}
    top, _, rest = package.partition("/")
    named = roots[top] / rest
    inside = [named] if named.is_file() else sorted(path for path in named.rglob("*") if path.suffix in SOURCE)
    if not inside:
        raise FileNotFoundError(
            f"{named}: no source files here, so changes to them could not be told; fix the list in {__file__}"
        )
    return [(path.relative_to(roots[top]).as_posix(), path) for path in inside]
