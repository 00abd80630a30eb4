"""MODEL, as a person types it, -> an entry of a suite's `models:`.

A local folder, an asset, a preset of the reference, a run's model (`RUN:model`, or `RUN` alone where it has one), or a
hub id, looked for in this order.
`transformers:` or `reference:` before it says which adapter opens it, `hub:` that it is a hub id and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import assets
from harness.errors import UserError, shown
from harness.models.checkpoint_files import holds_adapter, holds_reference, refuse_adapter, refuse_file, why_no_weights
from harness.models.near_folder import looks_local, why_no_folder
from harness.models.registry import ADAPTERS
from harness.models.size import preset_rows
from harness.results.baseline import PREFIX
from harness.results.run_folder import MANIFEST
from harness.shorthand.hub import why_not_on_hub
from harness.shorthand.pairs import put_into
from harness.shorthand.run_model import model_of_run, run_called
from harness.spelling import nearest_aside, nearest_word

PLACE = "MODEL"
TRAINED_ON: Mapping[str, Any] = {"corpus": "microworld", "tokens": 1_000_000}
"""How a preset that is named alone is trained: once, it is kept in the cache."""
LARGEST_TRAINED = 20_000_000
"""Parameters of a preset that is trained without being asked to: minutes on a processor."""
_LENGTHS = ("steps", "tokens")
"""Either says how long a training is."""
_ALIKE = 0.75
"""Of two words' letters that they share in order, where a name is taken for a misspelled one."""


@dataclass(frozen=True)
class NamedModel:
    """One model under the name that tables show it by."""

    name: str
    entry: dict[str, Any] = field(default_factory=dict)


def named_models(
    texts: Sequence[str],
    out: Path,
    settings: Mapping[str, Any] | None = None,
    trained_on: Mapping[str, Any] = TRAINED_ON,
) -> dict[str, dict[str, Any]]:
    """The `models:` of a suite, of models as they were typed, with `settings` put over each one's entry, key by key.
    out: where runs lie. trained_on: how presets are trained where the settings don't say. Raises UserError, with what
    was looked for and the nearest name, where one is not found, and where one stands twice."""
    found: dict[str, dict[str, Any]] = {}
    if not texts:
        raise UserError("no model was named", place=PLACE)
    settings = settings or {}
    budget = _budget(trained_on, settings.get("train"))
    wrong: list[str] = []
    for text in texts:
        try:
            model = named_model(text, out, budget)
        except UserError as error:
            wrong.append(str(error))
            continue
        except OSError as error:  # a folder that this user may not look into
            wrong.append(
                f"{PLACE}: '{shown(text)}' can't be read ({error.strerror}); change its rights, or name another"
            )
            continue
        if _place(model.entry) in map(_place, found.values()):
            wrong.append(f"{PLACE}: '{shown(text)}' is named twice; name each model once")
        found[unused(model.name, found)] = model.entry
    if wrong:
        raise UserError("\n".join(dict.fromkeys(wrong)))
    return {name: put_into(entry, own_settings(entry, settings, found.values())) for name, entry in found.items()}


def _place(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with its folder as the system knows it: `gpt` and `./gpt` are one model."""
    return {
        key: str(Path(value).expanduser().resolve())
        if key in ADAPTERS and isinstance(value, str) and Path(value).expanduser().is_dir()
        else value
        for key, value in entry.items()
    }


def own_settings(
    entry: Mapping[str, Any], settings: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Those of the settings that are of this model: beside one that is trained, `train` is of the trained ones
    alone."""
    is_foreign = "train" not in entry and any("train" in other for other in entries)
    return {key: value for key, value in settings.items() if not (is_foreign and key == "train")}


def _budget(trained_on: Mapping[str, Any], train: object) -> dict[str, Any]:
    """How presets are trained: with the steps or tokens that are given, in place of the usual ones."""
    if not isinstance(train, Mapping):
        return dict(trained_on)
    said = any(key in train for key in _LENGTHS)
    return put_into({key: value for key, value in trained_on.items() if not (said and key in _LENGTHS)}, train)


def named_model(text: str, out: Path, trained_on: Mapping[str, Any] = TRAINED_ON) -> NamedModel:
    """One model. Raises UserError where there is none of that name."""
    if text.strip() and not text.isprintable():
        raise UserError(f"'{shown(text)}' has characters that don't print; name a model by a plain name", place=PLACE)
    if not text.strip():
        raise UserError("a model is a folder, a hub id, `asset:NAME`, a preset, or `RUN:model`", place=PLACE)
    adapter, _, rest = text.partition(":")
    if adapter in ADAPTERS and rest:
        return _opened_by(adapter, rest, out, trained_on)
    if adapter == "hub" and rest:
        return _hub_model(rest)
    if adapter == "asset":
        return _asset(rest)
    if Path(text).expanduser().is_dir():
        return _folder(text)
    if Path(text).expanduser().is_file():
        refuse_file(text, PLACE)
    if text in _presets():
        return _preset(text, trained_on)
    if text in _assets():
        return _asset(text)
    if (called := run_called(text, out)) is not None:
        return of_run(called, "", out)
    run, colon, model = text.rpartition(":")
    if run == PREFIX.rstrip(":"):  # `baseline:NAME`, of one model
        run, model = text, ""
    if colon and run:
        return of_run(run, model, out)
    if why := _why_no_folder(text):
        raise UserError(why, place=PLACE)
    near = nearest_word(text, [*_presets(), *_assets()], _ALIKE)
    if near and "/" not in text:
        raise UserError(f"there is no folder, asset or preset '{shown(text)}'; did you mean '{near}'? (a model of the "
                        f"hub with this name: `hub:{shown(text)}`)", place=PLACE)  # fmt: skip
    return _hub_model(text)


def of_run(run: str, model: str, out: Path) -> NamedModel:
    """A model of a run that is there: see `model_of_run`. model: empty, where the run has one alone. Raises
    UserError."""
    return NamedModel(*model_of_run(run, model, out, PLACE))


def _opened_by(adapter: str, rest: str, out: Path, trained_on: Mapping[str, Any]) -> NamedModel:
    if rest in _presets() and adapter == "reference":
        return _preset(rest, trained_on)
    found = _hub_model(rest.removeprefix("hub:")) if rest.startswith("hub:") else named_model(rest, out, trained_on)
    where = next((found.entry[name] for name in ADAPTERS if name in found.entry), None)
    if where is None or "train" in found.entry:
        raise UserError(f"'{shown(rest)}' is trained here; leave out `{adapter}:`", place=PLACE)
    entry = {key: value for key, value in found.entry.items() if key not in ADAPTERS}
    return NamedModel(found.name, {adapter: where} | entry)


def _folder(text: str) -> NamedModel:
    folder = Path(text).expanduser()
    name = folder.resolve().name or "model"
    if holds_reference(folder):
        return NamedModel(name, {"reference": text})
    if (folder / "config.json").is_file():
        return NamedModel(name, {"transformers": text})
    if (folder / MANIFEST).is_file():
        return of_run(text, "", folder.parent)
    if holds_adapter(folder):
        return NamedModel(name, {"transformers": text})
    try:
        refuse_adapter(folder)
    except UserError as error:
        raise UserError(f"{error.place}: {error.message}", place=PLACE) from None
    if any(folder.glob("*.gguf")) and not any(path.is_dir() for path in folder.iterdir()):
        raise UserError(why_no_weights(folder), place=f"{PLACE}: {shown(text)}")
    inside = sorted(path.parent.name for path in folder.glob("*/config.json"))[:3]
    hint = f"; there are {', '.join(str(Path(text) / name) for name in inside)}" if inside else ""
    raise UserError(
        f"the folder '{shown(text)}' holds no model: neither config.json (transformers) nor checkpoint.json "
        f"(reference){hint}",
        place=PLACE,
    )


def _asset(name: str) -> NamedModel:
    return NamedModel(assets.model_asset(name, place=PLACE), {"transformers": f"asset:{name}"})


def _preset(name: str, trained_on: Mapping[str, Any]) -> NamedModel:
    parameters = _presets()[name]
    if "steps" not in trained_on and parameters > LARGEST_TRAINED:
        raise UserError(
            f"the preset '{name}' has {parameters / 1e6:.0f} M parameters and no weights yet, and training it takes "
            f"long: train it first (`harness train --preset {name} --text FILE`), then name it as `RUN:{name}`",
            place=PLACE,
        )
    return NamedModel(name, {"reference": name, "train": dict(trained_on)})


def _hub_model(text: str) -> NamedModel:
    repository, _, revision = text.partition("@")
    if why := why_not_on_hub(repository, revision or None):
        near = nearest_aside(repository, [*_presets(), *(f"asset:{name}" for name in _assets())])
        raise UserError(
            f"'{shown(text)}' is no folder, asset, preset or run here{near}, and {why}; `harness list models` shows "
            "what is here",
            place=PLACE,
        )
    entry = {"transformers": repository} | ({"revision": revision} if revision else {})
    return NamedModel(repository.rpartition("/")[2], entry)


def _why_no_folder(text: str) -> str | None:
    """Why a text that reads like a path is none: it is not taken for a hub id where something lies beside it."""
    is_path = text.startswith((".", "/", "~", "\\")) or text.count("/") > 1 or "\\" in text or text.endswith("/")
    if not is_path and not looks_local(text):
        return None
    return why_no_folder(text) + ("" if is_path else f" (a model of the hub with this name: `hub:{shown(text)}`)")


def _presets() -> dict[str, int]:
    return {name: parameters for name, parameters, *_ in preset_rows()}


def _assets() -> list[str]:
    return [one.name for one in assets.ASSETS.values() if one.kind == "model"]


def unused(name: str, taken: Mapping[str, object]) -> str:
    """The name, or with a number behind it where another model has it already."""
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free
