"""No flipped bit, cut or swap in what is kept is believed: the right number, a sentence, or measured again.

A real cache and real run folders of a tiny random model; each file is damaged, looked at through what reads it, and put
back. What is drawn is the same in every run.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

import harness
from harness import file_digest, notice
from harness.cache import cache_folder
from harness.cli.app import app
from harness.corpora import microworld
from harness.errors import UserError
from harness.execution.cell_cache import CellCache
from harness.execution.training_pace import is_known
from harness.kept_file import kept_bytes, kept_json, read_json, seal, unseal, write_json
from harness.measures.task.finished_documents import FinishedDocuments
from harness.models.cache_behavior import CacheBehavior
from harness.models.encoded_corpus import encoded
from harness.models.in_context_regression import Recipe, Regression, Task, trained
from harness.models.known_behavior import _known
from harness.models.training_evidence import is_trained, training_evidence
from harness.report.environment import warnings
from harness.results.exit_code import exit_code
from harness.results.find import find_run, next_sequence
from harness.results.journal import Journal
from harness.results.new_folder import new_folder
from harness.results.peaks import cached_peaks
from harness.results.run import Run
from harness.results.run_folder import CELLS, MANIFEST
from harness.results.schema_version import LaterVersion
from harness.tasks.files.index import read_index
from reference_impl.training.checkpoint import load_checkpoint

NOT_KEPT = ("*.lock", "locks", "log", "digests", "unfinished", "collected")
"""What other tests may leave in a cache, which nothing believes or which has a test of its own."""
Look = Callable[[], None]
"""Reads a damaged file through what reads it in a run; fails where it is believed."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, test_cache: Path, finished_run: Run) -> Iterator[Path]:
    """A copy of the cache of `finished_run` with a few things more in it; this process uses it."""
    folder = tmp_path_factory.mktemp("damage") / "cache"
    shutil.copytree(test_cache, folder, ignore=shutil.ignore_patterns(*NOT_KEPT))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder))
        microworld.Microworld("validation").documents()
        microworld._evaluation_sets("test", 0, microworld._code("microworld"), "microworld")
        regression()
        tasks = folder.parent / "tasks"
        tasks.mkdir()
        (tasks / "t.yaml").write_text("task: t\ndataset_path: t.jsonl\ntag: mine\n")
        read_index(tasks)
        write_json(cache_folder("cache-behavior") / "a.json", CacheBehavior().model_dump_json())
        (folder.parent / "data.bin").write_bytes(bytes(1000))
        with pytest.MonkeyPatch.context() as old:
            old.setattr(file_digest, "TICK", -(10**18))  # what was written a moment ago is remembered too
            file_digest.file_sha256(folder.parent / "data.bin")
        yield folder


@pytest.fixture
def run(finished_run: Run, tmp_path: Path) -> Run:
    """A copy of a finished run."""
    return Run(Path(shutil.copytree(finished_run.folder, tmp_path / finished_run.name)))


def regression() -> dict[str, Any]:
    reader = trained(Regression(None, Task(2), 5, Recipe(10, 8, 0.005)), lambda share, text: None)
    return {name: tensor.tolist() for name, tensor in reader.state_dict().items()}


def looks(cache: Path, finished: Run) -> dict[str, Look]:
    """For each file of the cache by its path in it: what must hold while it is damaged."""
    found: dict[str, Look] = {}
    for path in sorted(path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"):
        kind = path.relative_to(cache).parts[0]
        found[path.relative_to(cache).as_posix()] = LOOKS[kind](path, finished)
    return found


def of_cells(path: Path, finished: Run) -> Look:
    key = path.parent.name
    right, samples = CellCache().load(key), CellCache().samples(key)
    assert right is not None and samples is not None

    def look() -> None:
        assert CellCache().load(key) is None, "measured again"
        assert not CellCache().has(key)

    return look


def of_models(path: Path, finished: Run) -> Look:
    def look() -> None:
        assert not is_trained(path.parent), "trained again"

    return look


def of_tokens(path: Path, finished: Run) -> Look:
    folder = Path(finished.manifest.models["tiny"]["path"])
    training = training_evidence(folder)[0].training
    right = encoded(training)

    def look() -> None:
        found = encoded(training)
        assert found[0].digest == right[0].digest and found[3] == right[3]
        assert (found[1] == right[1]).all() and (found[2] == right[2]).all()

    return look


def of_peaks(path: Path, finished: Run) -> Look:
    machine, device, threads = path.stem.rsplit("-", 2)
    assert cached_peaks(machine, int(threads), device) is not None

    def look() -> None:
        assert cached_peaks(machine, int(threads), device) is None

    return look


def of_paces(path: Path, finished: Run) -> Look:
    machine = path.stem.rpartition("-")[0]
    assert is_known(machine, "pretrain")

    def look() -> None:
        assert not is_known(machine, "pretrain"), "estimated as if nothing had been trained"

    return look


def of_corpora(path: Path, finished: Run) -> Look:
    split = path.name.partition(".")[0]
    if split not in microworld.SPLITS:

        def sets() -> Any:
            return microworld._evaluation_sets.__wrapped__("test", 0, microworld._code("microworld"), "microworld")

        whole = sets()

        def look() -> None:
            assert sets() == whole
    else:
        text = microworld.Microworld(split)
        documents, digest = text.documents(), text.digest()

        def look() -> None:
            assert text.digest() == digest and text.documents() == documents

    return look


def of_readers(path: Path, finished: Run) -> Look:
    right = regression()

    def look() -> None:
        assert regression() == right

    return look


def of_report(path: Path, finished: Run) -> Look:
    def look() -> None:
        assert kept_bytes(path) is None, "bundled again"

    return look


def of_index(path: Path, finished: Run) -> Look:
    root = Path(json.loads(read_json(path))["root"])
    right = read_index(root)

    def look() -> None:
        assert read_index(root) == right

    return look


def of_digests(path: Path, finished: Run) -> Look:
    def look() -> None:
        file_digest._hashed.clear()
        assert kept_json(path) is None, "hashed again"

    return look


def of_cache_behavior(path: Path, finished: Run) -> Look:
    assert _known(path) is not None

    def look() -> None:
        assert _known(path) is None, "compared again"

    return look


LOOKS: dict[str, Callable[[Path, Run], Look]] = {
    "cells": of_cells,
    "models": of_models,
    "tokens": of_tokens,
    "peaks": of_peaks,
    "corpora": of_corpora,
    "readers": of_readers,
    "report": of_report,
    "task-index": of_index,
    "digests": of_digests,
    "cache-behavior": of_cache_behavior,
    "paces": of_paces,
}


@contextmanager
def damaged(path: Path, content: bytes) -> Iterator[None]:
    """The file with other content, and afterwards all of its folder as it was."""
    folder = path.parent
    kept = {file: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    path.write_bytes(content)
    try:
        yield
    finally:
        folder.mkdir(parents=True, exist_ok=True)
        for file, whole in kept.items():
            if not file.is_file() or file.read_bytes() != whole:
                file.write_bytes(whole)


def flipped(content: bytes, draw: random.Random) -> bytes:
    bit = draw.randrange(8 * len(content))
    found = bytearray(content)
    found[bit // 8] ^= 1 << bit % 8
    return bytes(found)


def in_cache(cache: Path, finished: Run, flips: int, kinds: set[str]) -> int:
    """Flip so many bits, in each kind of file as many; returns how many."""
    draw = random.Random(14)
    by_kind: dict[str, list[tuple[Path, Look]]] = {}
    for name, look in looks(cache, finished).items():
        by_kind.setdefault(name.partition("/")[0], []).append((cache / name, look))
    assert kinds <= set(by_kind)
    done = 0
    for kind, files in by_kind.items():
        for number in range(max(1, flips // len(by_kind))):
            path, look = files[number % len(files)]
            with damaged(path, flipped(path.read_bytes(), draw)):
                try:
                    look()
                except AssertionError as error:
                    raise AssertionError(f"a flipped bit in {path} ({kind}) was believed") from error
            done += 1
    return done


KINDS = set(LOOKS)


def test_no_flipped_bit_in_the_cache_is_believed(cache: Path, finished_run: Run) -> None:
    assert in_cache(cache, finished_run, 90, KINDS) >= 80


@pytest.mark.nightly
def test_no_flipped_bit_of_many_in_the_cache_is_believed(cache: Path, finished_run: Run) -> None:
    assert in_cache(cache, finished_run, 1500, KINDS) >= 1400


def test_nothing_cut_off_or_empty_in_the_cache_is_believed(cache: Path, finished_run: Run) -> None:
    for name, look in looks(cache, finished_run).items():
        whole = (cache / name).read_bytes()
        for content in (b"", whole[: len(whole) // 2], whole[:-1]):
            with damaged(cache / name, content):
                look()


def test_no_cell_in_the_place_of_another_is_believed(cache: Path, finished_run: Run) -> None:
    one, other = [cell.key for cell in finished_run.cells if cell.measure == "perplexity"]
    folders = [CellCache()._folder(key) for key in (one, other)]
    for name in ("cell.json", "samples.parquet"):
        with damaged(folders[0] / name, (folders[1] / name).read_bytes()):
            assert CellCache().load(one) is None
    right = CellCache().load(one)
    kept = shutil.move(folders[0], folders[0].parent / "aside")
    shutil.copytree(folders[1], folders[0])
    assert CellCache().load(one) is None and not folders[0].exists()
    shutil.move(kept, folders[0])
    assert CellCache().load(one) == right


@pytest.mark.parametrize("change", [{"key": "0" * 32}, {"schema_version": 1}, {"schema_version": 3}])
def test_a_cell_whose_checksum_is_right_and_that_is_not_this_one_is_measured_again(
    cache: Path, finished_run: Run, change: dict[str, Any]
) -> None:
    key = next(cell.key for cell in finished_run.cells if cell.measure == "perplexity")
    path = CellCache()._folder(key) / "cell.json"
    whole = path.read_bytes()
    with damaged(path, whole):
        write_json(path, json.dumps(json.loads(read_json(path)) | change))
        assert CellCache().load(key) is None
    assert CellCache().load(key) is not None


def test_no_trained_model_in_the_place_of_another_is_believed(cache: Path, finished_run: Run) -> None:
    folder = cache / "models" / Path(finished_run.manifest.models["tiny"]["path"]).name
    assert is_trained(folder)
    other = Path(shutil.copytree(folder, folder.with_name("nano-other")))
    try:
        assert not is_trained(other)
        assert load_checkpoint(other).digest == load_checkpoint(folder).digest, "whole in itself"
    finally:
        shutil.rmtree(other)


def test_unfinished_answers_of_another_cell_or_damaged_ones_are_asked_again(cache: Path) -> None:
    path = CellCache().unfinished("a" * 32)
    finished = FinishedDocuments(path)
    for document in range(3):
        asked: Any = type("Asked", (), {"task": "t", "document": document})
        finished.add(asked, {"log_probs": [[-1.5]], "hits": [1]})

    def known(file: Path) -> set[int]:
        found = FinishedDocuments(file)
        found.read()
        return {document for _, document in found.known}

    whole = path.read_bytes()
    assert known(path) == {0, 1, 2}
    draw = random.Random(3)
    for _ in range(60):
        path.write_bytes(flipped(whole, draw))
        assert known(path) < {0, 1, 2}
    other = CellCache().unfinished("b" * 32)
    other.write_bytes(whole)
    assert known(other) == set()
    path.unlink()
    other.unlink()


# --- run folders -----------------------------------------------------------------------------------------------------


def believed(whole: Run, folder: Path) -> str | None:
    """What a damaged run says that the whole one doesn't, without saying that it is damaged."""
    run = Run(folder)
    try:
        manifest = run.manifest
    except UserError:
        manifest = None
    if manifest is not None and manifest != whole.manifest:
        return "the manifest"
    right = {cell.identity: cell for cell in whole.cells}
    for cell in run.cells:
        if cell != right.get(cell.identity):
            return f"the cell {cell.identity}"
        try:
            samples = run.samples_of(cell)
        except UserError:
            if run.why_no_samples(cell) is None:
                return "samples that can't be read, and no word of it"
        else:
            pd.testing.assert_frame_equal(samples, whole.samples_of(right[cell.identity]))
    said = bool(run.damage) or manifest is None
    for name in ("findings", "expectations"):
        try:
            found = getattr(run, name)
        except UserError:
            found = []
        if repr(found) != repr(getattr(whole, name)) and not (found == [] and said):
            return f"the {name}"
    return None if said or len(run.cells) == len(right) else "fewer cells, and no word of it"


def in_run(whole: Run, copy: Run, flips: int) -> int:
    draw = random.Random(41)
    files = sorted(path for path in copy.folder.rglob("*") if path.is_file() and path.name not in UNREAD)
    names = {path.name for path in files}
    assert {MANIFEST, CELLS, "records.parquet", "findings.json", "expectations.json", "report.html"} <= names
    for number in range(flips):
        path = files[number % len(files)]
        content = path.read_bytes()
        with damaged(path, flipped(content, draw)):
            assert (what := believed(whole, copy.folder)) is None, f"a flipped bit in {path.name}: {what} was believed"
            broken = Run(copy.folder)
            assert broken.folder == copy.folder and (path.name == MANIFEST or broken.damage), f"{path.name}: no word"
    return flips


UNREAD = {"worker.log", ".lock"}


def test_no_flipped_bit_in_a_run_is_believed(finished_run: Run, run: Run) -> None:
    assert run.damage == [] and not run.unchecked
    in_run(finished_run, run, 80)


@pytest.mark.nightly
def test_no_flipped_bit_of_many_in_a_run_is_believed(finished_run: Run, run: Run) -> None:
    in_run(finished_run, run, 1500)


def test_nothing_cut_off_in_a_run_is_believed(finished_run: Run, run: Run) -> None:
    for path in sorted(path for path in run.folder.rglob("*") if path.is_file() and path.name not in UNREAD):
        whole = path.read_bytes()
        for content in (b"", whole[: len(whole) // 2], whole[:-2]):
            with damaged(path, content):
                assert believed(finished_run, run.folder) is None, path.name
                assert path.name == MANIFEST or Run(run.folder).damage


def test_a_run_with_fewer_cells_than_its_manifest_says_so(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    path = run.folder / CELLS
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]))
    (sentence,) = Run(run.folder).damage
    assert "2 of 6 cells are missing" in sentence
    assert exit_code(Run(run.folder)) == 2
    find_run(str(run.folder), run.folder.parent)
    assert "2 of 6 cells are missing" in caplog.text


def test_samples_of_two_cells_that_changed_places_are_not_believed(finished_run: Run, run: Run) -> None:
    one, other = [run.folder / str(cell.samples) for cell in run.cells if cell.measure == "perplexity"]
    aside = one.rename(one.with_suffix(".aside"))
    other.rename(one)
    aside.rename(other)
    assert believed(finished_run, run.folder) is None
    assert sum("the samples are damaged" in sentence for sentence in Run(run.folder).damage) == 2


def test_a_cell_of_another_run_is_not_of_this_one(run: Run) -> None:
    path = run.folder / CELLS
    told = json.loads(unseal(path.read_bytes().split(b"\n")[0], CELLS)) | {"key": "f" * 32}
    with path.open("ab") as file:
        file.write(seal(json.dumps(told), CELLS).encode() + b"\n")
    assert len(Run(run.folder).cells) == 6 and "it is of another run" in Run(run.folder).damage[0]


@pytest.fixture
def second(tmp_path: Path, finished_run: Run) -> Run:
    """Another run of the same suite on the same machine: the same plan, and numbers of its own."""
    manifest = finished_run.manifest.model_copy(update={"id": "another", "run": "second", "files": {}})
    journal = Journal.start(tmp_path / "second", manifest)
    for cell in finished_run.cells:
        samples = finished_run.samples_of(cell)
        worse = samples.assign(nll=samples["nll"] * 2) if "nll" in samples else samples.iloc[::-1].copy()
        records = [record.model_copy(update={"value": 7.0}) for record in cell.records]
        journal.append(cell.model_copy(update={"records": records}), worse if cell.samples else None)
    journal.write_records(Run(journal.folder))
    journal.write_findings([], [])
    journal.with_reports(("records.parquet", "findings.json", "expectations.json"), [])
    run = Run(journal.folder)
    assert run.damage == [] and len(run.cells) == 6
    return run


def test_known_bad_lines_without_their_run_would_be_taken_for_this_ones(run: Run, second: Run) -> None:
    """All else in them fits: the keys, the samples, the checksums."""
    manifest = json.loads(read_json(run.folder / MANIFEST, MANIFEST)) | {"id": "another"}
    write_json(run.folder / MANIFEST, json.dumps(manifest), MANIFEST)
    put(second, run, CELLS, "samples")
    assert Run(run.folder).damage == [] and Run(run.folder).cells[0].records[0].value == 7.0


def put(source: Run, target: Run, *names: str) -> None:
    for name in names:
        if (source.folder / name).is_dir():
            shutil.copytree(source.folder / name, target.folder / name, dirs_exist_ok=True)
        else:
            shutil.copy(source.folder / name, target.folder / name)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((CELLS, "samples"), "cells.jsonl:1: this line and 5 more are damaged (it is of another run)"),
        ((CELLS,), "6 of 6 cells are missing"),
        ((MANIFEST,), "cells.jsonl:1: this line and 5 more are damaged (it is of another run)"),
        (("samples",), "the samples are damaged"),
        (("records.parquet",), "records.parquet: it is damaged"),
        (("findings.json",), "findings.json: it is damaged"),
    ],
)
def test_no_file_of_another_run_of_the_same_suite_counts(
    run: Run, second: Run, names: tuple[str, ...], told: str
) -> None:
    put(second, run, *names)
    found = Run(run.folder)
    assert told in "\n".join(found.damage) and exit_code(found) == 2
    assert all(cell.run_id == found.manifest.id for cell in found.cells)


def test_one_line_or_one_file_of_samples_of_another_run_is_left_out_alone(run: Run, second: Run) -> None:
    theirs = (second.folder / CELLS).read_bytes().splitlines(keepends=True)
    with (run.folder / CELLS).open("ab") as file:
        file.write(theirs[0])
    found = Run(run.folder)
    assert len(found.cells) == 6 and "cells.jsonl:7: this line is damaged (it is of another run)" in found.damage[0]
    Journal(run.folder).drop_damaged(found)
    cell = next(cell for cell in second.cells if cell.measure == "perplexity")
    put(second, run, str(cell.samples))
    found = Run(run.folder)
    (sentence,) = found.damage
    assert str(cell.samples) in sentence and "the samples are damaged" in sentence


def test_resume_measures_again_what_another_runs_lines_stood_for(
    cache: Path, finished_run: Run, run: Run, second: Run
) -> None:
    put(second, run, CELLS, "samples")
    resumed = harness.run(str(run.folder), resume=True)
    assert resumed.damage == [] and len(resumed.cells) == 6 and resumed.manifest.id == finished_run.manifest.id
    assert {cell.run_id for cell in resumed.cells} == {finished_run.manifest.id} != {""}
    assert 7.0 not in set(resumed.records["value"])


def test_lines_of_a_run_that_drew_no_id_are_not_of_one_that_did_and_the_other_way_round(run: Run, second: Run) -> None:
    def without(folder: Path) -> None:
        manifest = json.loads(read_json(folder / MANIFEST, MANIFEST))
        manifest.pop("id")
        write_json(folder / MANIFEST, json.dumps(manifest), MANIFEST)
        lines = [json.loads(unseal(line, CELLS)) for line in (folder / CELLS).read_bytes().splitlines()]
        for line in lines:
            line.pop("run_id")
        (folder / CELLS).write_text("".join(seal(json.dumps(line), CELLS) + "\n" for line in lines))

    without(second.folder)
    earlier = Run(second.folder)
    assert earlier.damage == [] and len(earlier.cells) == 6 and not earlier.unchecked
    ours = (run.folder / CELLS).read_bytes()
    put(second, run, CELLS)
    assert Run(run.folder).cells == []
    (second.folder / CELLS).write_bytes(ours)
    assert Run(second.folder).cells == []


@pytest.mark.parametrize("name", ["findings.json", "expectations.json"])
@pytest.mark.parametrize("content", [b"[{}]", b"[null]", b"{}", b"", b'[{"kind": 3}]'])
def test_what_does_not_belong_in_a_file_is_said_though_its_checksum_is_right(
    run: Run, name: str, content: bytes
) -> None:
    manifest = json.loads(read_json(run.folder / MANIFEST, MANIFEST))
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    write_json(run.folder / MANIFEST, json.dumps(manifest), MANIFEST)
    (run.folder / name).write_bytes(content)
    found = Run(run.folder)
    (sentence,) = found.damage
    assert f"{name}: it is not what belongs here" in sentence and exit_code(found) == 2
    assert getattr(found, name.removesuffix(".json")) == []


def test_lines_without_checksums_are_none_of_a_run_that_has_them(run: Run) -> None:
    lines = [json.loads(unseal(line, CELLS)) for line in (run.folder / CELLS).read_bytes().splitlines()]
    (run.folder / CELLS).write_text("".join(json.dumps(line | {"schema_version": 1}) + "\n" for line in lines))
    found = Run(run.folder)
    assert found.cells == [] and not found.unchecked and "6 of 6 cells are missing" in found.damage[1]


def test_the_rest_of_a_damaged_run_is_shown_and_resume_measures_what_is_missing(
    cache: Path, finished_run: Run, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run.folder / CELLS
    content = bytearray(path.read_bytes())
    place = content.index(b'"value":') + 9
    content[place] ^= 1
    path.write_bytes(bytes(content))
    here, other = str(run.folder), str(finished_run.folder)
    for arguments in (["show", here], ["report", here], ["compare", here, other]):
        notice._told.clear()
        with pytest.raises(SystemExit) as ended:
            app(arguments)
        told = capsys.readouterr()
        assert ended.value.code == 2, arguments
        assert told.err.count("cells.jsonl:1: this line is damaged") == 1 and "Traceback" not in told.err
    assert len(Run(run.folder).cells) == 5
    resumed = harness.run(str(run.folder), resume=True)
    assert resumed.damage == [] and len(resumed.cells) == 6
    assert {(c.identity, c.records[0].value) for c in resumed.cells if c.measure == "perplexity"} == {
        (c.identity, c.records[0].value) for c in finished_run.cells if c.measure == "perplexity"
    }


@pytest.mark.parametrize("command", [["show"], ["compare", "latest"]])
def test_of_a_run_with_a_damaged_manifest_the_cells_are_shown(
    finished_run: Run, run: Run, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = run.folder / MANIFEST
    path.write_text(path.read_text().replace('"tiny"', '"tinz"', 1))
    notice._told.clear()
    with pytest.raises(SystemExit) as ended:
        app([*command, str(run.folder), "--out", str(finished_run.folder.parent)])
    told = capsys.readouterr()
    assert ended.value.code == 2 and told.err.count("the manifest is corrupted") == 1 and "perplexity" in told.out


def test_a_run_of_an_earlier_version_is_read_and_marked_unchecked(run: Run) -> None:
    manifest = json.loads(read_json(run.folder / MANIFEST, MANIFEST)) | {"schema_version": 1}
    manifest.pop("files")
    manifest.pop("sequence")
    (run.folder / MANIFEST).write_text(json.dumps(manifest))
    lines = [json.loads(unseal(line, CELLS)) for line in (run.folder / CELLS).read_bytes().splitlines()]
    for line in lines:
        line |= {"schema_version": 1}
        line.pop("samples_sha256")
    (run.folder / CELLS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    old = Run(run.folder)
    assert old.unchecked and old.damage == [] and len(old.cells) == 6 and len(old.findings) > 0
    assert len(old.samples_of(old.cells[0])) > 0
    assert any("unchecked" in warning for warning in warnings(old))
    (run.folder / CELLS).write_text("\n".join(["{", *(json.dumps(line) for line in lines)]) + "\n")
    assert len(Run(run.folder).damage) == 1 and len(Run(run.folder).cells) == 6


@pytest.mark.parametrize("version", [2, 3])
def test_what_has_lost_its_checksum_is_no_run_of_an_earlier_version(run: Run, version: int) -> None:
    manifest = json.loads(read_json(run.folder / MANIFEST, MANIFEST)) | {"schema_version": version}
    (run.folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="the manifest is corrupted"):
        _ = Run(run.folder).manifest
    write_json(run.folder / MANIFEST, json.dumps(manifest | {"schema_version": 3}), MANIFEST)
    with pytest.raises(UserError, match=r"a later version of harness \(format 3; this one reads up to 2\): update"):
        _ = Run(run.folder).manifest


def test_a_line_of_a_later_version_is_not_measured_again(cache: Path, run: Run) -> None:
    path = run.folder / CELLS
    lines = path.read_bytes().splitlines()
    lines[1] = seal(
        json.dumps(json.loads(unseal(lines[1], CELLS)) | {"schema_version": 3, "records": {}}), CELLS
    ).encode()
    path.write_bytes(b"\n".join([*lines, b""]))
    before = path.read_bytes()
    with pytest.raises(LaterVersion, match=r"cells.jsonl:2: written by a later version of harness \(format 3; "):
        harness.run(str(run.folder), resume=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("where", [MANIFEST, CELLS, "findings.json", "samples"])
def test_no_link_in_a_run_folder_is_followed(run: Run, where: str) -> None:
    path = run.folder / where
    aside = path.rename(run.folder.parent / f"elsewhere-{where}")
    path.symlink_to(aside)
    for read in (lambda run: run.manifest, lambda run: run.cells, lambda run: run.damage):
        with pytest.raises(UserError, match="symbolic link"):
            read(Run(run.folder))


# --- the latest ------------------------------------------------------------------------------------------------------


def test_the_latest_run_is_the_last_that_began_whatever_the_clock_says(
    tmp_path: Path, finished_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["20300101-000000-s", "20250101-000000-s", "20250101-000000-s", "20260101-000000-s"]
    for number, name in enumerate(names, start=1):
        manifest = finished_run.manifest.model_copy(update={"run": name, "started": name})
        made = new_folder(tmp_path, manifest)
        assert find_run("latest", tmp_path).folder == made.folder
        assert Run(made.folder).manifest.sequence == number
    shutil.rmtree(made.folder)
    assert next_sequence(tmp_path) == 4


def test_runs_of_versions_that_did_not_count_come_first_by_their_names(tmp_path: Path, finished_run: Run) -> None:
    for name in ("20250101-000000-s", *(f"20250101-000000-s-{n}" for n in range(2, 12))):
        manifest = finished_run.manifest.model_copy(update={"run": name, "started": "2025-01-01", "sequence": 0})
        Journal.start(tmp_path / name, manifest)
    assert find_run("latest", tmp_path).name == "20250101-000000-s-11"
    counted = finished_run.manifest.model_copy(update={"run": "20200101-000000-s", "started": "2020"})
    assert new_folder(tmp_path, counted).folder == find_run("latest", tmp_path).folder


def test_a_known_bad_check_that_believes_a_flip_is_noticed(
    cache: Path, finished_run: Run, monkeypatch: pytest.MonkeyPatch, builders: ModuleType
) -> None:
    """The same search finds the fault where no checksum is compared."""
    monkeypatch.setattr("harness.kept_file._compared", lambda content, name, wanted: content)
    with pytest.raises(AssertionError, match="was believed"):
        in_cache(cache, finished_run, 90, KINDS)
