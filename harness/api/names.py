"""Names of what there is of a kind, read from folders and small tables: quick enough for a shell's completion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import WrongArgument, shown
from harness.spelling import nearest

SHIPPED_TASKS = Path(__file__).parents[1] / "tasks" / "shipped"
KINDS = ("suites", "presets", "models", "tasks", "assets", "data")


def names(kind: str, *, tasks_path: Sequence[str | Path] = ()) -> tuple[str, ...]:
    """The names of a kind: `suites`, `presets` of the reference GPT, `models` that are assets, `tasks` (groups and tags
    too), `assets`, or published `data` sets.

    tasks_path: more folders of task files. Nothing heavy is loaded, unlike by `harness.list`, which says more. Raises
    UserError for another kind.
    """
    match kind:
        case "suites":
            from harness.suite.shipped import shipped_suites

            return tuple(shipped_suites())
        case "presets":
            from harness.models.size import preset_rows

            return tuple(name for name, *_ in preset_rows())
        case "models" | "assets":
            from harness.assets.table import ASSETS

            return tuple(sorted(name for name, one in ASSETS.items() if kind == "assets" or one.kind == "model"))
        case "data":
            from harness.published_data import DATA_SETS

            return tuple(sorted(DATA_SETS))
        case "tasks":
            from harness.tasks.files.index import read_index

            return tuple(
                name for root in (SHIPPED_TASKS, *map(Path, tasks_path)) for name in sorted(read_index(root).entries)
            )
    raise WrongArgument(
        f"there is no kind '{shown(kind)}'{nearest(kind, KINDS)}; there are {', '.join(KINDS)}", place="kind"
    )
