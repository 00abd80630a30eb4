"""What is told of models and of what is asked of them before anything is loaded, with all other mistakes together."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from harness.errors import UserError
from harness.execution.preflight.checked_plan import checked_suite
from harness.models.known_architectures import known_architectures, why_unknown
from harness.models.stated_shapes import refuse_stated_shapes
from harness.models.weight_header import read_header

ASKED: dict[str, dict[str, Any]] = {
    "window": {"perplexity": {"text": "microworld/test", "window": 65}},
    "prompt": {"inference": {"prompt": 60, "generate": 5}},
    "context": {"memory": {"context": 65}},
    "task": {"task": {"task": "arc_easy", "context": 65}},
    "generate": {"kv_cache": {"generate": 65}},
}


@pytest.fixture
def folder(llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model whose context is 64."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(llama_folder, tmp_path / "model"))


def _suite(measure: dict[str, Any], folder: str = "model") -> dict[str, Any]:
    return {"name": "x", "models": {"m": {"transformers": folder}}, "measures": [measure]}


def _changed(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def _told(suite: dict[str, Any]) -> str:
    with pytest.raises(UserError) as found:
        checked_suite(suite)
    return str(found.value)


@pytest.mark.parametrize("name", ASKED)
def test_more_than_the_context_holds(folder: Path, name: str) -> None:
    told = _told(_suite(ASKED[name]))
    assert "65" in told and "not fit in the context of m, which is 64" in told
    (measure, settings), *_ = ASKED[name].items()
    fits = {key: value - 1 if value == 65 or key == "generate" else value for key, value in settings.items()}
    assert checked_suite(_suite({measure: fits}))[1].told == ()


def test_others_are_measured_all_the_same(folder: Path) -> None:
    """Cells that ask for too much are skipped, with the place of what they ask for."""
    _, plan = checked_suite(_suite({"inference": {"prompt": [16, 70], "generate": 4}}))
    assert [one.split(": ")[1] for one in plan.told] == ["measures.0.inference.prompt.1"]
    assert [item.unsupported is not None for item in plan.cells] == [False, True]


@pytest.mark.parametrize(
    "changes",
    [
        {"max_position_embeddings": None},
        {"rope_parameters": {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 1e4}},
        {"rope_scaling": {"type": "longrope"}},
    ],
)
def test_a_context_that_is_not_known_refuses_nothing(folder: Path, changes: dict[str, Any]) -> None:
    _changed(folder, **changes)
    assert checked_suite(_suite(ASKED["window"]))[1].told == ()


def test_an_unknown_architecture(folder: Path) -> None:
    _changed(folder, model_type="lama")
    assert "knows no architecture `lama` (`model_type` in config.json); did you mean 'llama'?" in _told(
        _suite(ASKED["prompt"] | {"inference": {"prompt": 8, "generate": 2}})
    )
    assert why_unknown({"model_type": "lama", "auto_map": {"AutoConfig": "x.Y"}}) is None
    assert {"llama", "gpt2", "qwen3"} <= known_architectures()


SHAPES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a wider model": (lambda folder: _changed(folder, hidden_size=40), "by the configuration"),
    "another vocabulary": (lambda folder: _changed(folder, vocab_size=333), "[333, 32] by the configuration"),
    "other heads": (lambda folder: _changed(folder, num_key_value_heads=4), "self_attn.k_proj.weight: [16, 32]"),
    "more layers": (lambda folder: _changed(folder, num_hidden_layers=3), "describes 3 layers, and the files hold 2"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_weights_that_do_not_fit_the_configuration(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change, sentence = SHAPES[name]
    change(folder)
    assert sentence in _told(_suite({"inference": {"prompt": 8, "generate": 2}}))


def test_gpt2_that_does_not_fit(gpt2_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(gpt2_folder, tmp_path / "gpt2"))
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if name.endswith("wpe.weight"))
    save_file(tensors | {name: tensors[name][:-8].clone()}, folder / "model.safetensors", {"format": "pt"})
    assert "wpe.weight: [40, 32] in the file, [48, 32] by the configuration" in _told(
        _suite({"inference": {"prompt": 8, "generate": 2}}, str(folder))
    )


def test_whole_checkpoints_fit(llama_folder: Path, gpt2_folder: Path) -> None:
    """And so do those whose sizes only their class knows."""
    for folder in (llama_folder, gpt2_folder):
        config, tensors = json.loads((folder / "config.json").read_text()), read_header(folder / "model.safetensors")
        refuse_stated_shapes(config, tensors, "here")
        refuse_stated_shapes({"model_type": config["model_type"]}, tensors, "here")
        refuse_stated_shapes(config | {"model_type": "other"}, {}, "here")


def test_all_of_them_together(folder: Path) -> None:
    _changed(folder, vocab_size=333)
    suite = _suite(ASKED["prompt"])
    suite["models"]["gone"] = {"transformers": "./gone"}
    suite["measures"].append({"perplexity": {"text": "nothing.txt"}})
    told = _told(suite).split("\n")
    assert len(told) == 4 and all(any(word in line for line in told) for word in ("333", "65", "gone", "nothing.txt"))


@pytest.mark.parametrize("task", ["microworld_facts", "own"])
def test_documents_that_a_task_does_not_have(folder: Path, task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by the plan, without a model: of a task of ours, and of one of local files."""
    rows = [{"question": f"{n}?", "answer": "yes"} for n in range(400)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = "task: own\ndataset_path: rows.jsonl\ntest_split: test\noutput_type: loglikelihood\n"
    Path("own.yaml").write_text(text + 'doc_to_text: "{{question}}"\ndoc_to_target: "{{answer}}"\n')
    named = "own.yaml" if task == "own" else task

    def asking(ids: str) -> dict[str, Any]:
        return _suite({"task": {"task": named, "document_ids": ids}})

    said = "there is no document 400: the task has 400 (0 to 399); lower `document_ids`"
    assert said in _told(asking("3, 400"))
    assert not checked_suite(asking("0-399"))[1].told
    both = asking("3, 400")
    both["measures"].append({"perplexity": {"text": "rows.jsonl#question"}})
    assert said in "\n".join(checked_suite(both)[1].told), "other cells are measured all the same"
    monkeypatch.setattr("harness.measures.task.foreseen.MOST_BYTES", 10)
    assert task != "own" or not checked_suite(asking("3, 400"))[1].told, "too large to be read beforehand"
