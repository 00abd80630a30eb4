"""Models of this process: the same numbers as from a folder, and given back as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import harness
from harness.models.in_memory import lent
from harness.results.record import Status


@pytest.fixture
def held(llama_folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(llama_folder), AutoTokenizer.from_pretrained(llama_folder)


def _number(results: harness.Results, metric: str = "loss") -> float:
    return float(results.records.query("metric == @metric")["value"].iloc[0])


def test_the_numbers_are_those_of_the_folder(
    held: tuple[Any, Any], llama_folder: Path, story: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    model, tokenizer = held
    model.train()
    next(model.parameters()).requires_grad_(False)
    modes = [one.training for one in model.modules()]
    gradients = [one.requires_grad for one in model.parameters()]
    here = harness.perplexity((model, tokenizer), text=story, documents=8)
    stored = harness.perplexity(llama_folder, text=story, documents=8)
    assert _number(here) == pytest.approx(_number(stored), rel=1e-6)
    assert [one.training for one in model.modules()] == modes
    assert [one.requires_grad for one in model.parameters()] == gradients
    assert all(not one._forward_pre_hooks for one in model.modules())
    assert {one.grad for one in model.parameters()} == {None}
    assert capfd.readouterr() == ("", "")
    (cell,) = here.cells
    assert cell.model == "LlamaForCausalLM"
    assert any("not independent" in note or "are not" in note for note in cell.notes)
    assert cell.key != stored.cells[0].key
    again = harness.perplexity(harness.InMemory(model, tokenizer, name="mine"), text=story, documents=8)
    assert again.cells[0].source == "cache" and again.cells[0].model == "mine"
    with pytest.raises(harness.UserError, match="in the memory of a process"):
        harness.run(here.folder, resume=True)


def test_a_gpt_with_its_tokenizer(tmp_path: Path, story: Path) -> None:
    import torch

    from reference_impl.model.config import GPTConfig
    from reference_impl.model.gpt import GPT
    from reference_impl.text.tokenizer import ByteBPE
    from reference_impl.training.checkpoint import save_checkpoint

    torch.manual_seed(0)
    tokenizer = ByteBPE.train(["a story of the cat and the dog"], 262)
    gpt = GPT(GPTConfig(vocabulary=262, context=64, layers=1, heads=2, width=16)).train()
    here = harness.perplexity((gpt, tokenizer), text=str(story), documents=4)
    save_checkpoint(tmp_path / "gpt", gpt, tokenizer)
    assert gpt.training
    assert _number(here) == pytest.approx(_number(harness.perplexity(str(tmp_path / "gpt"), text=story, documents=4)))


def test_what_keeps_the_contract_in_a_mapping(held: tuple[Any, Any], story: Path) -> None:
    from harness.models.contract import ModelSource
    from harness.models.open import open_model

    with lent({"m": harness.InMemory(*held)}) as entries:
        source = ModelSource("m", "in_memory", entries["m"]["in_memory"], "0" * 64)
        opened = open_model(source)
    measures = [
        {"perplexity": {"text": str(story), "documents": 2}},
        {"inference": {"prompt": 4, "generate": 2, "iterations": 6, "warmup": 0, "launches": 3}},
        {"memory": {"context": 16}},
    ]
    results = harness.run({"name": "x", "models": {"mine": harness.InMemory(opened)}, "measures": measures})
    by_measure = {cell.measure: cell for cell in results.cells}
    perplexity, inference, memory = (by_measure[name] for name in ("perplexity", "inference", "memory"))
    assert perplexity.status is Status.OK and inference.status is Status.OK
    assert {record.n_unit for record in inference.records if record.metric} == {"iterations"}  # of one launch
    assert memory.status is Status.SKIPPED and "fresh process" in str(memory.reason)


def test_it_is_given_back_after_an_error(held: tuple[Any, Any], tmp_path: Path, story: Path) -> None:
    import torch

    model, tokenizer = held
    model.train()
    with torch.no_grad():
        model.model.norm.weight[0] = float("nan")
    results = harness.perplexity((model, tokenizer), text=story, documents=2)
    assert results.cells[0].status is Status.FAILED and "finite" in str(results.cells[0].reason)
    assert model.training and all(one.requires_grad for one in model.parameters())
    with pytest.raises(harness.UserError, match="no file or folder"):
        harness.perplexity((model, tokenizer), text=tmp_path / "none.txt")
    with pytest.raises(RuntimeError), lent({"m": harness.InMemory(model, tokenizer)}):
        model.eval().requires_grad_(False)
        raise RuntimeError
    assert model.training and all(one.requires_grad for one in model.parameters())


def test_a_hook_is_part_of_what_it_computes(held: tuple[Any, Any], story: Path) -> None:
    model, tokenizer = held
    plain = _number(harness.perplexity((model, tokenizer), text=story, documents=8))
    hook = model.model.layers[0].register_forward_hook(lambda module, given, output: output * 2)
    steered = harness.perplexity((model, tokenizer), text=story, documents=8)
    assert _number(steered) != plain
    hook.remove()
    assert _number(harness.perplexity((model, tokenizer), text=story, documents=8)) == plain


def test_other_weights_have_another_key(held: tuple[Any, Any], story: Path) -> None:
    import torch

    model, tokenizer = held
    before = harness.perplexity((model, tokenizer), text=story, documents=3)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[0, 0] += 1
    after = harness.perplexity((model, tokenizer), text=story, documents=3)
    assert after.cells[0].source == "measured" and _number(before) != _number(after)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "a model is a name, a folder, .* not int"),
        (("a", 3), "a model is a name"),
        ((object(), object()), "an object of the type object can't be measured"),
        ([], "no model was named"),
    ],
)
def test_what_is_no_model_is_told(given: Any, said: str, story: Path) -> None:
    with pytest.raises(harness.UserError, match=said):
        harness.perplexity(given, text=story)


def test_models_in_memory_that_can_not_be_measured(held: tuple[Any, Any], story: Path) -> None:
    model, tokenizer = held
    for given, said in (
        (model, "needs its tokenizer"),
        ((model.model, tokenizer), "neither a causal language model"),
        ((model, model), "is no tokenizer"),
        ((tokenizer, model), "can't be measured"),
    ):
        with pytest.raises(harness.UserError, match=said):
            harness.perplexity(given, text=story)
    with pytest.raises(harness.UserError, match="leave out `precision`"):
        harness.perplexity((model, tokenizer), text=story, precision="int8")
    model.model.layers[0].half()
    with pytest.raises(harness.UserError, match="all fp32, bf16 or fp16"):
        harness.perplexity((model, tokenizer), text=story)


def test_tasks_are_asked_of_it(held: tuple[Any, Any], llama_folder: Path) -> None:
    asked = "microworld_addition_1"
    here = harness.eval(held, asked, limit=3)
    assert here.cells[0].status is Status.OK and here.cells[0].model == "LlamaForCausalLM"
    stored = harness.eval([llama_folder, harness.InMemory(*held, name="mine")], asked, limit=3)
    assert {cell.model for cell in stored.cells} == {"llama", "mine"}
    answered = {cell.model: stored.samples_of(cell) for cell in stored.cells}
    assert str(answered["llama"]["continuation_ids"].tolist()) == str(answered["mine"]["continuation_ids"].tolist())


def test_it_writes_as_the_folder_does(held: tuple[Any, Any], llama_folder: Path) -> None:
    """Known bad: a model in training mode, whose dropout would draw, or that comes back in eval mode."""
    model, tokenizer = held
    model.train()
    texts = harness.generate(llama_folder, ["Once upon", "a time"], max_tokens=5)
    assert harness.generate((model, tokenizer), ["Once upon", "a time"], max_tokens=5) == texts
    assert harness.generate(harness.InMemory(model, tokenizer), "Once upon", max_tokens=5) == texts[0]
    assert model.training and all(not one._forward_pre_hooks for one in model.modules())
    assert "".join(harness.stream((model, tokenizer), "Once upon", max_tokens=5)) == texts[0]
    assert not model.training
    assert harness.generate(harness.load_model(llama_folder), "Once upon", max_tokens=5) == texts[0]
    with pytest.raises(harness.UserError, match="needs its tokenizer"):
        harness.generate(model, "Once upon")  # type: ignore[call-overload]
    with pytest.raises(harness.WrongArgument, match="the model is open already"):
        harness.generate((model, tokenizer), "Once upon", precision="int8")
