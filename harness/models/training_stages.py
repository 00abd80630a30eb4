"""The stages of an entry's `train:`, resolved: each a model that the next one starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from harness.cache import cache_folder
from harness.corpora.training import training_digest
from harness.errors import UserError
from harness.models.adapter import Point
from harness.models.alignment import Alignment, data_digest
from harness.models.alignment_entry import Aligning
from harness.models.checkpoint_stage import CheckpointOf
from harness.models.compute_budget import with_compute
from harness.models.contract import ModelSource
from harness.models.digest import hash_of
from harness.models.resolved import Resolved
from harness.models.stage_checks import check_drawing_model, check_reward_model, check_stage
from harness.models.training import Training
from harness.models.training_entry import RECIPE, Train
from reference_impl.alignment.settings.checkpoints import CheckpointSettings, checkpoint_name


def with_stages(
    name: str, before: Resolved, entries: Sequence[Train | Aligning], point: Point, *, done: int = 0
) -> Resolved:
    """The model that these stages make of another. done: so many of them are made already.

    Raises UserError where one of them can't start from the one before it, and where something isn't there that it
    reads.
    """
    found = before
    for number, entry in list(enumerate(entries))[done:]:
        place = place_of_stage(name, number, len(entries))
        train = entry if isinstance(entry, Train) else entry.pretrain
        if train is not None:
            found = _trained_on(name, found, train, point, place)
        else:
            assert isinstance(entry, Aligning)
            found = _aligned(name, found, entry, point, place)
    return found


def place_of_stage(name: str, number: int, count: int) -> str:
    """Where a suite says of a model what a stage is."""
    return f"models.{name}.train" if count == 1 else f"models.{name}.train.{number}"


def pretrained(name: str, training: Training, before: Resolved | None, point: Point, place: str) -> Resolved:
    """A stage of pretraining, kept under the digest of all that determines it: itself and the stages before it."""
    training.check(place=place)
    if point.compute is not None:
        training = with_compute(training, point.compute, place=place)
    try:
        corpus_digest = training_digest(training.corpus)
    except UserError as error:
        told = error.message if training.corpus in error.message else f"{training.corpus}: {error.message}"
        raise UserError(told, place=f"{place}.corpus") from None
    determined_by = asdict(replace(training, after=None)) | {
        "corpus_digest": corpus_digest,
        "code": point.training_code(training.method),
    }
    del determined_by["after"]
    if before is not None:
        determined_by["after"] = before.source.digest
    digest = hash_of(determined_by)
    folder = cache_folder("models") / f"{training.preset}-{digest[:24]}"
    return Resolved(ModelSource(name, "reference", str(folder), digest), training=training, before=before)


def _trained_on(name: str, before: Resolved, entry: Train, point: Point, place: str) -> Resolved:
    """A model that is pretrained further: it keeps the shape and the tokenizer of its first stage."""
    last = next((stage.training for stage in reversed(before.stages) if isinstance(stage.training, Training)), None)
    if last is None:
        raise UserError(
            f"a stage of pretraining goes on with a model that the suite pretrains, and {before.source.name} is none; "
            "give it a stage of alignment (`sft`, `dpo` …)",
            place=place,
        )
    training = replace(
        last,
        corpus=entry.corpus,
        seed=entry.seed if point.seed is None else point.seed,
        held_out=entry.held_out,
        shape={key: value for key, value in last.shape.items() if key != "dropout"} | entry.given("dropout"),
        recipe=entry.given(*RECIPE),
        after=last,
    )
    return pretrained(name, training, before, replace(point, compute=None), place)


def _aligned(name: str, before: Resolved, entry: Aligning, point: Point, place: str) -> Resolved:
    """A stage of alignment, kept under the digest of all that determines it."""
    stage = entry.alignment(point.seed)
    place = f"{place}.{stage.method}"
    check_stage(stage, before, place)
    asked = []
    for what, other in entry.asked.items():
        try:
            model = point.other(other)
            (check_drawing_model if what == "drawn.model" else check_reward_model)(other, model, before)
        except UserError as error:
            raise UserError(error.message, place=f"{place}.{what}") from None
        asked.append((what, model))
    determined_by = asdict(stage.with_models(dict.fromkeys(entry.asked, ""))) | {
        "data_digest": data_digest(stage, place),
        "code": point.training_code(stage.method),
        "before": before.source.digest,
        "asked": {what: model.source.digest for what, model in asked},
    }
    digest = hash_of(determined_by)
    folder = cache_folder("models") / f"{stage.method}-{digest[:24]}"
    source = replace(before.source, name=name, path=str(folder), digest=digest, files=None, revision=None)
    return Resolved(source, training=stage, before=before, asked=tuple(asked))


def checkpoint_of(name: str, before: Resolved, at: str, place: str) -> Resolved:
    """The model that a stage was at a moment. Raises UserError where it keeps no such checkpoint."""
    try:
        at = checkpoint_name(at)
    except ValueError as error:
        raise UserError(str(error), place=place) from None
    stage = before.training
    if not isinstance(stage, Alignment) or stage.checkpoints is None:
        raise UserError(
            f"{before.source.name} keeps no checkpoints; give its last stage `checkpoints`, such as "
            f"`checkpoints: {{{at.replace('=', ': [')}]}}`",
            place=place,
        )
    there = CheckpointSettings(**stage.checkpoints).names
    if at not in there:
        raise UserError(
            f"{before.source.name} keeps no checkpoint {at}, but {', '.join(there)}; add it to its `checkpoints`",
            place=place,
        )
    digest = hash_of({"checkpoint": at, "before": before.source.digest})
    folder = cache_folder("models") / f"checkpoint-{digest[:24]}"
    source = ModelSource(name, before.source.kind, str(folder), digest)
    return Resolved(source, training=CheckpointOf(at, stage.method), before=before)
