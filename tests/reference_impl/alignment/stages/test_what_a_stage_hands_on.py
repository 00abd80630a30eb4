"""What a stage gives its algorithm: the reference, the critic, the seed of each rollout, the rows that are held out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.data.encoding import encode_demonstrations
from reference_impl.alignment.data.rows import Demonstration
from reference_impl.alignment.reference_policy import AdapterOff, FrozenCopy
from reference_impl.alignment.settings.lora import LoRA
from reference_impl.alignment.settings.reward import REWARD_HEAD
from reference_impl.alignment.stages import drawing, from_examples
from reference_impl.alignment.stages.data_settings import SUMS, DataSettings
from reference_impl.alignment.stages.learner import open_learner, open_reward_model
from reference_impl.alignment.stages.method import METHODS, run_stage
from reference_impl.alignment.stages.reading import learned
from reference_impl.alignment.stages.result import read_result
from reference_impl.alignment.stages.run import Run
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.text import microworld
from reference_impl.training.checkpoint import load_checkpoint, save_checkpoint
from reference_impl.training.state import Report
from tests.reference_impl.alignment.killing import dying_before_step
from tests.tiny_models import llama, save_byte_pairs, save_folder

ASKED = DataSettings(SUMS, most=12, response=6)
ROLLED: dict[str, Any] = {"rollouts": 3, "prompts": 4, "learning_rate": 1e-2}


def watching(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[dict[str, Any]]:
    """What a function of the module is called with by name, from now on."""
    sound, seen = getattr(module, name), []

    def watched(*arguments: Any, **named: Any) -> Any:
        seen.append(dict(named) | {"arguments": arguments})
        return sound(*arguments, **named)

    monkeypatch.setattr(module, name, watched)
    return seen


# --- what learns from rewards ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["ppo", "grpo"])
def test_the_reference_stays_where_the_stage_began(method: str, base: Path, reward_model: Path, tmp_path: Path) -> None:
    result = run_stage(method, base, tmp_path / "out", ASKED, ROLLED, Run(), reward=str(reward_model))
    kl = [report.values["kl"] for report in result.reports]
    assert kl[0] == pytest.approx(0, abs=1e-6) and kl[-1] > 1e-4


def test_references_and_copies_share_no_weight_that_learns(base: Path, tmp_path: Path) -> None:
    learner = open_learner(base)
    own = {p.data_ptr() for p in learner.policy.module.parameters()}
    assert isinstance(learner.reference(), FrozenCopy)
    for other in (learner.reference(), learner.copy()):
        assert not own & {p.data_ptr() for p in other.module.parameters()}
    assert all(p.requires_grad for p in learner.copy().module.parameters())
    tokenizer = save_byte_pairs(tmp_path / "tokens.json", microworld.documents("validation")[:60], 300)
    folder = save_folder(tmp_path / "llama", llama(max_position_embeddings=160).eval(), tokenizer, None)
    assert isinstance(open_learner(folder, LoRA(rank=2)).reference(), AdapterOff)
    assert isinstance(open_learner(folder).reference(), FrozenCopy)


def test_a_critic_of_its_own_is_another_network(base: Path, reward_model: Path, tmp_path: Path) -> None:
    found = {}
    for critic in ("shared", "own"):
        given = {**ROLLED, "critic": critic, "value_coefficient": 5.0}
        run_stage("ppo", base, tmp_path / critic, ASKED, given, Run(), reward=str(reward_model))
        found[critic] = load_file(tmp_path / critic / "model.safetensors")
    assert any(not torch.equal(found["own"][name], found["shared"][name]) for name in found["own"])


@pytest.mark.parametrize("method", ["ppo", "rloo", "rejection"])
def test_responses_are_drawn_as_the_settings_say(
    method: str, base: Path, reward_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watching(monkeypatch, drawing, "draw")
    given = {"rounds": 3, "n": 2} if method == "rejection" else ROLLED
    given = {**given, "temperature": 0.8, "seed": 5}
    asked = DataSettings(SUMS, most=12, response=11)
    run_stage(method, base, tmp_path / "out", asked, given, Run(), reward=str(reward_model))
    assert [one["step"] for one in seen] == [0, 1, 2]
    assert {(one["seed"], one["temperature"], one["max_new"]) for one in seen} == {(5, 0.8, 11)}


@pytest.mark.parametrize("method", ["ppo", "grpo", "rejection"])
def test_what_goes_on_does_not_begin_again(
    method: str, base: Path, reward_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"rounds": 3, "n": 2, "batch": 16} if method == "rejection" else {**ROLLED, "epochs": 1}
    state, out, reward = tmp_path / "state", tmp_path / "out", str(reward_model)
    with dying_before_step(2):
        run_stage(method, base, out, ASKED, given, Run(state=state, every=1), reward=reward)
    seen = watching(monkeypatch, drawing, "draw")
    run_stage(method, base, out, ASKED, given, Run(state=state, every=1, resumes=True), reward=reward)
    assert 0 not in [one["step"] for one in seen] and seen[-1]["step"] == 2
    assert not list(tmp_path.glob("state*"))  # done: nothing is left to go on from


def test_what_is_given_is_over_what_a_method_sets() -> None:
    assert METHODS["rloo"].made({}).samples == 4
    assert METHODS["rloo"].made({"samples": 2}).samples == 2


# --- what learns from examples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "function"), [("sft", "sft"), ("dpo", "dpo"), ("reward", "train_reward_models")]
)  # fmt: skip
def test_what_is_held_out_is_judged_by_and_not_learned_from(
    method: str, function: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watching(monkeypatch, from_examples, function)
    data = DataSettings(most=40, held_out=0.3)
    result = run_stage(method, base, tmp_path / "out", data, {"batch": 8}, Run())
    (told,) = seen
    train = next(one for one in told["arguments"] if isinstance(one, tuple) and one and not hasattr(one, "_fields"))

    def prompts(rows: Sequence[Any]) -> set[tuple[int, ...]]:
        return {row.prompt if isinstance(row, Answered) else row.chosen.prompt for row in rows}

    assert len(train) == result.learned_from and len(told["validation"]) == result.held_out > 0
    assert not prompts(train) & prompts(told["validation"])


def test_sft_that_goes_on_does_not_begin_again(base: Path, tmp_path: Path) -> None:
    data, given, state = DataSettings(most=40), {"batch": 8, "epochs": 2}, tmp_path / "state"
    with dying_before_step(3):
        run_stage("sft", base, tmp_path / "out", data, given, Run(state=state, every=1))
    heard: list[Report] = []
    run_stage("sft", base, tmp_path / "out", data, given, Run(heard.append, state=state, every=1, resumes=True))
    assert heard[0].step == 4


def test_the_state_of_another_start_is_refused(base: Path, tmp_path: Path) -> None:
    found = load_checkpoint(base)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        other = GPT(GPTConfig(vocabulary=found.tokenizer.size, context=128, layers=1, heads=2, width=16))
    save_checkpoint(tmp_path / "other", other, found.tokenizer)
    data, given, state = DataSettings(most=40), {"batch": 8}, tmp_path / "state"
    with dying_before_step(2):
        run_stage("sft", base, tmp_path / "out", data, given, Run(state=state, every=1))
    with pytest.raises(ValueError, match="start"):
        run_stage("sft", tmp_path / "other", tmp_path / "out", data, given, Run(state=state, every=1, resumes=True))


def test_a_reward_model_is_kept_with_its_head_and_scale(base: Path, tmp_path: Path) -> None:
    data = DataSettings(most=40)
    heads = []
    for seed in (0, 1):
        run_stage("reward", base, tmp_path / str(seed), data, {"batch": 8, "seed": seed}, Run())
        model = open_reward_model(tmp_path / str(seed))
        kept = load_file(tmp_path / str(seed) / REWARD_HEAD)
        assert all(torch.equal(tensor, kept[name]) for name, tensor in model.head.state_dict().items())
        assert float(model.head.gain) != 1.0  # brought to a spread of 1 on the chosen responses
        heads.append(kept["weight"])
    assert float((heads[0] - heads[1]).abs().max()) > 0.1


def test_tokenizers_of_equal_size_are_told_apart(tmp_path: Path) -> None:
    found, documents = [], microworld.documents("validation")
    for name, texts in (("a", documents[:60]), ("b", documents[60:120])):
        tokenizer = save_byte_pairs(tmp_path / f"{name}.json", texts, 300)
        found.append(open_learner(save_folder(tmp_path / name, llama().eval(), tokenizer)))
    one, other = found
    assert one.policy.vocabulary == other.policy.vocabulary and one.tokenizer != other.tokenizer


# --- rows ------------------------------------------------------------------------------------------------------------


def rows(folder: Path, made: Sequence[tuple[str, str]]) -> str:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps({"prompt": a, "completion": b}) + "\n" for a, b in made))
    return str(path)


def test_a_prompt_is_on_one_side_with_all_its_rows(base: Path, tmp_path: Path) -> None:
    learner = open_learner(base)
    path = rows(tmp_path, [(f"prompt {number}", f"answer {of}") for number in range(200) for of in range(2)])

    def read(**changes: Any) -> Any:
        settings = DataSettings(path, **changes)
        return learned(Demonstration, settings, encode_demonstrations, learner.text, learner.context)

    found = read(held_out=0.2)
    assert not {x.prompt for x in found.train} & {x.prompt for x in found.held_out}
    assert 0.1 < len(found.held_out) / 400 < 0.3 and len(found.held_out) % 2 == 0
    assert len(found.train) + len(found.held_out) == 400
    first = read(held_out=0.2, most=50)
    assert len(first.train) + len(first.held_out) == 50 and set(first.train) <= set(found.train)


def test_what_is_too_long_is_cut_or_left_out_as_the_settings_say(base: Path, tmp_path: Path) -> None:
    learner = open_learner(base)
    path = rows(tmp_path, [("one two three four five six seven", "a"), ("one", "a b c d e f g h i j k l m n o p")])

    def read(**changes: Any) -> Any:
        settings = DataSettings(path, held_out=0.0, prompt=6, response=4, **changes)
        return learned(Demonstration, settings, encode_demonstrations, learner.text, learner.context)

    with pytest.raises(ValueError, match="no row is left"):
        read()
    (prompt,) = read(long_prompts="keep_end").train
    assert len(prompt.prompt) == 6 and prompt.ended
    (response,) = read(long_responses="cut").train
    assert len(response.response) == 4 and not response.ended
    both = read(long_prompts="keep_end", long_responses="cut")
    assert len(both.train) == 2
    told = " ".join(map(str, both.excluded))
    assert "the beginning of a prompt" in told and "the end of a response" in told


def test_so_many_of_what_needs_no_file(base: Path, tmp_path: Path) -> None:
    run_stage("sft", base, tmp_path / "out", DataSettings(most=24, held_out=0.0), {"batch": 8}, Run())
    assert read_result(tmp_path / "out").learned_from == 24
