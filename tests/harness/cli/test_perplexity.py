"""`harness perplexity`: a number from one line, the suite that it stands for, and mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.shorthand.perplexity import perplexity_suite, texts_named
from tests.harness.cli.test_cli import harness

Text = pytest.CaptureFixture[str]


def test_the_saved_suite_gives_the_same_numbers_from_the_cache(
    capsys: Text, llama_folder: Path, story: Path, tmp_path: Path
) -> None:
    line = ("perplexity", str(llama_folder), "--text", str(story), "--documents", "5", "--window", "32")
    code, out, _ = harness(capsys, *line, "--save-suite", "p.yaml")
    assert code == 0 and "perplexity" in out and "bits per byte" in out
    written = Path("p.yaml").read_text()
    assert written.startswith("# harness perplexity ")
    assert yaml.safe_load(written)["measures"] == [{"perplexity": {"text": str(story), "window": 32, "documents": 5}}]
    code, again, _ = harness(capsys, "run", "p.yaml")
    assert code == 0 and "1 known from earlier runs" in again


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say what is read: `--text FILE`, or `--corpus NAME`"),
        (("--text", "none.txt"), "there is no file or folder 'none.txt'"),
        (("--text", "microworld/test"), "the corpus of that name is `--corpus microworld/test`"),
        (("--text", ""), "there is no file or folder ''"),
        (("--corpus", "microworld/tset"), "did you mean 'microworld/test'"),
        (("--corpus", "microworld/test", "--precision", "fp32,,int8"), "nothing between two commas"),
        (("--corpus", "microworld/test", "--precision", "float32"), "precision"),
        (("--corpus", "microworld/test", "--set", "revision"), "is no `key=value`"),
        (("--corpus", "microworld/test", "--window", "8", "--stride", "8"), "a stride of at most 7"),
        (("--corpus", "microworld/test", "--bos", "maybe"), "bos"),
    ],
)
def test_mistakes_are_one_sentence(capsys: Text, llama_folder: Path, arguments: tuple[str, ...], said: str) -> None:
    code, _, error = harness(capsys, "perplexity", str(llama_folder), *arguments)
    assert code == 2 and said in error and "Traceback" not in error


def test_one_value_is_no_list(story: Path) -> None:
    suite = perplexity_suite({"m": {"reference": "x"}}, ["a", "b"], precision=["fp32", "int8"], bos="add")
    assert suite["matrix"] == {"precision": ["fp32", "int8"], "device": "auto"}
    assert suite["measures"] == [{"perplexity": {"text": ["a", "b"], "bos": "add"}}]
    assert texts_named([f"{story}#text"], ["microworld/test"]) == [f"{story}#text", "microworld/test"]
