"""One-liners tell what is wrong, and what could not be measured, by their options; their functions by the keywords."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path

import pytest

import harness
from harness.errors import UserError
from harness.models.reference_adapter import ReferenceSettings
from harness.models.training_entry import Train
from harness.shorthand import options
from harness.shorthand.in_options import told_in_options
from harness.shorthand.options import BENCH, EVAL, MODELS, PERPLEXITY, TRAIN, keywords
from tests.harness.cli.test_cli import harness as command

SETTINGS = {*ReferenceSettings.model_fields, *Train.model_fields}
"""What `harness.train` takes beside its own."""


@pytest.mark.parametrize(
    ("function", "called"),
    [(harness.bench, BENCH), (harness.perplexity, PERPLEXITY), (harness.eval, EVAL), (harness.train, TRAIN)],
)
def test_every_keyword_is_one(function: object, called: Mapping[str, str]) -> None:
    takes = inspect.signature(function).parameters  # type: ignore[arg-type]
    for key, option in keywords(called).items():
        for word in option.split(", "):
            assert word in takes or ("settings" in takes and word in SETTINGS), (key, word)
    assert MODELS == "models" and options.MODEL == "MODEL"


def test_python_names_the_keyword(llama_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^precision: 'fp33' is not allowed"):
        harness.bench(llama_folder, precision="fp33", out=tmp_path)
    with pytest.raises(UserError, match=r"^window: .* do not fit in the context of llama, which is 64"):
        harness.perplexity(llama_folder, corpus="microworld/test", window=4096, out=tmp_path)
    with pytest.raises(UserError, match=r"^prompt: `prompt=60` \+ `new=5`, 65 tokens, do not fit"):
        harness.bench(llama_folder, prompt=60, new=5, memory=False, out=tmp_path)


def test_a_command_names_the_option(llama_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = command(capsys, "bench", str(llama_folder), "--prompt", "60", "--new", "5", "--no-memory")
    assert code == 2 and "--prompt: `--prompt 60` + `--new 5`, 65 tokens, do not fit" in error and "suite:" not in error


def test_records_and_warnings_too(llama_folder: Path, gpt2_folder: Path, tmp_path: Path) -> None:
    """Of two models one has room for it: the other's cells are skipped, and say why."""
    told: list[str] = []
    results = harness.perplexity(
        [llama_folder, gpt2_folder], corpus="microworld/test", window=60, documents=1, out=tmp_path
    )
    (skipped,) = (cell for cell in results.cells if cell.status == "skipped")
    assert skipped.reason is not None and skipped.reason.startswith("window: `window=60` tokens do not fit")
    assert "suite:" not in (results.folder / "summary.md").read_text().replace("suite:perplexity", "")
    assert not told


def test_the_outer_words_stay() -> None:
    inner = told_in_options(keywords(BENCH), MODELS)
    with pytest.raises(UserError, match=r"^--precision: no$"), told_in_options(BENCH), inner:
        raise UserError("suite: matrix.precision.0: no")
    with pytest.raises(UserError, match=r"^my.yaml:3: matrix.precision.0: no$"), told_in_options(BENCH):
        raise UserError("my.yaml:3: matrix.precision.0: no")


def test_a_wrong_suite_and_a_wrong_file_for_it_in_one_answer(llama_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "there.yaml").write_text("other")
    with pytest.raises(UserError) as found:
        harness.bench(
            llama_folder, precision="fp33", new=1, memory=False, out=tmp_path, save_suite=tmp_path / "there.yaml"
        )
    told = str(found.value)
    assert "precision: 'fp33' is not allowed" in told and "new: " in told and "something is there already" in told
    assert (tmp_path / "there.yaml").read_text() == "other"
    with pytest.raises(UserError, match="there is no folder"):
        harness.bench(llama_folder, out=tmp_path, save_suite=tmp_path / "gone/s.yaml")
