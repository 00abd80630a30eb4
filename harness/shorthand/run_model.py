"""`RUN:model`: the very model that a run measured, as an entry of a suite's `models:`.

What the run trained is in the cache under a digest that its manifest tells. While text and trainer are what they were,
the entry is the training, as the run's suite has it; else it is the folder that was trained then, for another training
would be another model. Only where that folder is gone it is trained again, which is said.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from harness.errors import UserError, shown
from harness.models.alignment_entry import STAGES
from harness.models.training_evidence import is_trained
from harness.notice import notice
from harness.results.find import find_run, run_folders
from harness.results.run import Run


def model_of_run(run: str, model: str, out: Path, place: str) -> tuple[str, dict[str, Any]]:
    """Name and entry of a model of a run. model: its name, with what tells one of several trainings (`nano seed=1`);
    empty, where the run has one alone. Raises UserError."""
    found = find_run(run, out)
    suite = yaml.safe_load(found.manifest.suite_text) or {}
    models: dict[str, Any] = suite.get("models") or {}
    titles = _titles(found, models)
    if not model and len(titles) == 1:
        model = titles[0]
    fitting = [title for title in titles if title == model] or [
        title for title in titles if title.startswith(f"{model} ")
    ]
    if len(fitting) != 1:
        what = f"the run has no model '{shown(model)}'" if model else "the run has several models"
        what = f"the run trained {shown(model)} {len(fitting)} times" if model and fitting else what
        names = ", ".join(f"'{found.name}:{title}'" for title in (fitting or titles)) or "it has none"
        raise UserError(f"{what}; name one: {shown(names, 1000)}", place=f"{place} {shown(run)}")
    [title] = fitting
    name = title if title in models else title.partition(" ")[0]
    return name, _entry(found, title, dict(models[name]), title.removeprefix(name).split())


def run_called(text: str, out: Path) -> str | None:
    """The run that a bare word names: `latest`, a run's whole name, or the name of its suite, of several the last run;
    None where there is none."""
    folders = run_folders(out)
    if text == "latest" and folders:
        return text
    named = [path for path in folders if path.name == text] or [
        path for path in folders if path.name.partition("-")[2].partition("-")[2] == text
    ]
    return named[-1].name if named else None


def _titles(found: Run, models: dict[str, Any]) -> list[str]:
    """The run's models, one that was trained several times once for each training."""
    trained = list(found.manifest.models)
    titles: list[str] = []
    for name in models:
        several = [title for title in trained if title.startswith(f"{name} ") and title not in models]
        titles += several or [name]
    return titles


def _entry(found: Run, title: str, entry: dict[str, Any], point: list[str]) -> dict[str, Any]:
    """The entry at a point of the axes of its training (`seed=1`)."""
    if not isinstance(entry.get("train"), dict | list):
        return entry
    entry.pop("matrix", None)
    axes = dict(part.split("=", 1) for part in point)
    if "seed" in axes:
        stages = entry["train"] if isinstance(entry["train"], list) else [entry["train"]]
        stages = [_seeded(stage, int(axes["seed"])) for stage in stages]
        entry["train"] = stages if isinstance(entry["train"], list) else stages[0]
    known = found.manifest.models.get(title, {})
    if "compute" not in axes and known.get("digest") in (None, _digest(found.name, entry)):
        return entry
    folder = Path(str(known.get("path", "")))
    if known and is_trained(folder):
        return {"transformers" if known.get("kind") == "transformers" else "reference": str(folder)}
    if "compute" in axes or "from" in entry:
        raise UserError(
            f"what this run trained as {title} is no longer in the cache: run its suite again", place=found.name
        )
    notice(
        f"what {found.name} trained as {title} is no longer in the cache, and its text or the trainer has changed "
        "since: it is trained again, and is another model"
    )
    return entry


def _seeded(stage: dict[str, Any], seed: int) -> dict[str, Any]:
    """A stage at a seed: its own key in pretraining, else one of its method's."""
    method = next((name for name in stage if name in STAGES), None)
    return {**stage, "seed": seed} if method is None else {method: {**stage[method], "seed": seed}}


def _digest(name: str, entry: dict[str, Any]) -> str | None:
    """The digest of the model that this entry makes now; None where its text is gone, say."""
    from harness.execution.resolve import resolve
    from harness.suite.schema import ModelEntry

    try:
        return resolve(name, ModelEntry.model_validate(entry), None, False).source.digest
    except (UserError, ValueError, OSError):
        return None
