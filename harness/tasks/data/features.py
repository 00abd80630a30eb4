"""What is known of the columns of a data set, as plain values and back: names of classes, kinds of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any


class ClassLabel:
    """The feature of a column of class numbers: knows the classes' names."""

    def __init__(self, num_classes: int | None = None, names: Sequence[str] | None = None) -> None:
        self.names = list(names) if names is not None else [str(index) for index in range(num_classes or 0)]
        self.num_classes = len(self.names)

    def int2str(self, value: int) -> str:
        """Name of a class."""
        return self.names[value]

    def str2int(self, value: str) -> int:
        """Number of a class. Raises ValueError for an unknown name."""
        return self.names.index(value)


def told_features(features: Mapping[str, Any] | None) -> dict[str, Any]:
    """By column: the names of its classes, what its lists hold, or the name of its type; None where nothing is
    known."""
    return {str(name): _told(feature) for name, feature in (features or {}).items()}


def features_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """The features that `told_features` told."""
    return {name: _made(one) for name, one in told.items()}


def _told(feature: Any) -> Any:
    if isinstance(names := getattr(feature, "names", None), list):
        return {"names": [str(name) for name in names]}
    if (inner := getattr(feature, "feature", None)) is not None and not isinstance(inner, dict):
        return {"feature": _told(inner)}
    return {"dtype": kind} if isinstance(kind := getattr(feature, "dtype", None), str) else None


def _made(told: Any) -> Any:
    if told is None:
        return None
    if "names" in told:
        return ClassLabel(names=told["names"])
    return SimpleNamespace(feature=_made(told["feature"])) if "feature" in told else SimpleNamespace(**told)
