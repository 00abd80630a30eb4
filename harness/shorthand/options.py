"""What the one-liners call keys of the suites that they stand for: settings of measures, axes, and `train.KEY` of a
model's training."""

from __future__ import annotations

from collections.abc import Mapping

MODEL, MODELS = "MODEL", "models"
"""What models are called on a command line, and in Python."""

PERPLEXITY: Mapping[str, str] = {
    "text": "--text",
    "window": "--window",
    "stride": "--stride",
    "documents": "--documents",
    "bos": "--bos",
    "precision": "--precision",
    "device": "--device",
}
EVAL: Mapping[str, str] = {
    "documents": "--limit",
    "document_ids": "--document-ids",
    "shots": "--shots",
    "shot_seed": "--seed",
    "sample_seed": "--seed",
    "context": "--context",
    "generation": "--gen",
    "metadata": "--metadata",
    "chat": "--chat",
    "chat_template_args": "--chat-args",
    "system": "--system",
    "task": "--tasks",
    "precision": "--precision",
    "device": "--device",
}
BENCH: Mapping[str, str] = {
    "prompt": "--prompt",
    "generate": "--new",
    "batch": "--batch",
    "context": "--prompt, --new",
    "threads": "--threads",
    "precision": "--precision",
    "device": "--device",
}
TRAIN: Mapping[str, str] = {
    "name": "--name",
    "train.reference": "--preset",
    "train.corpus": "--text",
    "train.tokens": "--tokens",
    "train.steps": "--steps",
    "train.train": "--tokens",
    "train.batch": "--batch",
    "train.learning_rate": "--lr",
    "train.context": "--context",
    "train.tokenizer": "--tokenizer",
    "train.vocabulary": "--vocabulary",
    "train.precision": "--precision",
    "train.seed": "--seed",
}

SETTINGS = "--set"
NAMED_OTHERWISE = {
    SETTINGS: "settings",
    "--gen": "generation",
    "--chat-args": "chat_template_args",
    "--lr": "learning_rate",
}
"""Options whose keywords in Python are not their own words."""


def keywords(options: Mapping[str, str]) -> dict[str, str]:
    """The same in Python: keywords in place of options."""
    return {key: ", ".join(map(keyword, option.split(", "))) for key, option in options.items()}


def keyword(option: str) -> str:
    """What an option is called in Python."""
    return NAMED_OTHERWISE.get(option) or option.removeprefix("--").replace("-", "_")
