"""Training states of version 1, which held one model and one optimizer without names, as they would be written now."""

from __future__ import annotations

import json
from typing import Any

from torch import Tensor

NAME = "model"
"""What pretraining calls its module and its optimizer since then."""


def migrated(told: str, tensors: dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors of version 2. KeyError, TypeError and ValueError for what is no state of version 1."""
    old = json.loads(told)
    identity = old["identity"]
    header = {
        "format": old["format"],
        "version": 2,
        "settings": {**identity["config"], **identity["settings"]},
        "digests": {f"{which} tokens": identity[f"{which}_tokens"] for which in ("train", "validation")},
        "step": old["step"],
        "seconds": old["seconds"],
        "curve": [_report(point) for point in old["curve"]],
    }
    return header, {_renamed(name): tensor for name, tensor in tensors.items()}


def _report(point: dict[str, Any]) -> dict[str, Any]:
    values = {"loss": float(point["loss"])}
    if point["validation_loss"] is not None:
        values["validation_loss"] = float(point["validation_loss"])
    return {
        "step": point["step"],
        "steps": point["steps"],
        "values": values,
        "rates": {NAME: float(point["learning_rate"])},
        "seconds": point["tokens"] / float(point["tokens_per_second"]),
    }


def _renamed(name: str) -> str:
    kind, _, rest = name.partition(".")
    if kind == "model":
        return f"model.{NAME}.{rest}"
    if kind == "optimizer":
        return f"optimizer.{NAME}.{NAME}.{rest}"
    if kind == "sum":
        return {"loss_sum": "sum.of.loss", "loss_steps": "sum.counted"}.get(rest, name)
    return name
