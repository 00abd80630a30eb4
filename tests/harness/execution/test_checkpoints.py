"""Checkpoints of a suite that aren't what they seem: refused where the suite is planned or in their own cells, and told
in the rows of those that are measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import harness
from harness.errors import ExitCode, UserError
from harness.results.exit_code import exit_code
from harness.results.record import Status


def suite(tmp_path: Path, models: dict[str, str], measures: str, matrix: str = "{precision: [fp32]}") -> str:
    (tmp_path / "text.jsonl").write_text(json.dumps({"text": "the cat sat on the mat " * 4}) + "\n")
    named = "\n".join(f"  {name}: {entry}" for name, entry in models.items())
    path = tmp_path / "suite.yaml"
    path.write_text(f"name: s\nmodels:\n{named}\nmatrix: {matrix}\nmeasures:\n{measures}\n")
    return str(path)


PERPLEXITY = "  - perplexity: {text: text.jsonl}"


@pytest.mark.parametrize("kind", ["transformers", "reference"])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [("m.gguf", "GGUF files are not read"), ("m.pt", "a pickle may run"), ("m.bin", "a pickle")],
)
def test_a_file_is_refused_when_the_suite_is_planned(
    kind: str, name: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"GGUF")
    for path in (name, f"./{name}", str(tmp_path / name)):
        with pytest.raises(UserError, match=sentence) as caught:
            harness.plan(suite(tmp_path, {"m": f"{{{kind}: {path}}}"}, PERPLEXITY))
        assert f"suite.yaml:3: models.m.{kind}: " in str(caught.value)
    (tmp_path / "only").mkdir()
    (tmp_path / name).rename(tmp_path / "only" / name)
    with pytest.raises(UserError, match=f"it holds {name} and no weights in safetensors"):
        harness.plan(suite(tmp_path, {"m": f"{{{kind}: only}}"}, PERPLEXITY))


def test_a_bad_folder_costs_its_own_cells_alone(
    tmp_path: Path, llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    both = Path(shutil.copytree(llama_folder, tmp_path / "both"))
    (both / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "owner/base"}))
    models = {"base": f"{{transformers: {llama_folder}}}", "both": "{transformers: both}", "ref": "{reference: both}"}
    run = harness.run(suite(tmp_path, models, PERPLEXITY), out=tmp_path / "runs")
    assert {cell.model: cell.status for cell in run.cells} == {
        "base": Status.OK,
        "both": Status.FAILED,
        "ref": Status.FAILED,
    }
    assert all("an adapter of owner/base lies beside" in str(c.reason) for c in run.cells if c.model != "base")
    assert exit_code(run) is ExitCode.USAGE


def test_weights_that_came_quantized_have_a_label_of_their_own(
    tmp_path: Path, llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path(shutil.copytree(llama_folder, tmp_path / "four"))
    config = json.loads((folder / "config.json").read_bytes())
    said = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": said}))
    plan = harness.plan(
        suite(tmp_path, {"four": "{transformers: four}"}, PERPLEXITY, "{precision: [fp32, bf16, int8]}")
    )
    assert list(plan["precision"]) == [
        "nf4 by bitsandbytes, fp32 activations",
        "nf4 by bitsandbytes, bf16 activations",
        "int8",
    ]


def test_a_row_tells_what_its_model_is(tmp_path: Path, gpt2_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import load_file, save_file

    monkeypatch.chdir(tmp_path)
    folder = Path(shutil.copytree(gpt2_folder, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.h.0.attn.bias"] = tensors["transformer.ln_f.bias"].clone()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    path = suite(tmp_path, {"m": "{transformers: model}"}, PERPLEXITY, "{precision: [fp32, int8]}")
    run = harness.run(path, out=tmp_path / "runs")
    for cell in run.cells:
        assert "the model: its architecture leaves out transformer.h.0.attn.bias of the files" in cell.notes
        assert cell.stored is not None
        formats = {each.format for each in cell.stored.formats}
        assert formats == ({"fp32"} if cell.axes["precision"] == "fp32" else {"int8", "bf16"})
    again = harness.run(path, out=tmp_path / "runs")
    assert [cell.source for cell in again.cells] == ["cache", "cache"]
    assert [cell.stored for cell in again.cells] == [cell.stored for cell in run.cells]
