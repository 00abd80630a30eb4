"""`harness.list`: what suites, one-liners and functions may name, as tables."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.errors import WrongArgument, shown
from harness.spelling import nearest

if TYPE_CHECKING:
    import pandas as pd
    from pydantic.fields import FieldInfo

Rows = builtins.list[dict[str, Any]]


def list(kind: str = "", *, tasks_path: Sequence[str] = ()) -> pd.DataFrame:
    """What there is of a kind, a row for each: `suites`, `measures`, `models`, `corpora`, `tasks`, `laws`, `analyses`,
    `assets`, `data`, `plugins`. Left out: the kinds, with how many there are.

    tasks_path: more folders of task files. Raises UserError for another kind.
    """
    import pandas as pd

    kinds: dict[str, Callable[[], Rows]] = {
        **{"suites": _suites, "measures": _measures, "models": _models, "corpora": _corpora},
        **{"tasks": lambda: _tasks(tuple(tasks_path)), "laws": _laws, "analyses": _analyses},
        **{"assets": _assets, "data": _data, "plugins": _plugins},
    }
    if not kind:
        return pd.DataFrame([{"kind": name, "count": len(rows())} for name, rows in kinds.items()])
    if kind not in kinds:
        raise WrongArgument(
            f"there is no kind '{shown(kind)}'{nearest(kind, kinds)}; there are {', '.join(kinds)}", place="kind"
        )
    return pd.DataFrame(kinds[kind]())


def _suites() -> Rows:
    from harness.suite.document import read_suite_file
    from harness.suite.shipped import shipped_suites

    return [
        {"name": name, "about": str(read_suite_file(path).data.get("about", "")), "file": str(path)}
        for name, path in shipped_suites().items()
    ]


def _measures() -> Rows:
    """A row for each metric and each setting."""
    from harness.measures.registry import MEASURES

    rows: Rows = []
    for measure in MEASURES.values():
        rows += [{"measure": measure.name, **row} for row in _settings(measure.settings.model_fields)]
        rows += [
            {
                **{"measure": measure.name, "what": "metric", "name": metric.name, "unit": metric.unit},
                **{"better": str(metric.direction), "about": metric.definition},
            }
            for metric in measure.metrics
        ]
    return rows


def _models() -> Rows:
    from harness import assets
    from harness.models.size import preset_rows

    presets = [
        {
            "name": name,
            "kind": "preset",
            "parameters": numbers[0],
            "layers": numbers[1],
            "about": "of the reference GPT",
        }
        for name, *numbers in preset_rows()
    ]
    return presets + [
        {"name": f"asset:{one.asset.name}", "kind": "asset", "about": one.asset.about, "here": one.present}
        for one in assets.status()
        if one.asset.kind == "model"
    ]


def _corpora() -> Rows:
    from harness import corpora

    return [{"name": one.spec, "about": one.about} for one in corpora.corpora()]


def _tasks(paths: tuple[str, ...]) -> Rows:
    from harness.tasks.files.library import TaskLibrary

    return [{"name": one.name, "kind": one.kind, "file": one.file} for one in TaskLibrary(paths).names()]


def _laws() -> Rows:
    from harness.analysis.scaling.laws.registry import LAWS

    return [
        {"name": law.name, "formula": law.formula, "parameters": ", ".join(law.names), "source": law.source}
        for law in LAWS.values()
    ]


def _analyses() -> Rows:
    from harness.analysis.registry import ANALYSES

    return [{"name": one.name, "about": one.about} for one in ANALYSES.values()]


def _assets() -> Rows:
    from harness import assets

    return [
        {
            **{"name": one.asset.name, "kind": one.asset.kind, "bytes": one.asset.download_size},
            **{"license": one.asset.license, "here": one.present, "about": one.asset.about},
        }
        for one in assets.status()
    ]


def _data() -> Rows:
    from harness import assets, published_data

    return [
        {
            "name": name,
            "about": one.about,
            "license": assets.asset(name).license,
            "here": published_data.where(name) is not None,
        }
        for name, one in published_data.DATA_SETS.items()
    ]


def _plugins() -> Rows:
    import harness.suite.schema  # noqa: F401 (every registry is behind it)
    from harness.plugins import known_plugins

    return [asdict(one) for one in known_plugins()]


def _settings(fields: Mapping[str, FieldInfo]) -> Iterator[dict[str, Any]]:
    for name, info in fields.items():
        default = "required" if info.is_required() else f"default {info.get_default(call_default_factory=True)}"
        yield {"what": "setting", "name": name, "about": f"{info.description or ''} ({default})"}
