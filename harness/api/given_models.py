"""Models as they are given to functions of `harness`: by name, or in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.models.in_memory import PLACE, InMemory, is_contract, lent, name_of
from harness.results.run import Run
from harness.shorthand.model_name import TRAINED_ON, named_models, unused
from harness.suite.load import SuiteLike

Models = Any
"""One model or a sequence of them: the name that the command line takes (a folder, a hub id, `asset:NAME`, a preset,
`RUN:model`), a `Path`, what `harness.train` gave back, `(model, tokenizer)` of `transformers` or of our GPT, what keeps
the contract (`harness.models.contract.LanguageModel`), or a `harness.InMemory`, which can say a name."""


def several(given: Any) -> list[Any]:
    """A value, or a sequence of them, as a list."""
    return [given] if isinstance(given, str | bytes) or not isinstance(given, Iterable) else list(given)


def models_listed(models: Models) -> list[str | InMemory]:
    """Each model by itself: its name, or itself in memory. Raises UserError for what is no model."""
    if isinstance(models, str | Path | Run | InMemory) or _is_pair(models) or not isinstance(models, Sequence):
        models = [models]
    return [_one(model) for model in models]


@contextmanager
def given_models(
    models: Models,
    out: Path,
    settings: Mapping[str, Any] | None = None,
    precision: Sequence[str] = (),
    trained_on: Mapping[str, Any] = TRAINED_ON,
) -> Iterator[dict[str, dict[str, Any]]]:
    """In the block, the `models:` of a suite, of models as they were given; after it those in memory are as they were.
    precision: what they are to be measured at; one in memory has its own alone. The rest: see `named_models`. Raises
    UserError."""
    listed = models_listed(models)
    named = [model for model in listed if isinstance(model, str)]
    in_memory: dict[str, InMemory] = {}
    for model in listed:
        if isinstance(model, InMemory):
            in_memory[unused(name_of(model), in_memory)] = model
    entries = named_models(named, out, settings, trained_on) if named or not in_memory else {}
    if in_memory and settings:
        raise UserError("settings are of models that are opened by name", place=PLACE)
    if twice := next((name for name in in_memory if name in entries), None):
        raise UserError(f"'{twice}' is the name of another model too; give it one: InMemory(…, name=…)", place=PLACE)
    with lent(in_memory) as here:
        for name, entry in here.items():
            own = entry["matrix"]["precision"]
            if any(one != own for one in precision):
                raise UserError(
                    f"{name} is measured as it is, in {own}: leave out `precision`, or save it", place=PLACE
                )
        yield _in_order(listed, entries, here)


@contextmanager
def plain_suite(suite: SuiteLike) -> Iterator[SuiteLike]:
    """In the block, the suite with an entry in the place of each model in memory."""
    models = suite.get("models") if isinstance(suite, Mapping) else None
    in_memory = (
        {str(name): model for name, model in models.items() if isinstance(model, InMemory)}
        if isinstance(models, Mapping)
        else {}
    )
    if not in_memory or not isinstance(suite, Mapping) or not isinstance(models, Mapping):
        yield suite
        return
    with lent(in_memory) as here:
        yield {**suite, "models": {name: here.get(str(name), entry) for name, entry in models.items()}}


def _in_order(
    listed: Sequence[str | InMemory], named: Mapping[str, dict[str, Any]], here: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Entries in the order in which the models were given: the first one may be what the others are compared with."""
    of_names, of_memory = iter(named.items()), iter(here.items())
    given = (next(of_memory if isinstance(model, InMemory) else of_names, None) for model in listed)
    return {**dict(pair for pair in given if pair is not None), **named, **here}


def _one(model: Any) -> str | InMemory:
    if isinstance(model, str | Path | Run):
        return str(model.folder if isinstance(model, Run) else model)
    if isinstance(model, InMemory):
        return model
    if _is_pair(model):
        return InMemory(*model)
    if is_contract(model) or hasattr(model, "named_parameters"):
        return InMemory(model)
    raise UserError(
        "a model is a name, a folder, (model, tokenizer), or what keeps harness.models.contract.LanguageModel, not "
        f"{type(model).__name__}",
        place="models",
    )


def _is_pair(given: Any) -> bool:
    """Whether it is (model, tokenizer)."""
    of_two = isinstance(given, tuple) and len(given) == 2
    return of_two and not any(isinstance(one, str | Path | InMemory | tuple) for one in given)
