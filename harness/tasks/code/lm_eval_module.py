"""Stand-ins for what helper code of task files imports from `lm_eval` itself, so that it runs without that package."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from harness.tasks.code.lm_eval_classes import ConfigurableTask, Instance
from harness.tasks.code.lm_eval_filters import Filter, RegexFilter, register_filter

_SPACED = ((" n't", "n't"), (" )", ")"), ("( ", "("), ('" ', '"'), (' "', '"'))


def lm_eval_module(name: str) -> ModuleType | None:
    """The stand-in for a module of lm-eval; None for those that have none."""
    if name not in _NAMES:
        return None
    module = ModuleType(name)
    vars(module).update(_NAMES[name])
    return module


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


def detokenized(text: str) -> str:
    """Text without the blanks that tokenization put around quotes, brackets and punctuation."""
    for spaced, close in _SPACED:
        text = text.replace(spaced, close)
    return re.sub(r" (?=['.,])", "", text)


def weighted_f1(items: Iterable[tuple[Any, Any]]) -> float:
    """F1 of (gold, prediction) pairs, the classes weighted by how often they are gold."""
    pairs = list(items)
    gold, predicted = Counter(right for right, _ in pairs), Counter(given for _, given in pairs)
    hits = Counter(right for right, given in pairs if right == given)
    return sum(count * 2 * hits[label] / (count + predicted[label]) for label, count in gold.items()) / len(pairs)


_NAMES: dict[str, dict[str, Any]] = {
    "lm_eval.api.instance": {"Instance": Instance},
    "lm_eval.api.task": {"ConfigurableTask": ConfigurableTask, "Task": ConfigurableTask},
    "lm_eval.utils": {
        "eval_logger": logging.getLogger("lm-eval"),
        "logging": logging,
        "general_detokenize": detokenized,
        "weighted_f1_score": weighted_f1,
    },
    "lm_eval.api.filter": {"Filter": Filter},
    "lm_eval.api.registry": {"register_filter": register_filter},
    "lm_eval.filters.extraction": {
        "Filter": Filter,
        "RegexFilter": RegexFilter,
        "register_filter": register_filter,
    },
    "lm_eval.api.metrics": {
        "mean": lambda values: sum(values) / len(values),
        "metric_max_over_ground_truths": lambda metric, prediction, truths: max(metric(prediction, t) for t in truths),
    },
}
