"""Losses and gradients are TRL's on the same batch, where an interpreter has TRL.

    HARNESS_TRL_PYTHON=/path/to/venv/bin/python pytest tests/conformance/test_trl_losses.py

(that environment: `pip install torch trl==1.16.* safetensors`). What ours calls each loss of TRL's:

    SFTTrainer, loss_type nll                          sft_gradients
    RewardTrainer, margin, center_rewards_coefficient  reward_gradients, Pair.margin, RewardSettings.center
    DPOTrainer, loss_type sigmoid                      variant dpo
    DPOTrainer, loss_type ipo                          variant ipo_mean (ipo is the paper's)
    GRPOTrainer, loss_type grpo, use_bias_correction_kl False  named("grpo")
    GRPOTrainer, loss_type grpo (its default: corrected) named("grpo", kl_estimator="k3_corrected")
    GRPOTrainer, loss_type dr_grpo, scale_rewards none named("dr_grpo"), longest = max_completion_length
    GRPOTrainer, loss_type dapo, epsilon_high          named("dapo"), clip_high; dead groups kept, as TRL keeps them
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Collected
from reference_impl.alignment.dpo import dpo_gradients, reference_log_probs
from reference_impl.alignment.on_policy import Minibatch
from reference_impl.alignment.pair import Pair
from reference_impl.alignment.policy import Head
from reference_impl.alignment.policy_gradient import policy_gradient_rollout, policy_gradients
from reference_impl.alignment.reward_model import RewardModel
from reference_impl.alignment.reward_training import reward_gradients
from reference_impl.alignment.settings.dpo import DPOSettings
from reference_impl.alignment.settings.policy_gradient import named
from reference_impl.alignment.settings.reward import RewardSettings
from reference_impl.alignment.sft import sft_gradients
from reference_impl.alignment.token_log_probs import token_log_probs
from reference_impl.alignment.value_head import RewardHead

PYTHON = os.environ.get("HARNESS_TRL_PYTHON")
pytestmark = pytest.mark.skipif(PYTHON is None, reason="HARNESS_TRL_PYTHON names no interpreter with TRL 1.16")

WORDS = 40
"""Ids of text; EOS and the padding token come after them."""
EOS, PAD = WORDS, WORDS + 1
CASES = ["sft", "reward", "reward_centered", "dpo", "ipo_mean", "grpo", "grpo_corrected", "dr_grpo", "dapo"]
TEMPERATURE, BETA, GROUP, LONGEST = 0.7, 0.3, 3, 9
KL = {"grpo": 0.2, "grpo_corrected": 0.2, "dr_grpo": 0.0, "dapo": 0.0}


class Plain:
    """A causal LM of `transformers` as a policy, item by item and without padding."""

    def __init__(self, model: Any) -> None:
        self.model = model.eval()

    @property
    def module(self) -> nn.Module:
        found: nn.Module = self.model
        return found

    @property
    def head(self) -> Head:
        return Head(self.model.get_output_embeddings().weight)

    def states(self, answered: Sequence[Answered]) -> Tensor:
        base = self.model.base_model
        return torch.cat(
            [
                base(torch.tensor([item.tokens])).last_hidden_state[0, len(item.prompt) - 1 :] for item in answered
            ]
        )  # fmt: skip


def tiny(kind: str, seed: int, classifier: bool = False) -> Any:
    import transformers

    sizes: dict[str, Any] = {"vocab_size": WORDS + 2, "eos_token_id": EOS, "bos_token_id": EOS, "pad_token_id": PAD}
    if classifier:
        sizes["num_labels"] = 1
    if kind == "gpt2":
        config = transformers.GPT2Config(
            n_layer=2, n_head=2, n_embd=16, n_positions=64, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **sizes
        )
    else:
        config = transformers.LlamaConfig(
            hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            max_position_embeddings=64, **sizes,
        )  # fmt: skip
    auto = transformers.AutoModelForSequenceClassification if classifier else transformers.AutoModelForCausalLM
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = auto.from_config(config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 2:
                    parameter.mul_(6)
    return model


def tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {chr(ord("a") + place % 26) * (1 + place // 26): place for place in range(WORDS)}
    words |= {"<eos>": EOS, "<pad>": PAD}
    inner = Tokenizer(models.WordLevel(words, unk_token="<eos>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>", pad_token="<pad>").save_pretrained(folder)


def drawn(generator: torch.Generator, prompt: list[int] | None = None) -> list[list[int]]:
    """A prompt and a response that ends with EOS, of random lengths."""
    lengths = torch.randint(1, 8, (2,), generator=generator).tolist()
    ids = [torch.randint(WORDS, (length,), generator=generator).tolist() for length in lengths]
    return [prompt or ids[0], [*ids[1], EOS]]


def batch(kind: str, policy: Plain) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    chosen = [drawn(generator) for _ in range(4)]
    # TRL pads prompts on the left and gives GPT-2 no position ids: its positions are only right without padding.
    prompts = ([1, 2], [4, 3], [5, 5]) if kind == "gpt2" else ([1, 2, 3], [4], [5, 5])
    samples = [drawn(generator, prompt) for prompt in prompts for _ in range(GROUP)]
    items = [Answered(tuple(p), tuple(r), True) for p, r in samples]
    with torch.no_grad():
        scored = token_log_probs(policy, items, TEMPERATURE)
    moved = scored.log_probs + 0.3 * torch.randn(len(scored.log_probs), generator=generator)  # some ratios are clipped
    return {
        "demonstrations": [drawn(generator) for _ in range(4)],
        "chosen": chosen,
        "rejected": [drawn(generator, one[0]) for one in chosen],
        "margins": [0.0, 0.5, 1.0, -0.2],
        "beta": BETA,
        "samples": samples,
        "scores": [1.0, 0.0, 0.5, 2.0, 2.0, 2.0, -1.0, 0.0, 3.0],  # one group of equal scores
        "old": [part.tolist() for part in torch.split(moved, list(scored.lengths))],
        "group": GROUP,
        "longest": LONGEST,
        "temperature": TEMPERATURE,
        "kl": KL,
    }


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def sides(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], Any]:
    kind = request.param
    folder = tmp_path_factory.mktemp(kind)
    for name, seed in (("model", 0), ("reference", 1)):
        tiny(kind, seed).save_pretrained(folder / name)
        tokenizer(folder / name)
    tiny(kind, 2, classifier=True).save_pretrained(folder / "reward")
    told = batch(kind, Plain(tiny(kind, 0)))
    (folder / "batch.json").write_text(json.dumps(told))
    assert PYTHON is not None
    done = subprocess.run(
        [PYTHON, str(Path(__file__).with_name("trl_side.py")), str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1", "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return kind, told, load_file(folder / "trl.safetensors")


def answered(told: list[list[list[int]]]) -> list[Answered]:
    return [Answered(tuple(prompt), tuple(response), True) for prompt, response in told]


def ours(kind: str, told: dict[str, Any], case: str) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss and gradients by the parameter's name in TRL's model."""
    policy = Plain(tiny(kind, 0))
    pairs = [
        Pair(a, b, margin)
        for a, b, margin in zip(answered(told["chosen"]), answered(told["rejected"]), told["margins"], strict=True)
    ]
    if case == "sft":
        loss = sft_gradients(policy, [answered(told["demonstrations"])])["loss"]
    elif case.startswith("reward"):
        classifier = tiny(kind, 2, classifier=True)
        policy = Plain(classifier)
        head = RewardHead(16)
        head.weight = classifier.score.weight
        settings = RewardSettings(center=0.3 if case == "reward_centered" else 0.0)
        found = reward_gradients(RewardModel(policy, head), [pairs], settings)
        loss = found["loss"]
    elif case in ("dpo", "ipo_mean"):
        cached = reference_log_probs(Plain(tiny(kind, 1)), pairs)
        variant: Any = case
        loss = dpo_gradients(policy, [(pairs, cached)], DPOSettings(variant=variant, beta=BETA))["loss"]
    else:
        loss = policy_gradients(policy, minibatch(kind, told, case), settings_of(case))["loss"]
    gradients = {name: p.grad for name, p in policy.module.named_parameters() if p.grad is not None}
    return loss, gradients


def settings_of(case: str) -> Any:
    return named(
        case.removesuffix("_corrected"), kl_estimator="k3_corrected" if case.endswith("_corrected") else "k3",
        prompts=3, samples=GROUP, temperature=TEMPERATURE, kl_coefficient=KL[case], longest=LONGEST,
        dead_groups="kept",
    )  # fmt: skip


def minibatch(kind: str, told: dict[str, Any], case: str) -> Minibatch:
    items = answered(told["samples"])
    with torch.no_grad():
        reference = token_log_probs(Plain(tiny(kind, 1)), items, TEMPERATURE).log_probs
    old = torch.tensor([value for one in told["old"] for value in one])
    collected = Collected(tuple(items), torch.tensor(told["scores"]), old, reference, {})
    rollout = policy_gradient_rollout(collected, settings_of(case), {})
    return Minibatch(tuple(rollout.answered), dict(rollout.tokens))


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_are_those_of_trl(sides: Any, case: str) -> None:
    kind, told, theirs = sides
    loss, gradients = ours(kind, told, case)
    assert float(loss) == pytest.approx(float(theirs[f"{case}.loss"]), rel=1e-5, abs=1e-7)
    names = {name.removeprefix(f"{case}.gradient.") for name in theirs if name.startswith(f"{case}.gradient.")}
    assert names <= set(gradients) and len(names) > 10
    for name in names:
        wanted = theirs[f"{case}.gradient.{name}"]
        assert float((gradients[name] - wanted).norm()) <= 1e-5 * float(wanted.norm()) + 1e-8, name
    if case in KL:
        each = [float(part[0]) for part in torch.split(
            minibatch(kind, told, case).tokens["advantages"], [len(one[1]) for one in told["samples"]]
        )]  # fmt: skip
        assert each == pytest.approx(theirs[f"{case}.advantages"].tolist(), rel=1e-5, abs=1e-6)


def test_another_loss_is_not(sides: Any) -> None:
    """The comparison can fail: IPO of sums is not TRL's, nor is GRPO's mean over all tokens."""
    kind, told, theirs = sides
    policy = Plain(tiny(kind, 0))
    pairs = [Pair(a, b) for a, b in zip(answered(told["chosen"]), answered(told["rejected"]), strict=True)]
    cached = reference_log_probs(Plain(tiny(kind, 1)), pairs)
    loss = dpo_gradients(policy, [(pairs, cached)], DPOSettings(variant="ipo", beta=BETA))["loss"]
    assert float(loss) != pytest.approx(float(theirs["ipo_mean.loss"]), rel=1e-2)
    assert float(theirs["grpo.loss"]) != pytest.approx(float(theirs["dapo.loss"]), rel=1e-2)
