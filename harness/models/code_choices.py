"""What the files of a model may not choose: code that is fetched or imported, and files outside of what was compared.

`config.json` names implementations of attention and of experts (among them kernels of a hub repository, which
`transformers` would fetch and run), types, other files of weights and of settings; `tokenizer_config.json` names a
class and paths. What is on a list is taken as it is. Of the rest, what changes no number is passed over and said in
one note; what the model can't be opened without is refused. `--trust-remote-code` changes nothing here: it stands
for the Python files of a repository, not for whatever its settings name. Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import UserError

IMPLEMENTATIONS: Mapping[str, frozenset[str]] = {
    "attn": frozenset({"eager", "sdpa"}),
    "experts": frozenset({"eager", "batched_mm", "grouped_mm"}),
}
"""What computes attention and experts, of transformers' and torch's own."""
_IMPLEMENTATION = re.compile(r"_?(attn|attention|experts)_implementation(_internal|_autoset)?")
_FUSIONS = frozenset({"fusion_config", "use_kernels", "kernel_config", "allow_all_kernels", "distributed_config"})
"""Settings that put other code in the place of a model's parts."""
TYPES = frozenset({"auto", "float16", "bfloat16", "float32", "float64"})
"""What `dtype` may be: the harness itself says what weights are read as. 8-bit floats are `_EIGHT`."""
_EIGHT = re.compile(r"float8_e\w+")
_TYPE_KEYS = ("dtype", "torch_dtype")
OTHER_FILES = {
    "configuration_files": "other files of settings",
    "transformers_weights": "another file of weights",
    "fast_tokenizer_files": "other files of a tokenizer",
}
"""Settings that name files which are then read instead of the usual ones."""
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
TOKENIZER = re.compile(r"\w*Tokenizer(Fast)?|TokenizersBackend|PythonBackend|SentencePieceBackend|MistralCommonBackend")
"""Names of tokenizer classes. `transformers` takes anything that it exports: models, pipelines, trainers."""
MOST_DEEP = 40


def refuse_choices(config: Mapping[str, Any], place: str) -> None:
    """UserError where a `config.json` chooses what a model's files may not, and the model can't be opened without."""
    for key, value in _settings(config, place):
        if key in OTHER_FILES and not (key == "transformers_weights" and value in (None, *_WEIGHTS)):
            raise UserError(
                f"`{key}` names {OTHER_FILES[key]}, which are not looked at: take it out, and give the usual names",
                place=place,
            )
        if key in _TYPE_KEYS and not _is_type(value):
            raise UserError(
                f"`{key}` is {_shown(value)}, and may be {', '.join(sorted(TYPES - {'auto'}))}: fix it, or copy the "
                "model again",
                place=place,
            )
    refuse_tokenizer_class(config, place)


def passed_over(config: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    """(setting, value) of what a `config.json` chooses and the harness does not take."""
    for key, value in _settings(config, place):
        if found := _IMPLEMENTATION.fullmatch(key):
            which = "experts" if found[1] == "experts" else "attn"
            named = value.values() if isinstance(value, Mapping) else [value]
            if strange := [one for one in named if one is not None and not _is_allowed(one, which)]:
                yield key, _shown(strange[0])
        elif key in _FUSIONS and value:
            yield key, _shown(value)


def _is_allowed(name: object, which: str) -> bool:
    return isinstance(name, str) and name in IMPLEMENTATIONS[which]


def note_of(config: Mapping[str, Any], place: str) -> tuple[str, ...]:
    """One note on what was passed over; none where nothing was."""
    named = list(dict.fromkeys(f"`{key}: {value}`" for key, value in passed_over(config, place)))
    if not named:
        return ()
    few = ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
    return (f"config.json asks for {few}: passed over, and measured with the code of transformers itself",)


def settle(config: Any) -> None:
    """Take out of an opened configuration, and of those within it, what was passed over."""
    waiting, seen = [config], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        for name, which in (("_attn_implementation_internal", "attn"), ("_experts_implementation_internal", "experts")):
            chosen = part.__dict__.get(name)
            if chosen is not None and not _is_allowed(chosen, which):
                part.__dict__[name] = None
        for name in (*_FUSIONS, "transformers_weights"):
            part.__dict__.pop(name, None)
        waiting += [inner for inner in part.__dict__.values() if hasattr(inner, "model_type")]


def refuse_tokenizer_class(written: Mapping[str, Any], place: str) -> None:
    """UserError where `tokenizer_class` names something else than a tokenizer."""
    named = written.get("tokenizer_class")
    if named is not None and not (isinstance(named, str) and TOKENIZER.fullmatch(named)):
        raise UserError(
            f"`tokenizer_class` is {_shown(named)}, which is no tokenizer: fix it, or copy the model again",
            place=place,
        )


def paths_in(tokenizer_config: Mapping[str, Any], place: str) -> dict[str, None]:
    """The settings of a `tokenizer_config.json` that name files, each to be None: the folder's own are found by their
    names. Raises UserError where it names other files of the tokenizer, or a class that is none."""
    if not all(isinstance(key, str) for key in tokenizer_config):
        raise UserError("this holds no settings (an object of JSON): copy the model again", place=place)
    if "fast_tokenizer_files" in tokenizer_config:
        raise UserError(
            "`fast_tokenizer_files` names other files of a tokenizer, which are not looked at: take it out, and call "
            "the file tokenizer.json",
            place=place,
        )
    refuse_tokenizer_class(tokenizer_config, place)
    return {key: None for key, value in tokenizer_config.items() if key.endswith(("_file", "_object")) and value}


def _is_type(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, str) and (value in TYPES or _EIGHT.fullmatch(value) is not None)


def _settings(config: Mapping[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    """All settings, those of the parts of the model included."""
    waiting: list[tuple[Any, int]] = [(config, 0)]
    while waiting:
        holder, depth = waiting.pop()
        if depth > MOST_DEEP:
            raise UserError("this is nested too deeply: copy the model again", place=place)
        for key, value in holder.items() if isinstance(holder, Mapping) else enumerate(holder):
            if isinstance(key, str):
                yield key, value
            if isinstance(value, Mapping | list) and key != "quantization_config":
                waiting.append((value, depth + 1))


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
