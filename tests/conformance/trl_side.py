"""TRL's losses and gradients on a batch that is given: run by the interpreter of an environment with TRL 1.16.

    python trl_side.py FOLDER

FOLDER has `model/` (a causal LM with a tokenizer), `reference/`, `reward/` (a sequence classifier), and `batch.json`.
`trl.safetensors` is written there: `<case>.loss`, `<case>.gradient.<parameter>`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from safetensors.torch import save_file
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, RewardConfig, RewardTrainer, SFTConfig, SFTTrainer

FOLDER = Path(sys.argv[1])
BATCH = json.loads((FOLDER / "batch.json").read_text())
TOKENIZER = AutoTokenizer.from_pretrained(FOLDER / "model")
PAD = TOKENIZER.pad_token_id
COMMON: dict[str, Any] = {
    "output_dir": str(FOLDER / "out"), "report_to": "none", "use_cpu": True, "bf16": False,
    "gradient_checkpointing": False, "per_device_train_batch_size": 4,
}  # fmt: skip
FOUND: dict[str, torch.Tensor] = {}


def model(name: str = "model") -> Any:
    return AutoModelForCausalLM.from_pretrained(FOLDER / name, dtype=torch.float32)


def rows(items: list[list[list[int]]]) -> dict[str, torch.Tensor]:
    """[prompt, response] of each item, padded on the right."""
    tokens = [torch.tensor(prompt + response) for prompt, response in items]
    return {
        "input_ids": pad_sequence(tokens, batch_first=True, padding_value=PAD),
        "attention_mask": pad_sequence([torch.ones_like(x) for x in tokens], batch_first=True),
        "completion_mask": pad_sequence(
            [torch.tensor([0] * len(prompt) + [1] * len(response)) for prompt, response in items], batch_first=True
        ),
    }


def record(case: str, trainer: Any, inputs: dict[str, Any]) -> None:
    trainer.model.eval()  # no dropout; the trainers' own switch to training mode is not taken
    trainer.current_gradient_accumulation_steps = 1
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, inputs)
    loss.backward()
    FOUND[f"{case}.loss"] = loss.detach().reshape(1)
    for name, parameter in trainer.model.named_parameters():
        if parameter.grad is not None:
            FOUND[f"{case}.gradient.{name}"] = parameter.grad.clone()


def sft() -> None:
    data = Dataset.from_dict({"prompt": ["a b"], "completion": ["c d"]})
    trainer = SFTTrainer(model(), SFTConfig(**COMMON), train_dataset=data, processing_class=TOKENIZER)
    batch = rows(BATCH["demonstrations"])
    mask = batch.pop("completion_mask")
    record("sft", trainer, batch | {"labels": batch["input_ids"].masked_fill(mask == 0, -100)})


def reward() -> None:
    data = Dataset.from_dict({"chosen": ["a b"], "rejected": ["c d"]})
    for case, center in (("reward", None), ("reward_centered", 0.3)):
        classifier = AutoModelForSequenceClassification.from_pretrained(FOLDER / "reward", dtype=torch.float32)
        config = RewardConfig(**COMMON, center_rewards_coefficient=center)
        trainer = RewardTrainer(classifier, config, train_dataset=data, processing_class=TOKENIZER)
        batch = rows(BATCH["chosen"] + BATCH["rejected"])
        del batch["completion_mask"]
        record(case, trainer, batch | {"margin": torch.tensor(BATCH["margins"])})


def dpo() -> None:
    data = Dataset.from_dict({"prompt": ["a"], "chosen": ["b"], "rejected": ["c"]})
    for case, kind in (("dpo", "sigmoid"), ("ipo_mean", "ipo")):
        config = DPOConfig(**COMMON, loss_type=[kind], beta=BATCH["beta"])
        trainer = DPOTrainer(model(), model("reference"), config, train_dataset=data, processing_class=TOKENIZER)
        record(case, trainer, rows(BATCH["chosen"] + BATCH["rejected"]))


def grpo() -> None:
    data = Dataset.from_dict({"prompt": ["a"]})
    samples = BATCH["samples"]
    for case, kind in (("grpo", "grpo"), ("grpo_corrected", "grpo"), ("dr_grpo", "dr_grpo"), ("dapo", "dapo")):
        config = GRPOConfig(
            **COMMON | {"per_device_train_batch_size": len(samples)}, loss_type=kind, beta=BATCH["kl"][case],
            num_generations=BATCH["group"], max_completion_length=BATCH["longest"], temperature=BATCH["temperature"],
            scale_rewards="none" if kind == "dr_grpo" else "group", epsilon=0.2,
            use_bias_correction_kl=case == "grpo_corrected", epsilon_high=0.28 if kind == "dapo" else 0.2,
        )  # fmt: skip

        def scores(completions: Any, **rest: Any) -> list[float]:
            return list(BATCH["scores"])

        trainer = GRPOTrainer(model(), scores, config, train_dataset=data, processing_class=TOKENIZER)
        if trainer.ref_model is not None:
            trainer.ref_model.load_state_dict(model("reference").state_dict())
        prompts, responses = ([one[place] for one in samples] for place in (0, 1))
        texts = TOKENIZER.batch_decode(responses)
        trainer._generate = lambda asked, p=prompts, r=responses, t=texts: (p, r, None, t, None, {}, None, None)
        trainer.model.train()
        trainer.current_gradient_accumulation_steps = 1
        inputs = trainer._generate_and_score_completions([{"prompt": "a"}] * len(samples))
        old = pad_sequence([torch.tensor(one) for one in BATCH["old"]], batch_first=True)
        FOUND[f"{case}.advantages"] = inputs["advantages"].clone()
        record(case, trainer, inputs | {"old_per_token_logps": old})


if __name__ == "__main__":
    torch.set_num_threads(1)
    for part in (sft, reward, dpo, grpo):
        part()
    save_file(FOUND, str(FOLDER / "trl.safetensors"))
