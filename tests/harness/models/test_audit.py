"""What is settled about a model's text when it is opened: where answers end, what stands first, how it thinks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tokenizers import processors

from harness.errors import UserError
from harness.models.contract import LanguageModel, ModelIdentity, ModelSource
from harness.models.open import open_model
from tests.tiny_models import byte_tokenizer

SPECIAL = ("<turn>", "<eos>", "<s>", "<x>")
CHATML = "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}<turn>\n{% endfor %}"


def opened(
    folder: Path,
    *,
    kind: str = "transformers",
    generation: object = None,
    config: object = None,
    template: str | None = None,
    first: Sequence[str] = (),
    last: Sequence[str] = (),
    **declared: Any,
) -> LanguageModel:
    """A random Llama whose files say this. Ids: 0 <turn>, 1 <eos>, 2 <s>, 3 <x>, then bytes."""
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    backend = byte_tokenizer(SPECIAL)
    if first or last:
        names = {*first, *last}
        backend.post_processor = processors.TemplateProcessing(
            single=" ".join([*first, "$A", *last]), special_tokens=[(name, SPECIAL.index(name)) for name in names]
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **declared)
    tokenizer.chat_template = template
    shape = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=64, eos_token_id=config, bos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    said = {} if generation is None else {"eos_token_id": generation}
    (folder / "generation_config.json").write_text(json.dumps(said), encoding="utf-8")
    return open_model(ModelSource("m", kind, str(folder), "d"))


def settled(folder: Path, **said: Any) -> ModelIdentity:
    return opened(folder, **said).identity


@pytest.mark.parametrize("kind", ["transformers", "converted"])
@pytest.mark.parametrize(
    ("said", "ends", "strings"),
    [
        ({}, (), ()),
        ({"eos_token": "<eos>"}, (1,), ("<eos>",)),
        ({"generation": 0}, (0,), ("<turn>",)),
        ({"generation": [1, 0], "eos_token": "<eos>"}, (0, 1), ("<turn>", "<eos>")),
        ({"config": 3, "eos_token": "<eos>"}, (1, 3), ("<eos>", "<x>")),
        ({"config": [3, 1], "generation": 0}, (0, 1, 3), ("<turn>", "<eos>", "<x>")),
        ({"template": CHATML, "eos_token": "<eos>"}, (0, 1), ("<turn>", "<eos>")),
        ({"extra_special_tokens": {"eot_token": "<x>"}, "eos_token": "<eos>"}, (1, 3), ("<eos>", "<x>")),
        ({"generation": [1, 40]}, (1, 40), ("<eos>",)),
        ({"generation": [1, 9999, -1]}, (1,), ("<eos>",)),
    ],
)
def test_all_that_is_declared_ends_an_answer(
    tmp_path: Path, kind: str, said: dict[str, Any], ends: tuple[int, ...], strings: tuple[str, ...]
) -> None:
    identity = settled(tmp_path, kind=kind, **said)
    assert (identity.end_ids, identity.end_strings) == (ends, strings)
    generation = said.get("generation")
    named = () if generation is None else (generation,) if isinstance(generation, int) else tuple(generation)
    assert identity.generate_end_ids == tuple(sorted(set(named) & set(ends)))


def test_what_only_the_class_of_the_architecture_says_is_not_declared(tmp_path: Path) -> None:
    """A Llama's class says 2, for the vocabulary of the first Llama."""
    opened(tmp_path, eos_token="<eos>")
    config = json.loads((tmp_path / "config.json").read_bytes())
    del config["eos_token_id"]
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for kind in ("transformers", "converted"):
        identity = open_model(ModelSource("m", kind, str(tmp_path), "d")).identity
        assert identity.end_ids == (1,)
        (tmp_path / "generation_config.json").unlink(missing_ok=True)
        assert open_model(ModelSource("m", kind, str(tmp_path), "d")).identity.end_ids == (1,)


def test_an_end_token_that_the_model_lacks_is_noted(tmp_path: Path) -> None:
    assert settled(tmp_path, generation=[1, 9999]).notes == (
        "its files name token 9999 as an end token, and its ids are 0 to 259: not used",
    )


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m['content'] }}{% endfor %}",
        "{% for m in messages %}{{ m['content'] }}\n{% endfor %}<turn>",
        "{{ raise_exception('no') }}",
        "{% for m in messages %}{{ m['content'] }",
        "<|channel|>analysis<|channel|>final{% for m in messages %}{{ m['content'] }}<turn>{% endfor %}",
    ],
)
def test_a_template_that_closes_no_turn(tmp_path: Path, template: str) -> None:
    assert settled(tmp_path, template=template, eos_token="<eos>").end_ids == (1,)


@pytest.mark.parametrize(
    ("said", "prefix", "start"),
    [
        ({}, (), ()),
        ({"eos_token": "<eos>"}, (), (1,)),
        ({"eos_token": "<eos>", "bos_token": "<s>"}, (), (2,)),
        ({"eos_token": "<eos>", "bos_token": "<s>", "first": ["<s>"]}, (2,), (2,)),
        ({"eos_token": "<eos>", "bos_token": "<s>", "first": ["<x>"]}, (3,), (3,)),
        ({"eos_token": "<eos>", "first": ["<x>", "<s>"]}, (3, 2), (3, 2)),
        ({"eos_token": "<eos>", "bos_token": "<s>", "first": ["<s>"], "last": ["<eos>"]}, (2,), (2,)),
        ({"eos_token": "<eos>", "last": ["<eos>"]}, (), (1,)),
    ],
)
def test_what_the_tokenizer_puts_first(
    tmp_path: Path, said: dict[str, Any], prefix: tuple[int, ...], start: tuple[int, ...]
) -> None:
    model = opened(tmp_path, **said)
    assert (model.identity.prefix, model.identity.start) == (prefix, start)
    assert model.tokenizer.suffix == ((1,) if "last" in said else ())


def test_a_prefix_that_the_model_lacks(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    opened(tmp_path, first=["<s>"])
    weights = load_file(tmp_path / "model.safetensors")
    cut = {name: part[:2] if part.shape[0] == 260 else part for name, part in weights.items()}
    save_file({name: part.contiguous() for name, part in cut.items()}, tmp_path / "model.safetensors", {"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(config | {"vocab_size": 2}), encoding="utf-8")
    with pytest.raises(UserError, match="the tokenizer begins texts with token 2, and the model's ids are 0 to 1"):
        open_model(ModelSource("m", "transformers", str(tmp_path), "d"))


def test_tags_of_thoughts(tmp_path: Path) -> None:
    template = "{% for m in messages %}{{ m['content'] }}{% endfor %}<think>\n"
    assert settled(tmp_path / "a", template=template).thinking == (("<think>", "</think>"),)
    assert settled(tmp_path / "b").thinking == ()
