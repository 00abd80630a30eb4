"""What can't be aligned, told before anything is trained: by what a stage starts from and the models that it asks."""

from __future__ import annotations

import json
from pathlib import Path

from harness.errors import UserError
from harness.models.alignment import Alignment
from harness.models.digest import hash_of
from harness.models.resolved import Resolved
from harness.models.training import Training
from harness.models.transformers_adapter import is_cached
from reference_impl.alignment.settings.reward import REWARD_HEAD
from reference_impl.alignment.settings.scorers import CONSTANT, SCORERS
from reference_impl.alignment.stages.data_settings import ASSISTANT, MICROWORLD, SUMS

TRAINABLE = ("reference", "converted", "transformers")
"""Kinds of models that a stage can train."""


def check_stage(stage: Alignment, before: Resolved, place: str) -> None:
    """UserError where the model that the stage starts from can't be trained so, or its data have none of what it learns
    from."""
    kind, name, data = before.source.kind, before.source.name, stage.settings.data
    if kind not in TRAINABLE:
        raise UserError(
            f"a stage of alignment trains a model of `reference` or `transformers`, and {name} is one of `{kind}`; "
            "save it in a folder and name that",
            place=place,
        )
    if stage.lora is not None and kind == "reference":
        raise UserError(
            f"LoRA is for models of `transformers`, and {name} is a GPT of ours, which is trained whole; remove `lora`",
            place=f"{place}.lora",
        )
    first = before.first
    is_there = first.training is None and (first.asset is None or first.ready)
    is_folder = Path(first.source.path).is_dir()
    if first.training is None and first.asset is None and not is_folder and not is_cached(first.source.path):
        raise UserError(
            f"{name} is a model of the hub that is not in its local cache, and a stage fetches nothing: fetch it (`hf "
            f"download {first.source.path}`)",
            place=place,
        )
    if (
        is_there
        and first.source.kind == "transformers"
        and data in (MICROWORLD, ASSISTANT)
        and is_folder
        and no_template(first)
    ):
        raise UserError(
            f"`{data}` holds dialogs, and the tokenizer of {first.source.name} has no chat template that they "
            f"could be written by; take data whose prompts are texts (`{SUMS}`, a file), give the tokenizer a template "
            "(`chat_template.jinja`), or start from a chat model",
            place=f"{place}.data",
        )
    for where, judge in stage.judges.items():
        if judge in SCORERS and SCORERS[judge].needs_answer and data in (MICROWORLD, ASSISTANT):
            raise UserError(
                f"prompts of `{data}` say no answer that a response could be judged by; take `{SUMS}`, a file "
                "whose rows have an `answer`, or a reward model",
                place=f"{place}.{where}",
            )
    if stage.drawn is not None and stage.drawn["reward"] == CONSTANT:
        raise UserError(
            "scores that are all equal prefer nothing; for labels that say nothing take another reward and "
            "`flipped: 0.5`",
            place=f"{place}.drawn.reward",
        )
    if stage.method in ("dpo", "reward") and data == SUMS and stage.drawn is None:
        raise UserError(
            f"`{SUMS}` has no preferences; take `{MICROWORLD}`, `{ASSISTANT}`, or a file", place=f"{place}.data"
        )


def no_template(model: Resolved) -> bool:
    """Whether the tokenizer in a folder of `transformers` has no chat template for sure."""
    folder = Path(model.source.path)
    if any(folder.glob("chat_template*")) or any(folder.glob("additional_chat_templates/*")):
        return False
    try:
        return not json.loads((folder / "tokenizer_config.json").read_bytes()).get("chat_template")
    except (OSError, ValueError, AttributeError, RecursionError):
        return False  # it is told where it is opened


def check_reward_model(name: str, model: Resolved, policy: Resolved) -> None:
    """UserError where the model that is to score responses is no reward model, or where it is sure that it reads other
    tokens than the policy."""
    last, folder = model.training, Path(model.source.path)
    if isinstance(last, Alignment):
        is_reward_model = last.method == "reward"
    else:
        is_reward_model = last is None and (folder / REWARD_HEAD).is_file()
    if not is_reward_model:
        raise UserError(
            f"{name} is no reward model; give one whose last stage is `reward`, or `{'`, `'.join(SCORERS)}`"
        )
    if _other_tokens(model.first, policy.first):
        raise UserError(
            f"{name} has another tokenizer than {policy.source.name}, so it can't read its responses; train it from "
            "the same model"
        )


def check_drawing_model(name: str, model: Resolved, policy: Resolved) -> None:
    """UserError where the model that is to draw pairs can't write, or where it is sure that it writes other tokens."""
    if model.source.kind not in TRAINABLE:
        raise UserError(f"{name} is a model of `{model.source.kind}`; pairs are drawn by one that a stage could train")
    if _other_tokens(model.first, policy.first):
        raise UserError(
            f"{name} has another tokenizer than {policy.source.name}, which can't read what it writes; draw from a "
            "model that begins as the same one"
        )


def _other_tokens(one: Resolved, other: Resolved) -> bool:
    """Whether two models at the beginning of their chains have other tokens for sure: what isn't there yet may have any
    that its settings don't rule out."""
    if one.source.digest == other.source.digest:
        return False
    first, second = one.training, other.training
    if isinstance(first, Training) and isinstance(second, Training):
        if first.tokenizer != second.tokenizer:
            return True
        return first.tokenizer == "bpe" and (first.vocabulary, first.corpus) != (second.vocabulary, second.corpus)
    if (one.source.kind == "reference") != (other.source.kind == "reference"):
        return True
    known = [_vocabulary(model) for model in (one, other) if model.training is None]
    return len(known) == 2 and None not in known and known[0] != known[1]


def _vocabulary(model: Resolved) -> str | None:
    """Digest of the vocabulary in a folder; None where it can't be read."""
    try:
        read = json.loads((Path(model.source.path) / "tokenizer.json").read_bytes())
        return hash_of([read["model"]["vocab"], [[one["id"], one["content"]] for one in read["added_tokens"]]])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
