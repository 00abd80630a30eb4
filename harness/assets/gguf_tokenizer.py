"""The tokenizer that a GGUF file describes, as `tokenizers` and transformers keep it.

A GGUF file lists tokens, merges and token types, and names the way in which text is cut before the merges
apply (`tokenizer.ggml.pre`). The cuts that are known here follow llama.cpp's `llama-vocab.cpp`:

| name | cut |
|---|---|
| `gpt-2` | GPT-2's pattern: words with their leading space, numbers, runs of punctuation |
| `smollm` | every numeric character alone (the pattern `\\p{N}`), then GPT-2's pattern |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import strict_json
from harness.errors import UserError

_CONTROL, _USER_DEFINED = 3, 4
"""Token types (gguf.TokenType): special tokens that stand for no text, and added tokens that do."""


def write_tokenizer(metadata: dict[str, Any], folder: Path, place: str) -> None:
    """Write tokenizer.json and tokenizer_config.json (with the chat template, where there is one) to `folder`.

    `metadata`: the GGUF file's key-value pairs; `place`: the file, for errors. Raises UserError for a tokenizer that
    is not byte-level BPE, or whose cuts are not known here.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models

    model = metadata.get("tokenizer.ggml.model")
    if model != "gpt2":
        raise UserError(f"the tokenizer is of the kind '{model}'; only byte-level BPE ('gpt2') is known", place=place)
    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = _cut(metadata.get("tokenizer.ggml.pre"), place)
    tokenizer.decoder = decoders.ByteLevel()
    types = metadata.get("tokenizer.ggml.token_type", [])
    kinds = dict(zip(tokens, types, strict=False))
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token, kind in kinds.items() if kind == _CONTROL]
    )
    tokenizer.add_tokens(
        [AddedToken(token, normalized=False) for token, kind in kinds.items() if kind == _USER_DEFINED]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    text = strict_json.dumps(_configuration(metadata, tokens), indent=2, ensure_ascii=False) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


def _cut(name: str | None, place: str) -> Any:
    from tokenizers import pre_tokenizers

    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if name == "gpt-2":
        return gpt2
    if name == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), gpt2])
    raise UserError(
        f"the tokenizer cuts text in the way '{name}', which is not known; known are 'gpt-2' and 'smollm'", place=place
    )


def _configuration(metadata: dict[str, Any], tokens: list[str]) -> dict[str, Any]:
    """tokenizer_config.json. The plain class takes tokenizer.json as it is; GPT2Tokenizer would rebuild it."""
    configuration: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": metadata.get("llama.context_length"),
    }
    for key, name in (("bos", "bos"), ("eos", "eos"), ("padding", "pad"), ("unknown", "unk")):
        token_id = metadata.get(f"tokenizer.ggml.{key}_token_id")
        if token_id is not None:
            configuration[f"{name}_token"] = tokens[token_id]
    if "tokenizer.chat_template" in metadata:
        configuration["chat_template"] = metadata["tokenizer.chat_template"]
    return configuration
