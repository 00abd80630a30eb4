"""An arm that runs a model becomes an arm that calls a function: the model is found, fetched or trained once here, and
opened and run by `model_work` in the arm's own environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import harness
from harness.api.runs import ready_model
from harness.errors import UserError, shown
from harness.gate.arms.arm import Arm
from harness.gate.arms.model_choice import ModelChoice
from harness.gate.arms.model_part import ModelWork
from harness.models.contract import PRECISIONS, ModelSource
from harness.models.resolved import Resolved
from harness.models.training import Training
from harness.models.training_steps import as_data
from harness.spelling import nearest
from harness.suite.load import load_suite
from harness.suite.schema import ModelEntry

MODULE = "harness.gate.arms.model_work"


def with_model(
    arm: Arm, work: ModelWork, side: str, suite: str, trust_remote_code: bool, threads: int, tell: Callable[[str], None]
) -> Arm:
    """The arm as a call of `model_work`. suite: where a model is looked for that is named. Raises UserError."""
    place, choice = f"arm {side}", arm.choice.model
    entry = entry_of(choice, suite, place)
    precision = choice.precision or "fp32"
    if precision not in PRECISIONS:
        raise UserError(
            f"there is no precision '{shown(precision)}'{nearest(precision, PRECISIONS)}; there are "
            f"{', '.join(PRECISIONS)}",
            place=place,
        )
    if "logits" not in entry.adapter.capabilities:
        raise UserError(
            f"a model of `{entry.adapter.name}` gives no logits, so there are no passes to time: give a `call` of your "
            "own that asks it",
            place=place,
        )
    if (why := entry.adapter.why_not(precision)) is not None:
        raise UserError(why, place=place)
    try:
        resolved = ready_model(
            choice.name or side,
            entry,
            trust_remote_code=trust_remote_code,
            threads=threads,
            prepare=work.part != "training",
            tell=tell,
        )
    except UserError as error:
        raise UserError(error.message, place=place) from None
    source = replace(resolved.source, precision=precision, device=choice.device or "cpu")
    call, setup, arguments = _called(work, resolved, source, place)
    named = replace(choice, name="", entry=_as_written(entry)) if choice.name else choice
    described = {
        "model": named.words,
        "weights": source.digest,
        "precision": source.precision,
        "device": source.device,
        "trust_remote_code": source.trust_remote_code,
        **asdict(work),
    }
    made = replace(arm.choice, call=call, setup=setup, arguments=arguments)
    return replace(arm, choice=made, described=described, words=f"{choice}, {work}", after=_harness_of(arm))


def entry_of(choice: ModelChoice, suite: str, place: str) -> ModelEntry:
    """The model of an arm as a suite's entry. Raises UserError."""
    if choice.name:
        if not suite:
            raise UserError(
                f"the model '{shown(choice.name)}' is looked for in a suite: name it with --suite", place=place
            )
        models = load_suite(suite).suite.models
        if choice.name not in models:
            close = nearest(choice.name, models)
            there = ", ".join(models)
            raise UserError(f"{suite} has no model '{shown(choice.name)}'{close} (it has {there})", place=place)
        return models[choice.name]
    try:
        return ModelEntry.model_validate(dict(choice.entry))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{key + ': ' if key else ''}{first['msg'].removeprefix('Value error, ')}", place=place
        ) from None


def _called(work: ModelWork, resolved: Resolved, source: ModelSource, place: str) -> tuple[str, str, Mapping[str, Any]]:
    """Call, setup and arguments."""
    if work.part == "training":
        if not isinstance(resolved.training, Training):
            raise UserError("only a model that is trained has a training to time: give it `train=`", place=place)
        if source.precision != "fp32":
            raise UserError("a training is the same at every precision; leave out `precision`", place=place)
        told = {"training": as_data(resolved.training), "steps": work.steps, "device": source.device}
        return f"{MODULE}:training", f"{MODULE}:training_begun", told
    told = {
        "source": source_as_data(source),
        "prompt": work.prompt,
        "generate": 1 if work.part == "prefill" else work.generate,
        "batch": work.batch,
        "seed": work.seed,
    }
    return f"{MODULE}:{work.part}", f"{MODULE}:opened", told


def source_as_data(source: ModelSource) -> dict[str, Any]:
    """Where a model comes from, as plain data: what another version of the harness may not know is left out where it
    says nothing."""
    return {one.name: value for one in fields(source) if (value := getattr(source, one.name)) != one.default}


def _as_written(entry: ModelEntry) -> dict[str, Any]:
    data: dict[str, Any] = entry.model_dump(mode="json", exclude_unset=True)
    data.pop("matrix", None)
    return data


def _harness_of(arm: Arm) -> tuple[str, ...]:
    """The checkout of the harness that runs this, for an arm of this environment, where it is one: what compares is
    then what opens the models, unless a revision of it is under test."""
    root = Path(str(harness.__file__)).resolve().parents[1]
    own = arm.built and not arm.choice.revision and not arm.ahead
    installed = "site-packages" in root.parts or "dist-packages" in root.parts
    return () if own or arm.choice.python or installed else (str(root),)


def lacks_harness(message: str) -> str:
    """What to do where an arm's environment has no harness that can open a model; empty where that isn't it."""
    none = any(f"there is no module {name} in" in message for name in ("harness", MODULE))
    half = "No module named" in message and re.search(r"/harness/[\w/]+\.py:\d+\)", message) is not None
    if not (none or half):
        return ""
    root = Path(str(harness.__file__)).resolve().parents[1]
    what = str(root) if (root / "pyproject.toml").is_file() else f"gpt-harness=={harness.__version__}"
    return (
        "; a model is opened by the harness of its arm, with all that it needs: install this one there "
        f"(`install={what}` beside the others)"
    )
