"""`--model hf --model_args pretrained=…` of lm-eval -> MODEL and the options of `harness eval` that say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import assets, strict_json
from harness.errors import UserError, shown
from harness.input_file import why_no_path
from harness.models.bounded_files import settings_or_nothing
from harness.models.weight_header import read_header
from harness.shorthand.hub import why_not_on_hub
from harness.shorthand.lm_eval_flags import KINDS, MODEL_ARGS, OTHER_KINDS
from harness.spelling import nearest

PRECISIONS = {
    "float32": "fp32", "float": "fp32", "fp32": "fp32",
    "bfloat16": "bf16", "bf16": "bf16",
    "float16": "fp16", "half": "fp16", "fp16": "fp16",
}  # fmt: skip
"""Types of weights by the names that torch has for them."""
STORED = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
"""The same by the names of safetensors."""
PLACE = "--model_args"
NOWHERE = Path("/dev/null")
"""Where no model lies."""


@dataclass
class Translated:
    """What became of words of lm-eval's."""

    words: list[str] = field(default_factory=list)
    """Words of `harness eval`."""
    notes: list[str] = field(default_factory=list)
    """What changes nothing here, a sentence each."""


def check_kind(kind: str, pretrained: object) -> None:
    """Raises UserError where `--model` is no kind that transformers loads."""
    if kind.lower() in KINDS:
        return
    if kind.lower() in OTHER_KINDS:
        model = shown(pretrained) if pretrained else "MODEL"
        raise UserError(
            f"'{kind}' is another engine, or a service, and the harness opens the checkpoint itself: write "
            f"`harness eval {model} --tasks …` (or `--model hf --model_args pretrained={model}`, without what is "
            f"{kind}'s own)",
            place="--model",
        )
    raise UserError(
        f"is lm-eval's word for a kind of model (hf), and '{shown(kind)}' is none: a model itself is named without it, "
        f"`harness eval {shown(kind)} --tasks …`",
        place="--model",
    )


def of_model(arguments: Mapping[str, Any], models: list[str], *, precision: bool, chat: bool) -> Translated:
    """The words that `--model_args` stand for. models: those that were named without them. precision: whether one is
    given already; else `dtype` says it, or the checkpoint, as in lm-eval. chat: whether the chat template is used.

    Raises UserError for an argument that has no place here, with what to write for it.
    """
    found = Translated()
    for name, value in arguments.items():
        known = MODEL_ARGS.get(name)
        if known is None:
            raise UserError(
                f"unknown argument '{shown(name)}'{nearest(name, MODEL_ARGS)}; leave it out, or set a key of the "
                "model's entry with `--set KEY=VALUE`",
                place=PLACE,
            )
        if known.instead and value not in known.harmless and not _is_own_tokenizer(name, arguments):
            raise UserError(f"`{name}={shown(value)}`: {known.instead}", place=PLACE)
        if known.note:
            found.notes.append(f"`{name}` changes nothing here: {known.note}")
    model = _model(arguments, models)
    found.words += [] if models else [model]
    if (revision := arguments.get("revision")) not in MODEL_ARGS["revision"].harmless:
        found.words += ["--set", f"revision={strict_json.dumps(str(revision))}"]
    if (length := arguments.get("max_length")) is not None:
        found.words += ["--context", str(length)]
    if arguments.get("device") is not None:
        found.words += ["--device", str(arguments["device"])]
    if arguments.get("trust_remote_code") is True:
        found.words.append("--trust-remote-code")
    found.words += _chat(arguments, chat, found.notes)
    if not precision:
        found.words += _precision(arguments, model, found.notes)
    return found


def _is_own_tokenizer(name: str, arguments: Mapping[str, Any]) -> bool:
    return name == "tokenizer" and arguments["tokenizer"] == arguments.get("pretrained")


def _model(arguments: Mapping[str, Any], models: list[str]) -> str:
    pretrained = arguments.get("pretrained")
    if pretrained in (None, ""):
        if not models:
            raise UserError("no model was named: `pretrained=…` is missing", place=PLACE)
        return models[0]
    if models:
        raise UserError(f"two models are named, '{shown(models[0])}' and `pretrained={shown(pretrained)}`; keep one",
                        place=PLACE)  # fmt: skip
    inside = arguments.get("subfolder")
    if inside in MODEL_ARGS["subfolder"].harmless:
        return str(pretrained)
    if not Path(str(pretrained)).expanduser().is_dir():
        raise UserError(f"`subfolder={shown(inside)}` of a hub model isn't read: download it, and name the folder",
                        place=PLACE)  # fmt: skip
    return str(Path(str(pretrained), str(inside)))


def _chat(arguments: Mapping[str, Any], chat: bool, notes: list[str]) -> list[str]:
    told = arguments.get("chat_template_args") or {}
    if not isinstance(told, Mapping):
        raise UserError(f"`chat_template_args` is a mapping, not '{shown(told)}'", place=PLACE)
    told = dict(told)
    if arguments.get("enable_thinking") is not None:
        told["enable_thinking"] = arguments["enable_thinking"]
    if told and not chat:
        notes.append("what the chat template is told changes nothing without `--apply_chat_template`")
    return ["--chat-args", strict_json.dumps(told)] if told and chat else []


def _precision(arguments: Mapping[str, Any], model: str, notes: list[str]) -> list[str]:
    given = arguments.get("dtype", arguments.get("torch_dtype"))
    name = "auto" if given is None else str(given).removeprefix("torch.")
    if name != "auto":
        if name not in PRECISIONS:
            allowed = ["auto", *PRECISIONS]
            raise UserError(f"`dtype={shown(name)}`: there is no such type{nearest(name, allowed)}; there are: "
                            f"{', '.join(allowed)}", place=PLACE)  # fmt: skip
        return ["--precision", PRECISIONS[name]]
    stored = stored_type(model, arguments.get("revision"))
    if stored is None:
        notes.append(f"the type of '{shown(model)}' (`dtype=auto`) is not known before it is opened, so it is fp32: "
                     "write `--precision bf16` for another")  # fmt: skip
        return []
    return ["--precision", PRECISIONS[stored]] if PRECISIONS[stored] != "fp32" else []


def stored_type(model: str, revision: object = None) -> str | None:
    """What a checkpoint says of its own type, as transformers' `dtype="auto"` takes it: in its `config.json` (of the
    hub's from its cache or the hub), else by its first weights. None where that isn't known here."""
    folder = _folder(model, revision)
    config = settings_or_nothing(folder / "config.json")
    inner = config.get("text_config")
    for part in (config, inner if isinstance(inner, dict) else {}):
        for key in ("dtype", "torch_dtype"):
            if (name := str(part.get(key)).removeprefix("torch.")) in PRECISIONS:
                return name
    try:
        tensors = read_header(folder / "model.safetensors").values()
    except UserError:
        return None
    return next((STORED[tensor.dtype] for tensor in tensors if tensor.dtype in STORED), None)


def _folder(model: str, revision: object) -> Path:
    """Where the model's files lie; a place where there is nothing, if they can't be had."""
    folder, name = Path(model).expanduser(), model.removeprefix("asset:")
    if why_no_path(model):
        return NOWHERE
    if not folder.is_dir() and name in assets.ASSETS:
        return assets.folder(name)
    if folder.is_dir() or model.startswith((".", "/", "~")) or model.count("/") > 1:
        return folder
    return _on_hub(model, None if revision is None else str(revision)) or folder


def _on_hub(model: str, revision: str | None) -> Path | None:
    """Where a hub model's `config.json` lies, fetched if it is not in the hub's cache; None where it can't be had."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    try:
        kept = try_to_load_from_cache(model, "config.json", revision=revision)
        if isinstance(kept, str):
            return Path(kept).parent
        if why_not_on_hub(model, revision):  # asked once, where the library would try six times
            return None
        return Path(hf_hub_download(model, "config.json", revision=revision)).parent
    except Exception:  # no such file, no network, whatever HTTP library: what resolves the model says so
        return None
