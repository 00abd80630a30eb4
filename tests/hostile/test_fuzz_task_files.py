"""Task files of anyone's: each is read and asked, or refused in one sentence, soon and with little memory."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from harness import corpora
from harness.errors import UserError
from harness.measures.registry import MEASURES
from harness.measures.task.documents import documents, prepared
from harness.measures.task.settings import TaskSettings
from harness.tasks.files.library import TaskLibrary
from harness.tasks.task import SHIPPED

TASK = """task: t
dataset_path: rows.jsonl
test_split: test
doc_to_text: "{{q}}"
doc_to_target: "{{a}}"
"""
MODEL: Any = SimpleNamespace(identity=SimpleNamespace(thinking=(), end_strings=()))
"""What documents are asked of: it need not answer."""


def asked(path: Path, mode: str = "right", shots: int | None = None) -> list[str]:
    """Everything that is done with a task file before a model answers, as text."""
    library = TaskLibrary(paths=(str(path.parent),))
    settings = TaskSettings(task=str(path), documents=2, mode=mode, shots=shots)  # type: ignore[arg-type]
    measure = MEASURES["task"]
    measure.check(library, settings)
    measure.notes(library, settings)
    library.digest(str(path))
    return [str(documents(task, MODEL, settings, [])) for task in prepared(library.open(str(path)), settings)[:3]]


def refusal(folder: Path, text: str | bytes) -> str:
    """The sentence that a task file is refused with."""
    (folder / "rows.jsonl").write_text('{"q": "1 + 1?", "a": "2"}\n{"q": "1 + 2?", "a": "3"}\n')
    path = folder / "t.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    with pytest.raises(UserError) as refused:
        asked(path)
    return str(refused.value)


def laughs(merged: bool) -> str:
    """Ten aliases at each level."""
    lines = ["x0: &x0 {a: 1}" if merged else "x0: &x0 [lol]"]
    for level in range(1, 14):
        inner = ", ".join([f"*x{level - 1}"] * 10)
        lines.append(f"x{level}: &x{level} " + (f"{{<<: [{inner}], b{level}: 1}}" if merged else f"[{inner}]"))
    return "metadata:\n" + "".join(f"  {line}\n" for line in lines)


REFUSED = {
    "laughs": (TASK + laughs(False), r"t\.yaml:\d+: this stands for .* values, its aliases written out"),
    "merged laughs": (TASK + laughs(True), r"this stands for .* values, its aliases written out"),
    "deep": (TASK + f"metadata: {{x: {'[' * 10_000}{']' * 10_000}}}", r"t\.yaml:6: lists or mappings are nested too"),
    "deep enough to crash a parser": (TASK + "x: " + "[" * 1_000_000, r"t\.yaml:6: lists or mappings are nested too"),
    "deep in one line": (TASK + "metadata:\n  " + "- " * 100_000 + "a", r"t\.yaml:7: lists or mappings are nested too"),
    "many digits": (TASK + f"num_fewshot: {'9' * 10_000}", r"t\.yaml:6: a number of 10,000 digits"),
    "hexadecimal": (TASK + f"num_fewshot: 0x{'9' * 10_000}", r"t\.yaml:6: a number of 10,002 digits"),
    "shots": (TASK + "num_fewshot: 1000000000000000000", r"t\.yaml:6: `num_fewshot` can't be 1000000000000000000"),
    "repeats": (TASK + "repeats: 1000000000000000000", r"t\.yaml:6: `repeats` can't be 1000000000000000000"),
    "endless": (TASK + "num_fewshot: .inf", r"t\.yaml:6: `num_fewshot` can't be inf"),
    "long name": (
        TASK.replace("rows.jsonl", "a" * 10_000),
        r"t\.yaml:2: `dataset_path` names data, and it is too long",
    ),
    "null character": (
        TASK.replace("rows.jsonl", '"a\\0b"'),
        r"t\.yaml:2: `dataset_path` names data, and .* null char",
    ),
    "split of a null character": (TASK.replace("split: test", 'split: "a\\0b"'), r"`test_split` names data, and"),
    "half a character": (TASK + 'description: "\\ud800"', r"t\.yaml:6: half a character \(\\ud800\) is in it"),
    "nobody's home": (TASK.replace("rows.jsonl", "~nobody_of_that_name/x"), r"there is no home folder"),
    "no file": (TASK.replace("rows.jsonl", "json") + "dataset_kwargs: {data_files: {test: ''}}", r"there is no "),
    "long file": (
        TASK.replace("rows.jsonl", "json") + f"dataset_kwargs: {{data_files: {{test: '{'a' * 999}'}}}}",
        r"`data_files` names files, and it is too long",
    ),
    "aggregates of no list": (
        "group: g\ntask: [{task: x, dataset_path: rows.jsonl}]\naggregate_metric_list: 7",
        r"t\.yaml:3: `aggregate_metric_list` is a list of mappings",
    ),
    "not UTF-8": (TASK.encode() + b"description: \xff\xfe", r"t\.yaml:6: this line is not UTF-8"),
    "UTF-16 of another order": (TASK.encode("utf-16-be"), r"not valid YAML"),
    "empty": ("", r"a task file is a mapping of keys"),
    "empty group": ("group: g\ntask: []\n", r"t\.yaml:2: the group g has no tasks"),
    "aggregate of no name": (
        "group: g\ntask: [{task: x, dataset_path: rows.jsonl}]\n"
        "aggregate_metric_list: [{metric: acc, filter_list: 1.5}]",
        r"t\.yaml:3: `filter_list` of `aggregate_metric_list` is a name or a list of names, not 1\.5",
    ),
    "skipped rows": (
        TASK.replace("rows.jsonl", "csv") + "dataset_kwargs: {data_files: {test: rows.csv}, skiprows: 1000000000000}",
        r"`skiprows` is a number of lines, or a list of numbers of lines, up to 1,000,000",
    ),
    "codec of bytes": (
        TASK.replace("rows.jsonl", "csv") + "dataset_kwargs: {data_files: {test: rows.csv}, encoding: zlib}",
        r"zlib is no encoding of text",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_too_much_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "rows.csv").write_text("q,a\n1,2\n")
    text, sentence = REFUSED[name]
    told = refusal(tmp_path, text)
    assert re.search(sentence, told), told[:500]
    assert len(told) < 5000


def test_byte_order_marks_of_yaml_are_read(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"q": "1 + 1?", "a": "2"}\n')
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "t.yaml").write_bytes(TASK.encode(encoding))
        assert "1 + 1?" in asked(tmp_path / "t.yaml")[0]


def test_a_pipe_among_task_files_stops_nobody(tmp_path: Path, bounded: ModuleType) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    (tmp_path / "nowhere.yaml").symlink_to("nowhere")
    (tmp_path / "rows.jsonl").write_text('{"q": "1 + 1?", "a": "2"}\n')
    (tmp_path / "t.yaml").write_text(TASK)
    end = bounded.end_of(lambda: asked(tmp_path / "t.yaml"))
    assert end.kind == "result" and "1 + 1?" in end.text, end


def test_folders_without_end_are_refused(tmp_path: Path) -> None:
    here = Path.cwd()
    try:
        os.chdir(tmp_path)
        for _ in range(1400):
            Path("d").mkdir()
            os.chdir("d")
    finally:
        os.chdir(here)
    try:
        assert "its folders are nested more than 100 deep" in refusal(tmp_path, TASK)
        with pytest.raises(UserError, match="its folders are nested too deeply"):
            corpora.documents(str(tmp_path / "d"))
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # Python's own way recurses at each


def test_includes_that_double_at_each_step_are_refused(tmp_path: Path) -> None:
    for step in range(40):
        (tmp_path / f"{step}.yaml").write_text(f"include: [{step + 1}.yaml, {step + 1}.yaml]\n")
    (tmp_path / "40.yaml").write_text("output_type: generate_until\n")
    assert "more than 1,000 files are included in all" in refusal(tmp_path, TASK + "include: 0.yaml\n")


# ---- made wrong by chance


class _Named(str):
    """`!function file.name`."""


class _Reader(yaml.SafeLoader):
    pass


class _Writer(yaml.SafeDumper):
    pass


_Reader.add_constructor("!function", lambda loader, node: _Named(node.value))
_Writer.add_representer(_Named, lambda writer, value: writer.represent_scalar("!function", str(value)))


def mutants(mutation: ModuleType, folder: Path, seed: int, count: int) -> Iterator[tuple[Path, str, int | None]]:
    """Shipped task files, made wrong, each beside the other files of its folder."""
    chance = random.Random(seed)
    paths = sorted((SHIPPED / "microworld").rglob("*.yaml"))
    for number in range(count):
        source = chance.choice(paths)
        content = source.read_bytes()
        if chance.random() < 0.3:
            made = mutation.changed_bytes(content, chance)
        else:
            changed = mutation.changed_value(yaml.load(content, Loader=_Reader), chance)
            made = yaml.dump(changed, Dumper=_Writer, sort_keys=False).encode("utf-8", "surrogatepass")
        inner = folder / str(number)
        inner.mkdir()
        for other in source.parent.iterdir():
            if other.name != source.name:
                (inner / other.name).symlink_to(other)
        (inner / source.name).write_bytes(made)
        yield inner / source.name, chance.choice(("right", "right", "lm-eval")), chance.choice((None, 0, 2))
        shutil.rmtree(inner)


def check(bounded: ModuleType, mutation: ModuleType, folder: Path, seed: int, count: int) -> None:
    for number, (path, mode, shots) in enumerate(mutants(mutation, folder, seed, count)):
        end = bounded.end_of(lambda path=path, mode=mode, shots=shots: asked(path, mode, shots))
        assert end.is_allowed, (seed, number, end.kind, end.text[:1000])


def test_task_files_made_wrong(bounded: ModuleType, mutation: ModuleType, tmp_path: Path) -> None:
    check(bounded, mutation, tmp_path, 0, 25)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 4))
def test_many_task_files_made_wrong(bounded: ModuleType, mutation: ModuleType, tmp_path: Path, seed: int) -> None:
    check(bounded, mutation, tmp_path, seed, 200)
