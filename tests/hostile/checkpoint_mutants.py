"""Model folders that somebody damaged or made up: whole small ones, changed at random or with intent, each opened in a
process of its own with a limit of time and memory. What may come of it is a number that is right, or one sentence.

    python -m tests.hostile.checkpoint_mutants FIRST LAST      # seeds; prints what is neither
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import random
import re
import resource
import select
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

SECONDS = 20
"""Of a processor, that one folder may take."""
PATIENCE = 120.0
"""Seconds that are waited for it, on a machine that may be busy."""
MEMORY = 3 << 30
"""Bytes of address space beyond what the imports take."""
TEXT = "The cat sat on the mat, and 12 dogs sat on the cat. Ünï 🙂"
IDS = [1, 5, 9, 44, 7, 200, 17, 80, 80, 2, 250, 31]
KINDS = ("llama", "gpt2", "sharded", "llama as reference", "gpt2 as reference", "reference", "reference int8")
"""What is changed, and who opens it."""
Change = Callable[[Path], object]


@dataclass(frozen=True)
class Outcome:
    """What came of opening a folder."""

    kind: str
    """number, sentence, raw, died or hang."""
    text: str = ""
    nlls: tuple[float, ...] = ()
    ids: tuple[int, ...] = ()
    seconds: float = 0.0

    @property
    def is_one_sentence(self) -> bool:
        """Whether it is told as a person would: one line, with no type of Python in front, and not endless."""
        bare = re.search(r"\b[A-Z]\w*(Error|Exception|Interrupt|Panic)\b:", self.text)
        return self.kind == "sentence" and not bare and "\n" not in self.text and 20 < len(self.text) < 1500


def write_whole(folder: Path) -> dict[str, Path]:
    """Whole small models, one of each kind, in folders within this one."""
    import torch

    from reference_impl.model.config import GPTConfig
    from reference_impl.model.gpt import GPT
    from reference_impl.quantization.quantize import quantize_
    from reference_impl.quantization.quantized_checkpoint import save_quantized
    from reference_impl.text.tokenizer import ByteBPE
    from reference_impl.training.checkpoint import save_checkpoint
    from tests import tiny_models

    torch.manual_seed(0)
    definition = ByteBPE.train([TEXT * 40], 320)
    definition.save(folder / "definition.json")
    ids = {"bos_token_id": 0, "eos_token_id": 0}
    llama, gpt2 = tiny_models.llama(**ids), tiny_models.gpt2(**ids)
    template = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}<|endoftext|>{% endfor %}"
    found = {}
    for name, model in (("llama", llama), ("gpt2", gpt2), ("sharded", llama)):
        most = "40KB" if name == "sharded" else "1GB"
        tiny_models.save_folder(folder / name, model, folder / "definition.json", template, max_shard_size=most)
        (folder / name / "special_tokens_map.json").write_text('{"eos_token": "<|endoftext|>"}')
        found[name] = folder / name
    found |= {"llama as reference": found["llama"], "gpt2 as reference": found["gpt2"]}
    gpt = GPT(GPTConfig(vocabulary=definition.size, context=48, layers=2, heads=4, width=32)).eval()
    save_checkpoint(folder / "reference", gpt, definition)
    quantize_(gpt, "int8")
    save_quantized(folder / "reference int8", gpt, "int8", [folder / "definition.json"])
    (folder / "reference int8" / "definition.json").rename(folder / "reference int8" / "tokenizer.json")
    reseal(folder / "reference int8")
    return found | {name: folder / name for name in ("reference", "reference int8")}


def reseal(folder: Path) -> None:
    """Write the hashes of a checkpoint's files anew, as who means it would."""
    manifest = json.loads((folder / "checkpoint.json").read_bytes())
    manifest["files"] = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
        for path in sorted(folder.iterdir())
        if path.name != "checkpoint.json" and path.is_file() and path.stat().st_size < 1 << 24
    }
    (folder / "checkpoint.json").write_text(json.dumps(manifest))


# What is done to a folder.

FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
VALUES: Sequence[Any] = (
    *(None, True, False, -1, 0, 1, 2, 3, 7, 64, 1000, 10**6, 10**9, 10**18, 10**30, -(10**9), 0.0, -1.5, 1e308),
    *(float("nan"), float("inf"), "", "x", "x" * 5000, "\u202e\x1b[31m", "../../../../etc/passwd", "/dev/zero"),
    *([], {}, [[]], [0] * 5000, {"a": {"b": [1]}}, ["x"], [None], "float16", "gelu", "owner/name", "sdpa", "int8"),
)
SETTINGS: Sequence[tuple[str, Any]] = (
    ("attn_implementation", "kernels-community/flash-attn"),
    ("_attn_implementation", "owner/name@main:attention"),
    ("_attn_implementation_internal", "flash_attention_2"),
    ("attn_implementation", {"": "owner/name"}),
    ("attn_implementation", 7),
    ("experts_implementation", "owner/name"),
    ("use_kernels", True),
    ("fusion_config", {"a": True}),
    ("auto_map", {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}),
    ("auto_map", "evil"),
    ("custom_generate", "owner/name"),
    ("transformers_weights", "../llama/model.safetensors"),
    ("configuration_files", ["config.9.9.9.json"]),
    ("torch_dtype", "load"),
    ("dtype", "float16"),
    ("num_labels", 10**9),
    ("id2label", {"x": 1}),
    ("layer_types", ["full_attention"] * 100_000),
    ("layer_types", ["sliding_attention", "full_attention"]),
    ("sliding_window", 10**12),
    ("rope_scaling", {"rope_type": "dynamic", "factor": 1e300}),
    ("rope_scaling", {"rope_type": "yarn", "factor": 4.0}),
    ("rope_parameters", {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [1.0] * 10**5}),
    ("rope_theta", 1e300),
    ("text_config", {"model_type": "llama", "num_hidden_layers": 10**9}),
    ("per_layer_config", {str(n): {} for n in range(5000)}),
    ("quantization_config", {"quant_method": "eetq"}),
    ("quantization_config", {"quant_method": "gptq", "bits": 4}),
    ("quantization_config", {"quant_method": "fp8"}),
    ("quantization_config", {"load_in_4bit": True}),
    ("pruned_heads", {"0": [0]}),
    ("tie_word_embeddings", False),
    ("return_dict", False),
    ("output_attentions", True),
    ("output_hidden_states", True),
    ("is_encoder_decoder", True),
    ("model_type", "gpt2"),
    ("model_type", "t5"),
    ("model_type", "mamba"),
    ("model_type", "gptj"),
    ("hidden_act", "os.system"),
    ("add_cross_attention", True),
    ("tokenizer_class", "AutoModelForCausalLM"),
    ("tokenizer_class", "LlamaTokenizer"),
    ("tokenizer_class", "GPT2TokenizerFast"),
    ("tokenizer_class", "pipeline"),
    ("vocab_file", "/etc/passwd"),
    ("tokenizer_file", "/etc/passwd"),
    ("fast_tokenizer_files", ["tokenizer.9.json"]),
    ("init_inputs", [1, 2]),
    ("chat_template", "{% for i in range(10**9) %}x{% endfor %}"),
    ("chat_template", "{{ 'a' * 10**10 }}"),
    ("chat_template", "{{ ''.__class__.__mro__ }}"),
    ("chat_template", "{{ strftime_now('%0999999999d') }}"),
    ("chat_template", [1]),
    ("eos_token_id", [10**9, -1]),
    ("eos_token_id", 1 << 80),
    ("eos_token", {"content": "x" * 10**5, "__type": "AddedToken"}),
    ("model_max_length", -5),
    ("extra_special_tokens", {"a": "b"}),
    ("added_tokens_decoder", {"1000000000": {"content": "zz", "special": True}}),
    ("normalizer", {"type": "Replace", "pattern": {"Regex": "(a|aa)+$"}, "content": ""}),
    ("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "(.*)*x"}, "behavior": "Isolated", "invert": False}),
    ("padding", {"strategy": {"Fixed": 10**9}, "direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "x"}),
    ("truncation", {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}),
    ("dropout", 0.5),
)
"""What somebody may write into a file of settings."""


def _settings_files(folder: Path) -> list[Path]:
    named = [folder / name for name in FILES] + sorted(folder.glob("*.index.json")) + [folder / "quantization.json"]
    return [path for path in named if path.is_file()]


def change_settings(chance: random.Random) -> Change:
    """Another value at a random place of a file of settings."""

    def change(folder: Path) -> None:
        path = chance.choice(_settings_files(folder))
        written = json.loads(path.read_bytes())
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            holder, key = chance.choice([*_places(written)[:400], (written, "new")])
            if chance.random() < 0.15 and isinstance(holder, dict):
                holder.pop(key, None)
            else:
                holder[key] = copy.deepcopy(chance.choice(VALUES))
        path.write_text(json.dumps(written))

    return change


def add_setting(chance: random.Random) -> Change:
    """One of `SETTINGS`, where it belongs or anywhere."""
    key, value = chance.choice(SETTINGS)
    which = chance.choice(FILES[:4]) if chance.random() < 0.3 else None
    return lambda folder: setting(key, value, which)(folder)


def setting(key: str, value: Any, file: str | None = None) -> Change:
    """Write a setting into a file; left out, into that which has such."""

    def change(folder: Path) -> None:
        of_tokenizer = any(word in key for word in ("token", "template", "init_inputs", "vocab_file", "max_length"))
        of_definition = key in ("normalizer", "pre_tokenizer", "padding", "truncation", "dropout")
        name = "tokenizer.json" if of_definition else "tokenizer_config.json" if of_tokenizer else "config.json"
        path = folder / (file or name)
        written = json.loads(path.read_bytes()) if path.is_file() else {}
        if of_definition and key == "dropout":
            written["model"][key] = value
        else:
            written[key] = value
        path.write_text(json.dumps(written))

    return change


def change_bytes(chance: random.Random) -> Change:
    """Flip bits, cut off, insert or repeat, in any file."""

    def change(folder: Path) -> None:
        path = chance.choice(sorted(each for each in folder.iterdir() if each.is_file()))
        content = bytearray(path.read_bytes())
        how = chance.randrange(5)
        at = chance.randrange(len(content))
        if path.suffix == ".safetensors" and chance.random() < 0.5:
            at = chance.randrange(min(len(content), 3000))
        if how < 2:
            for _ in range(chance.choice((1, 3, 30))):
                content[(at + chance.randrange(200)) % len(content)] ^= 1 << chance.randrange(8)
        elif how == 2:
            del content[at:]
        elif how == 3:
            content[at:at] = bytes(chance.randrange(256) for _ in range(chance.choice((1, 8, 400))))
        else:
            del content[at : at + chance.choice((1, 8, 100))]
        path.write_bytes(content)

    return change


def change_header(chance: random.Random) -> Change:
    """Another number, type or name in the header of the weights."""

    def change(folder: Path) -> None:
        path = chance.choice(sorted(folder.glob("*.safetensors")))
        content = path.read_bytes()
        length = struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8 : 8 + length])
        for _ in range(chance.choice((1, 1, 2))):
            holder, key = chance.choice(list(_places(header)))
            holder[key] = chance.choice((-1, 0, 1, 31, 10**6, 10**15, 10**30, "F64", "I8", "F4", "Z", None, [], 1.5))
        write_header(path, header, content[8 + length :])

    return change


def write_header(path: Path, header: Any, body: bytes, length: int | None = None) -> None:
    """A safetensors file of this header and body. length: what it says that its header has."""
    written = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(written) if length is None else length) + written + body)


def change_entry(chance: random.Random) -> Change:
    """Something else in the place of a file."""

    def change(folder: Path) -> None:
        path = chance.choice(sorted(each for each in folder.iterdir() if each.is_file()))
        size = path.stat().st_size
        path.unlink()
        how = chance.randrange(8)
        if how == 0:
            os.mkfifo(path)
        elif how == 1:
            path.mkdir()
        elif how == 2:
            path.symlink_to(chance.choice(("/dev/zero", "/dev/random", "/proc/self/mem", "/etc/passwd")))
        elif how == 3:
            path.symlink_to(path.name)
        elif how == 4:
            path.write_bytes(b"")
        elif how == 5:
            with path.open("wb") as file:
                file.truncate(chance.choice((size, 1 << 40)))
        elif how == 6:
            other = chance.choice(sorted(each for each in folder.iterdir() if each.is_file()))
            shutil.copy(other, path)

    return change


CHANGES = (change_settings, change_settings, add_setting, change_bytes, change_header, change_entry)


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop(0)
        for key, inner in list(holder.items() if isinstance(holder, dict) else enumerate(holder))[:60]:
            found.append((holder, key))
            if isinstance(inner, dict | list):
                waiting.append(inner)
    return found


@dataclass(frozen=True)
class Mutant:
    """A changed folder."""

    kind: str
    name: str
    change: Change
    resealed: bool = False


def drawn(seed: int) -> Mutant:
    """The mutant of a seed, always the same."""
    chance = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    how = chance.choice(CHANGES)
    sealed = kind.startswith("reference") and chance.random() < 0.7
    return Mutant(kind, f"{kind} {how.__name__} {seed}", how(chance), sealed)


# Opening one, in a process of its own.


def opened(folder: Path, kind: str) -> Outcome:
    """What the harness makes of a folder."""
    return _apart(lambda: _ours(folder, kind))


def expected(folder: Path, kind: str) -> Outcome:
    """What the libraries make of it, used plainly."""
    return _apart(lambda: _theirs(folder, kind))


def _apart(ask: Callable[[], Outcome]) -> Outcome:
    reader, writer = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with contextlib.suppress(BaseException):
            _limit()
            outcome = ask()
            os.write(writer, json.dumps([outcome.kind, outcome.text[:4000], outcome.nlls, outcome.ids]).encode())
        os._exit(0)
    os.close(writer)
    told = b""
    with os.fdopen(reader, "rb", buffering=0) as file:
        while (left := began + PATIENCE - time.monotonic()) > 0 and select.select([file], [], [], left)[0]:
            piece = file.read(65536)
            if not piece:
                break
            told += piece
        else:
            os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    seconds = time.monotonic() - began
    if seconds >= PATIENCE:
        return Outcome("hang", seconds=seconds)
    if not told:
        return Outcome("died", seconds=seconds)
    which, text, nlls, ids = json.loads(told)
    return Outcome(which, text, tuple(nlls), tuple(ids), seconds)


def _limit() -> None:
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    spent = int(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (spent + SECONDS, spent + SECONDS))


def _ours(folder: Path, kind: str) -> Outcome:
    from harness.errors import Unsupported, UserError
    from harness.execution.resolve import resolve
    from harness.models.open import open_model
    from harness.models.shape import folder_shape
    from harness.models.size import folder_size
    from harness.models.transformers_adapter import attention_of
    from harness.scoring.loglikelihood import token_nlls
    from harness.suite.schema import ModelEntry

    key = "reference" if "reference" in kind else "transformers"
    try:
        resolved = resolve("m", ModelEntry.model_validate({key: str(folder)}), None, False)
        _ = resolved.quantized_by, folder_shape(str(folder), attention_of), folder_size(str(folder))
        source = replace(resolved.source, precision="int8") if kind.endswith("int8") else resolved.source
        model = open_model(source)
        window = min(16, model.identity.context)
        nlls = token_nlls(model, [IDS], window, max(window - 1, 1))[0].tolist()
        return Outcome("number", nlls=tuple(nlls), ids=tuple(model.tokenizer.encode(TEXT)))
    except (UserError, Unsupported) as error:
        return Outcome("sentence", str(error))
    except BaseException:
        return Outcome("raw", traceback.format_exc()[-3000:])


def _theirs(folder: Path, kind: str) -> Outcome:
    import torch

    try:
        if kind.startswith("reference"):
            from safetensors.torch import load_file
            from tokenizers import Tokenizer

            from reference_impl.model.config import GPTConfig
            from reference_impl.model.gpt import GPT
            from reference_impl.quantization.quantized_checkpoint import skeleton

            config = GPTConfig(**json.loads((folder / "config.json").read_bytes()))
            model: Any = GPT(config).eval() if kind == "reference" else skeleton(config, "int8")
            tensors = load_file(folder / "model.safetensors")
            if config.tie_head and kind == "reference":
                tied = tensors.get("token_embedding.weight", tensors.get("head.weight"))
                tensors |= {"token_embedding.weight": tied, "head.weight": tied}
            model.load_state_dict(tensors, strict=kind == "reference", assign=True)
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            tokenizer.encode_special_tokens = True
            ids = tokenizer.encode(TEXT, add_special_tokens=False).ids
            context, run = config.context, lambda tokens: model(tokens)
        else:
            from transformers import AutoModelForCausalLM, AutoTokenizer

            model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True).eval()
            ids = AutoTokenizer.from_pretrained(folder)(TEXT, add_special_tokens=False)["input_ids"]
            context = 16
            for name in ("n_positions", "max_position_embeddings"):
                length = getattr(model.config, name, None)
                context = min(context, length) if isinstance(length, int) else context
            run = lambda tokens: model(input_ids=tokens, use_cache=False, return_dict=True).logits  # noqa: E731
        with torch.inference_mode():
            log_probs = run(torch.tensor([IDS[:context]]))[0].double().log_softmax(-1)
        nlls = [-float(log_probs[at, token]) for at, token in enumerate(IDS[1 : context + 1])]
        return Outcome("number", nlls=tuple(nlls), ids=tuple(ids))
    except BaseException:
        return Outcome("raw", traceback.format_exc()[-2000:])


def near(ours: Outcome, theirs: Outcome) -> bool:
    """Whether they are the same numbers, as far as both read in one window."""
    if theirs.kind != "number" or ours.ids != theirs.ids or not theirs.nlls:
        return False
    both = zip(ours.nlls, theirs.nlls, strict=False)
    return all(abs(a - b) <= 2e-3 + 2e-3 * abs(b) for a, b in both)


def fault(mutant: Mutant, whole: Path, first: Outcome, scratch: Path) -> str:
    """What is wrong with how the harness takes a mutant; empty where nothing is. first: of the whole folder."""
    folder = Path(shutil.copytree(whole, scratch / "model"))
    try:
        mutant.change(folder)
        if mutant.resealed and (folder / "checkpoint.json").is_file():
            with contextlib.suppress(ValueError, OSError):
                reseal(folder)
        found = opened(folder, mutant.kind)
        if found.kind == "number":
            if near(found, first) or near(found, expected(folder, mutant.kind)):
                return ""
            theirs = expected(folder, mutant.kind)
            return f"another number: {found} and not {theirs}"
        return "" if found.is_one_sentence else f"{found.kind} after {found.seconds:.1f} s: {found.text}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prepare() -> None:
    """Import what every mutant needs, once, before processes are forked."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import torch

    torch.set_num_threads(1)


def main() -> None:
    """Try the mutants of some seeds."""
    prepare()
    low, high = int(sys.argv[1]), int(sys.argv[2])
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as scratch:
        wholes = write_whole(Path(scratch))
        firsts = {kind: opened(folder, kind) for kind, folder in wholes.items()}
        for kind, first in firsts.items():
            print(
                kind, first.kind, first.text[:2000], f"{first.seconds:.1f} s", near(first, expected(wholes[kind], kind))
            )
        for seed in range(low, high):
            mutant = drawn(seed)
            wrong = fault(mutant, wholes[mutant.kind], firsts[mutant.kind], Path(scratch))
            counts[wrong.split()[0] if wrong else "fine"] = counts.get(wrong.split()[0] if wrong else "fine", 0) + 1
            if wrong:
                print(f"--- {mutant.name}\n{wrong}", flush=True)
    print(counts)


if __name__ == "__main__":
    main()
