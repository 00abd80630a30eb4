"""A random GPT-2 of 2 layers with a tokenizer of 400 tokens, in a folder that `transformers` reads."""

from __future__ import annotations

from pathlib import Path

CONTEXT = 1280
"""Less than a long prompt with five examples, more than the 1,024 new tokens that BIG-Bench Hard allows."""


TEXT = [
    "Question: Which of these is the best way to find out how much water a plant needs in one week?",
    "Answer: Give the same kind of plant more or less water each day, and then measure how much it grows.",
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May.",
    "How many clips did Natalia sell altogether in April and May? She sold 48 + 24 = 72. The answer is 72.",
    "The following are multiple choice questions (with answers) about the world.\nA. yes\nB. no\nAnswer: B",
    "There were people in the house, but none of them could say what the other one had been doing there before.",
    "She would have thought that this was the right thing to do, if only he had not come back from the city.",
]
"""What the tokenizer is trained on."""


def save_tiny_model(folder: Path) -> Path:
    """Weights large enough that its distributions are far from even."""
    from tests.tiny_models import gpt2, save_byte_pairs, save_folder

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = save_byte_pairs(folder / "tokenizer.json", TEXT * 4, 400)
    model = gpt2(
        vocab_size=400,
        n_embd=48,
        n_positions=CONTEXT,
        initializer_range=0.2,
        bos_token_id=0,
        eos_token_id=0,
    )
    return save_folder(folder, model, tokenizer)
