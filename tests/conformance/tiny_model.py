"""A random GPT-2 of 2 layers with a tokenizer of 600 tokens, in a folder that `transformers` reads."""

from __future__ import annotations

from pathlib import Path

CONTEXT = 1280
"""Less than a long prompt with five examples, more than the 1,024 new tokens that BIG-Bench Hard allows."""


def save_tiny_model(folder: Path, text: list[str]) -> Path:
    """Weights large enough that its distributions are far from even. `text`: what the tokenizer is trained on."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    from reference_impl.text.tokenizer import ByteBPE

    folder.mkdir(parents=True, exist_ok=True)
    ByteBPE.train(text, 600).save(folder / "tokenizer.json")
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=600,
        n_embd=48,
        n_layer=2,
        n_head=4,
        n_positions=CONTEXT,
        initializer_range=0.2,
        bos_token_id=0,
        eos_token_id=0,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(folder)
    return folder
