"""The model of an arm, as it is written: an entry of a suite's `models:`, or the name of one, and how it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from harness.errors import WrongArgument, shown
from harness.models.contract import PRECISIONS
from harness.models.registry import ADAPTERS
from harness.spelling import nearest

SETTINGS = {
    "precision": f"of a model: {', '.join(PRECISIONS)}",
    "device": "of a model: cpu, cuda, cuda:1 or mps",
}
ALONE = [adapter for adapter in ADAPTERS.values() if not adapter.in_process and not adapter.of_suite]
"""Those whose models a process of its own opens, and that are no other model of a suite."""
NAME = "model"
PROJECT = "revision"
"""A key of the adapter `transformers` that means the user's project in an arm: of a hub's model a suite says it."""


def model_words() -> dict[str, str]:
    """What may be said of an arm's model: adapters by their names in a suite, their keys, and how it is opened."""
    named = {adapter.name: f"a model: {adapter.about}" for adapter in ALONE}
    keys = {
        key: f"of a `{adapter.name}` model: as in a suite, in braces: {{key: value}}"
        for adapter in ALONE
        for key in adapter.keys
        if key != PROJECT
    }
    return {NAME: "a model of `--suite`, by its name there", **named, **keys, **SETTINGS}


@dataclass(frozen=True)
class ModelChoice:
    """What was asked for. Empty: no model."""

    name: str = ""
    """Of a suite's model."""
    entry: Mapping[str, Any] = field(default_factory=dict)
    """As in `models:` of a suite: an adapter's name, and its keys."""
    precision: str = ""
    device: str = ""

    def __bool__(self) -> bool:
        return bool(self.name or self.entry or self.precision or self.device)

    @property
    def is_named(self) -> bool:
        """Whether it says which model."""
        return bool(self.name) or any(name in self.entry for name in ADAPTERS)

    def with_defaults(self, shared: ModelChoice) -> ModelChoice:
        """The same, with what `shared` says where this one says nothing."""
        chosen = self if self.is_named else replace(self, name=shared.name, entry={**shared.entry, **self.entry})
        return replace(chosen, precision=self.precision or shared.precision, device=self.device or shared.device)

    @property
    def which(self) -> ModelChoice:
        """Which model it is, without how it is opened."""
        return replace(self, precision="", device="")

    @property
    def words(self) -> str:
        """Which model it is, as it is written."""
        return self.name or ", ".join(f"{key}={_written(value)}" for key, value in self.entry.items())

    def __str__(self) -> str:
        return f"{self.words} at {self.precision or 'fp32'}{f' on {self.device}' if self.device else ''}"


NO_MODEL = ModelChoice()


def parse_model(said: Mapping[str, str], option: str) -> ModelChoice:
    """The words of an arm that are about its model, by word. Raises UserError."""
    entry = {word: _value(text, word, option) for word, text in said.items() if word not in (NAME, *SETTINGS)}
    if NAME in said and entry:
        raise WrongArgument(
            f"`{NAME}={said[NAME]}` names a model of a suite; leave out `{next(iter(entry))}`", place=option
        )
    return ModelChoice(said.get(NAME, ""), entry, *(said.get(word, "") for word in SETTINGS))


def parse_shared(text: str, option: str, words: Mapping[str, str]) -> ModelChoice:
    """The model of both arms: the name of a suite's, or words as of an arm. words: those that the text says."""
    if words:
        return parse_model(words, option)
    if "=" in text:
        raise WrongArgument(
            f"'{shown(text)}' is no model: write a name of `suite`, or {', '.join(f'{one.name}=…' for one in ALONE)}"
            f"{nearest(text.partition('=')[0], [one.name for one in ALONE])}",
            place=option,
            beside=("suite",),
        )
    return ModelChoice(name=text.strip())


def _value(text: str, word: str, option: str) -> Any:
    """A value as a suite has it: text behind an adapter's name, YAML behind its keys."""
    if word in ADAPTERS:
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise WrongArgument(f"`{word}` is written as in a suite: {{key: value, key: value}}", place=option) from None


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(one)}" for key, one in value.items()) + "}"
    return shown(value)
