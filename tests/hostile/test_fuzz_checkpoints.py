"""Model folders of anybody's: each opens with a number that is right, or is refused in one sentence, in bounded time
and memory. `checkpoint_mutants` draws and opens them."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.models.contract import ModelSource
from tests.hostile import checkpoint_mutants as mutants
from tests.hostile.checkpoint_mutants import Change, Mutant, Outcome, setting, write_header

QUICK = range(7)
MANY = range(1000, 1120)
FOUND = (168, 230, 235, 271, 283, 2078)
"""Seeds that once gave something else: endless files, pipes of the system's, random tokenizers, NaN, raw errors,
sentences of pages."""


class Corpus:
    """The whole folders, and what each gives."""

    def __init__(self, folder: Path) -> None:
        self.scratch = folder
        self.whole = mutants.write_whole(folder)
        self.first: dict[str, Outcome] = {}

    def fault(self, mutant: Mutant) -> str:
        """What is wrong with how a mutant is taken."""
        return mutants.fault(mutant, self.whole[mutant.kind], self.of(mutant.kind), self.scratch)

    def of(self, kind: str) -> Outcome:
        """What the whole folder gives."""
        if kind not in self.first:
            self.first[kind] = mutants.opened(self.whole[kind], kind)
        return self.first[kind]

    def told(self, kind: str, change: Change) -> Outcome:
        """What a changed folder gives."""
        folder = Path(shutil.copytree(self.whole[kind], self.scratch / "told"))
        try:
            change(folder)
            return mutants.opened(folder, kind)
        finally:
            shutil.rmtree(folder)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    patched = pytest.MonkeyPatch()
    patched.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
    patched.setenv("HF_HUB_OFFLINE", "1")
    mutants.prepare()
    yield Corpus(tmp_path_factory.mktemp("corpus"))
    patched.undo()


@pytest.mark.parametrize("kind", mutants.KINDS)
def test_whole_folders_give_the_numbers_of_the_libraries(corpus: Corpus, kind: str) -> None:
    assert corpus.of(kind).kind == "number", corpus.of(kind)
    assert mutants.near(corpus.of(kind), mutants.expected(corpus.whole[kind], kind))


@pytest.mark.parametrize("seed", [*QUICK, *FOUND])
def test_a_mutant_gives_a_right_number_or_one_sentence(corpus: Corpus, seed: int) -> None:
    assert corpus.fault(mutants.drawn(seed)) == ""


@pytest.mark.nightly
@pytest.mark.parametrize("seed", MANY)
def test_many_mutants_give_a_right_number_or_one_sentence(corpus: Corpus, seed: int) -> None:
    assert corpus.fault(mutants.drawn(seed)) == ""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "gpt2 as reference"])
@pytest.mark.parametrize("number", range(len(mutants.SETTINGS)))
def test_each_hostile_setting(corpus: Corpus, kind: str, number: int) -> None:
    key, value = mutants.SETTINGS[number]
    assert corpus.fault(Mutant(kind, key, setting(key, value))) == ""


# Known attempts, with what is said of each.


def replaced(name: str, make: Callable[[Path], object]) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return change


def header(change: Callable[[dict[str, Any]], object]) -> Change:
    def changed(folder: Path) -> None:
        path = folder / "model.safetensors"
        content = path.read_bytes()
        length = struct.unpack("<Q", content[:8])[0]
        written = json.loads(content[8 : 8 + length])
        change(written)
        write_header(path, written, content[8 + length :])

    return changed


def announced(length: int, padding: int = 0) -> Change:
    def changed(folder: Path) -> None:
        path = folder / "model.safetensors"
        path.write_bytes(struct.pack("<Q", length) + b"{}")
        with path.open("ab") as file:
            file.truncate(padding or 10)

    return changed


def index(change: Callable[[dict[str, str]], object]) -> Change:
    def changed(folder: Path) -> None:
        path = folder / "model.safetensors.index.json"
        written = json.loads(path.read_bytes())
        change(written["weight_map"])
        path.write_text(json.dumps(written))

    return changed


def first_tensor(written: dict[str, Any], **changes: Any) -> None:
    next(entry for name, entry in written.items() if name != "__metadata__").update(changes)


def token(id: int) -> Change:
    def changed(folder: Path) -> None:
        path = folder / "tokenizer.json"
        written = json.loads(path.read_bytes())
        written["model"]["vocab"]["zz"] = id
        path.write_text(json.dumps(written))

    return changed


REFUSED: list[tuple[str, Change, str]] = [
    ("llama", setting("num_hidden_layers", 10**9, "config.json"), "`num_hidden_layers` is 1,000,000,000"),
    ("gpt2", setting("n_layer", 10**9), "`n_layer` is 1,000,000,000"),
    ("llama as reference", setting("num_hidden_layers", 10**9), "`num_hidden_layers` is 1,000,000,000"),
    ("llama", setting("num_labels", 10**9), "`num_labels` is 1,000,000,000"),
    ("llama", setting("num_experts", 10**12), "`num_experts` is 1,000,000,000,000"),
    ("llama", setting("layer_types", ["full_attention"] * 10**6), "`layer_types` lists 1,000,000 parts"),
    ("llama", setting("text_config", {"num_hidden_layers": 10**9}), "`num_hidden_layers` is 1,000,000,000"),
    ("llama", setting("hidden_size", 10**30), "a number of 31 digits"),
    ("llama", setting("vocab_size", 10**12), "of another shape"),
    ("gpt2", setting("n_positions", 10**9), "of another shape"),
    ("llama", replaced("config.json", lambda path: path.write_text("[" * 10**6)), "nested too deeply"),
    ("llama", replaced("config.json", lambda path: path.write_text('{"a": 1' + "0" * 5000 + "}")), "digits"),
    ("llama", replaced("config.json", lambda path: path.write_bytes(b" " * (40 << 20))), "such a file at most"),
    ("llama", replaced("config.json", os.mkfifo), "this is a pipe, not a file"),
    ("llama", replaced("tokenizer.json", os.mkfifo), "this is a pipe, not a file"),
    ("llama", replaced("generation_config.json", lambda path: path.symlink_to("/dev/zero")), "this is a device"),
    ("llama", replaced("model.safetensors", os.mkfifo), "no weights"),
    ("llama", lambda folder: os.mkfifo(folder / "extra"), "this is a pipe, not a file"),
    ("sharded", replaced("model-00002-of-00003.safetensors", Path.mkdir), "weight files are missing"),
    ("reference", replaced("config.json", os.mkfifo), "config.json: not a file"),
    ("reference", replaced("tokenizer.json", lambda path: path.symlink_to("/dev/zero")), "not a file"),
    ("llama", announced(1 << 60), "the weights are damaged"),
    ("llama", announced(100_000_000, 200_000_000), "at most 33,554,432 are read"),
    ("llama", header(lambda h: first_tensor(h, shape=[10**9, 10**9])), "the weights are damaged"),
    ("llama", header(lambda h: first_tensor(h, data_offsets=[-8, 8])), "the weights are damaged"),
    ("llama", header(lambda h: first_tensor(h, data_offsets=[0, 1 << 50])), "the weights are damaged"),
    (
        "llama",
        header(lambda h: h.update(x={"dtype": "F32", "shape": [2], "data_offsets": [0, 8]})),
        "the weights are damaged",
    ),
    ("sharded", index(lambda places: places.update(x="../../x.safetensors")), "this index of the weights"),
    ("sharded", index(lambda places: places.update(x="/etc/passwd")), "this index of the weights"),
    ("sharded", index(lambda places: places.update({f"x{n}": f"{n}.safetensors" for n in range(10**5)})), "this index"),
    ("llama", setting("transformers_weights", "../gpt2/model.safetensors"), "`transformers_weights` names"),
    ("llama", setting("configuration_files", ["config.4.0.0.json"]), "`configuration_files` names"),
    ("llama", setting("torch_dtype", "load"), "`torch_dtype` is load"),
    ("llama", setting("tokenizer_class", "AutoModelForCausalLM"), "which is no tokenizer"),
    ("llama", setting("quantization_config", {"quant_method": "eetq"}), "would fetch code from the hub"),
    ("llama", setting("model_type", "mine"), "knows no architecture `mine`"),
    ("llama", token(10**9), "the tokenizer gives ids up to 1,000,000,000"),
    ("llama", setting("dropout", 0.5), "drops merges at random"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_known_attempts_are_refused(corpus: Corpus, number: int) -> None:
    kind, change, sentence = REFUSED[number]
    found = corpus.told(kind, change)
    assert found.is_one_sentence and sentence in found.text, found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("attn_implementation", "kernels-community/flash-attn"),
        ("_attn_implementation", "flash_attention_2"),
        ("experts_implementation", "owner/kernels"),
        ("fusion_config", {"a": True}),
        ("auto_map", {"AutoModelForCausalLM": "evil.Model"}),
        ("vocab_file", "/etc/passwd"),
        ("chat_template", "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"),
        ("chat_template", "{{ 'a' * 10**11 }}"),
    ],
)
def test_what_is_passed_over_changes_no_number(corpus: Corpus, key: str, value: object) -> None:
    found = corpus.told("llama", setting(key, value))
    assert found.nlls == corpus.of("llama").nlls and found.ids == corpus.of("llama").ids


def test_a_pattern_that_never_ends_is_given_up(corpus: Corpus) -> None:
    folder = Path(shutil.copytree(corpus.whole["llama"], corpus.scratch / "endless"))
    from harness.models.tokenizer_loading import open_tokenizer

    rule = {"type": "Split", "pattern": {"Regex": "(a|aa)+$"}, "behavior": "Isolated", "invert": False}
    setting("pre_tokenizer", rule)(folder)
    tokenizer = open_tokenizer(ModelSource("m", "transformers", str(folder), ""))
    with pytest.raises(UserError, match="the tokenizer can't read a text of 301 characters"):
        tokenizer.encode("a" * 300 + "b")


@pytest.mark.slow
def test_a_suite_measures_the_others_and_says_a_sentence_for_each(corpus: Corpus, tmp_path: Path) -> None:
    changes = {
        "layers": setting("num_hidden_layers", 10**9),
        "pipe": replaced("config.json", os.mkfifo),
        "ids": token(10**9),
        "header": announced(1 << 60),
    }
    for name, change in changes.items():
        change(Path(shutil.copytree(corpus.whole["llama"], tmp_path / name)))
    shutil.copytree(corpus.whole["llama"], tmp_path / "whole")
    (tmp_path / "text.txt").write_text("The cat sat on the mat. " * 40)
    suite = {
        "name": "hostile",
        "models": {name: {"transformers": name} for name in ("whole", *changes)},
        "measures": [{"perplexity": {"text": "text.txt", "window": 32, "stride": 16}}],
    }
    (tmp_path / "suite.yaml").write_text(json.dumps(suite))
    for command, code in (("plan", 0), ("run", 2)):
        ended = subprocess.run(
            [sys.executable, "-m", "harness", command, "suite.yaml"],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "400"},
            check=False,
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        assert "Traceback" not in ended.stdout + ended.stderr
    assert ended.stdout.count("FAILED: ") + ended.stderr.count("FAILED: ") == len(changes)


def test_code_beside_a_model_is_not_run(corpus: Corpus, tmp_path: Path) -> None:
    """Of configuration, model, tokenizer and generation, each named where transformers looks for such."""
    ran = tmp_path / "ran"

    def change(folder: Path) -> None:
        code = f"open({str(ran)!r}, 'w').close()\n"
        (folder / "evil.py").write_text(code)
        (folder / "custom_generate").mkdir()
        (folder / "custom_generate" / "generate.py").write_text(code)
        named = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M", "AutoTokenizer": ["evil.T", "evil.T"]}
        for file in ("config.json", "tokenizer_config.json"):
            setting("auto_map", named, file)(folder)
        setting("custom_generate", str(folder), "generation_config.json")(folder)

    found = corpus.told("llama", change)
    assert found.kind == "number" or found.is_one_sentence
    setting_only = corpus.told("llama", lambda folder: (change(folder), setting("model_type", "mine")(folder)))
    assert setting_only.is_one_sentence and "--trust-remote-code" in setting_only.text
    assert not ran.exists()
