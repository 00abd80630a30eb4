"""A hash of the code that determines results: with other code, a cached result is not the same result."""

import hashlib
from functools import cache
from pathlib import Path

import reference_impl

MEASURING = (
    "harness/models",
    "harness/scoring",
    "harness/tasks",
    "harness/measures",
    "harness/statistics",
    "harness/corpora",
    "reference_impl/model",
    "reference_impl/inference",
    "reference_impl/decoding",
    "reference_impl/quantization",
    "reference_impl/native",
    "reference_impl/interpret",
    "reference_impl/text",
    "reference_impl/training/checkpoint.py",
)
"""What determines a measured number with its interval, given a model."""
SOURCE = (".py", ".cpp", ".hpp")
TRAINING = (
    "harness/models/training.py",
    "harness/models/training_evidence.py",
    "harness/corpora/training.py",
    "reference_impl/model",
    "reference_impl/text",
    "reference_impl/training",
)
"""What determines a trained model, given its settings."""


@cache
def code_digest(packages: tuple[str, ...]) -> str:
    """sha256 over the source files of `packages` (paths below the folder that holds harness and reference_impl)."""
    roots = {"harness": Path(__file__).parents[1], "reference_impl": Path(reference_impl.__file__).parent}
    digest = hashlib.sha256()
    for package in packages:
        top, _, rest = package.partition("/")
        named = roots[top] / rest
        inside = (path for path in named.rglob("*") if path.suffix in SOURCE)
        for path in [named] if named.is_file() else sorted(inside):
            digest.update(path.relative_to(roots[top]).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
