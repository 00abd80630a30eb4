"""Whether a model that tasks chat with has a chat template: told from its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.execution.plan import Plan, PlannedCell
from harness.execution.preflight.check import Impossible
from harness.execution.resolve import path_of_model
from harness.models.bounded_files import settings_or_nothing

TEMPLATES = ("chat_template.jinja", "chat_template.json", "additional_chat_templates/*.jinja")
"""Files that hold a template, beside the one in tokenizer_config.json."""


def check_chat(plan: Plan, items: Sequence[PlannedCell]) -> Iterator[Impossible]:
    """Cells with `chat: true` of models without a template: they are skipped."""
    of_model: dict[str, list[PlannedCell]] = {}
    for item in items:
        if getattr(item.cell.typed, "chat", False) is True:
            of_model.setdefault(item.cell.model, []).append(item)
    for name, cells in of_model.items():
        if _has_none(cells[0]):
            why = "this model has no chat template, which `chat: true` asks for: ask it by an entry of its own without"
            yield Impossible(path_of_model(name, plan.suite.models[name]), why, tuple(cells), skipped=True)


def _has_none(item: PlannedCell) -> bool:
    """Whether it is known that there is none; of what lies elsewhere, nothing is."""
    folder = Path(item.source.path)
    if item.source.kind == "reference":  # its own checkpoints have tokenizers without one
        return True
    if item.source.kind not in ("transformers", "converted") or not folder.is_dir() or item.source.trust_remote_code:
        return False
    written = settings_or_nothing(folder / "tokenizer_config.json")
    if written.get("chat_template") or written.get("auto_map"):
        return False
    return not any(any(folder.glob(name)) for name in TEMPLATES)
