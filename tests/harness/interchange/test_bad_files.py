"""What can't be read is one sentence with the place in the file, and nothing is written."""

from __future__ import annotations

import contextlib
import copy
import gzip
import io
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
from harness.errors import UserError
from harness.interchange import foreign_file, inspect_archive
from tests.harness.interchange import foreign_files as files

Change = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def refused(path: Path, content: bytes | str) -> str:
    """What is said of a file."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError) as told:
        harness.import_results(path, out=path.parent / "runs")
    assert told.value.exit_code == 2 and not (path.parent / "runs").exists()
    sentence = str(told.value)
    assert "\n" not in sentence and sentence.startswith(str(path))
    return sentence


WHOLE = json.dumps(files.pytest_benchmark())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the file is empty"),
        ("<!DOCTYPE html><html>502 Bad Gateway</html>", "this is a web page or XML, not JSON"),
        (WHOLE[: len(WHOLE) // 2], "it is cut short"),
        (WHOLE[:-1], "it is cut short"),
        ('{"benchmarks": [1, 2,]}', "1: it is no JSON (Illegal trailing comma|1: it is no JSON (Expecting value)"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("1" * 10_000, "this is no JSON"),
        ('{"a": ' + "1" * 10_000 + "}", "no JSON that can be read"),
        ("a,b\n1,2\n", "Read are: pytest-benchmark (JSON of"),
        ('{"hello": 1}', "this is of no tool that is read here. Read are: pytest-benchmark"),
        ("{}", "this is of no tool"),
        ("[]", "this is of no tool"),
        ("null", "this is no JSON"),
        ('{"a": 1}\n{"b": 2', "2: this line is no JSON"),
        ('{"a": 1}\n[1]', "2: a line of JSON Lines is an object"),
        (b"{\xff\xfe\x00", "it is no text"),
        (b"\x80abc{", "it is no text|this is no JSON"),
        (gzip.compress(WHOLE.encode())[:-20], "it is cut short: the compressed data have no end"),
        (b"\x1f\x8b" + b"rubbish" * 10, "it can't be unpacked"),
        (b"PK\x03\x04" + b"rubbish" * 10, "the archive is damaged or cut short"),
    ],
)
def test_no_file_of_any_tool(tmp_path: Path, content: bytes | str, told: str) -> None:
    sentence = refused(tmp_path / "file", content)
    assert any(one in sentence for one in told.split("|")), sentence


def test_no_file_at_all(tmp_path: Path) -> None:
    for path, told in ((tmp_path / "none", "no such file"), (tmp_path, "this is a folder")):
        with pytest.raises(UserError, match=told):
            harness.import_results(path, out=tmp_path / "runs")


def _set(*path: Any, to: Any) -> Change:
    def change(value: Any) -> Any:
        at = value
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = to
        return value

    return change


CASES: list[tuple[str, Change, str]] = [
    ("pytest-benchmark", _set("benchmarks", to=[]), "`benchmarks` is empty"),
    (
        "pytest-benchmark",
        _set("benchmarks", 0, to=[1]),
        "benchmarks[0]: this should be a mapping, {…}, not a list of 1",
    ),
    ("pytest-benchmark", _set("benchmarks", 0, "stats", "data", 1, to=-1.0), "benchmarks[0].stats.data[1]: "),
    ("pytest-benchmark", _set("benchmarks", 0, "stats", "data", 1, to=math.nan), "a finite number, not nan"),
    ("pytest-benchmark", _set("benchmarks", 0, "stats", "data", 1, to="0.5"), "a valid number, not '0.5'"),
    ("pytest-benchmark", _set("benchmarks", 0, "stats", "data", to=[1.0]), "1 values and 3 rounds"),
    ("pytest-benchmark", _set("benchmarks", 1, to={}), "benchmarks[1].name: this is missing"),
    ("pytest-benchmark", _set("benchmarks", to={"a": 1}), "a valid list, not a mapping of 1"),
    ("google-benchmark", _set("benchmarks", to=[]), "`benchmarks` is empty"),
    (
        "google-benchmark",
        _set("benchmarks", 0, "time_unit", to="weeks"),
        "time_unit is one of ns, us, ms, s, not 'weeks'",
    ),
    ("google-benchmark", _set("benchmarks", 0, "real_time", to=math.inf), "benchmarks[0].real_time"),
    ("google-benchmark", _set("benchmarks", 0, "items_per_second", to=math.nan), "the counter items_per_second is nan"),
    ("google-benchmark", _set("benchmarks", 1, "repetition_index", to=0), "two benchmarks are called sort/8"),
    ("google-benchmark", _set("context", "json_schema_version", to=2), "json_schema_version 2 is not read, only 1"),
    ("llama-bench", _set(0, "samples_ns", 0, to=0), "[0].samples_ns[0]: "),
    ("llama-bench", _set(1, "cpu_info", to="Other"), "cpu_info is 'Other' here"),
    ("llama-bench", _set(0, "n_prompt", to=-1), "[0].n_prompt"),
    ("asv", _set("version", to=3), "asv's format 3 is not read, only 2"),
    ("asv", _set("version", to=1), "`asv update` rewrites it"),
    ("asv", _set("results", to={}), "`results` is empty"),
    ("asv", _set("results", "bench.peakmem_list", 0, to=[1, 2]), "2 results and 1 combinations"),
    ("asv", _set("results", "bench.peakmem_list", 0, to=[-5]), "a peak memory of -5"),
    ("asv", _set("results", "bench.Suite.time_sum", 1, to=[["1"] * 1000] * 3), "1,000,000,000 combinations"),
    (
        "asv",
        _set("results", "bench.Suite.time_sum", 0, 0, to=math.inf),
        "results.bench.Suite.time_sum.result[0]: a time of inf",
    ),
    ("pyperf", _set("version", to="2.0"), "pyperf's format 2.0 is not read"),
    ("pyperf", _set("benchmarks", to=[]), "`benchmarks` is empty"),
    ("pyperf", _set("metadata", "unit", to="parsec"), "the unit is one of second, byte, integer, not 'parsec'"),
    ("pyperf", _set("benchmarks", 0, "runs", to=[{"warmups": [[1, 0.5]]}]), "they only calibrate"),
    ("pyperf", _set("benchmarks", 1, "metadata", "name", to="one"), "two benchmarks are one"),
    ("pyperf", _set("benchmarks", 0, "runs", 1, "values", 0, to=-1), "benchmarks[0].runs[1].values[0]"),
    ("hyperfine", _set("results", to=[]), "`results` is empty"),
    ("hyperfine", _set("results", 0, "exit_codes", to=[0]), "1 exit_codes and 3 times"),
    ("hyperfine", _set("results", 1, to=files.hyperfine()["results"][0]), "two benchmarks are sleep 0.5"),
    ("lm-eval", _set("results", to={}), "`results` is empty"),
    ("lm-eval", _set("results", "sums", "acc,none", to=math.inf), "results.sums.acc,none: this should be a number"),
    ("lm-eval", _set("results", "sums", "acc_stderr,none", to=-1.0), "a standard error of -1.0"),
    ("lm-eval", _set("configs", to=[]), "configs: "),
    ("inspect", _set("version", to=3), "inspect's log format 3 is not read, only 2"),
    ("inspect", _set("results", "scores", 0, "metrics", "accuracy", "value", to=7), "an accuracy of 7"),
    ("inspect", _set("samples", 1, "id", to="q0"), "sample 'q0' stands there twice"),
    ("inspect", _set("samples", 0, "scores", "match", "value", to=math.inf), "samples[0]: a score of inf"),
    ("optimum-benchmark", _set("prefill", "latency", "unit", to="days"), "the unit is s, not 'days'"),
    ("optimum-benchmark", _set("prefill", "memory", "unit", to="GiB"), "the unit is MB, not 'GiB'"),
    ("optimum-benchmark", _set("prefill", "latency", "values", 0, to=-0.1), "prefill.latency.values[0]"),
]


@pytest.mark.parametrize(("name", "change", "told"), CASES, ids=[f"{name}: {told}" for name, _, told in CASES])
def test_a_wrong_value_is_told_with_its_place(tmp_path: Path, name: str, change: Change, told: str) -> None:
    assert told in refused(tmp_path / "file.json", json.dumps(change(files.JSON[name]())))


def test_files_that_only_say_what_was_measured(tmp_path: Path) -> None:
    assert "holds no result" in refused(tmp_path / "a", json.dumps(files.asv_benchmarks()))
    assert "name its benchmark_report.json" in refused(tmp_path / "b", json.dumps(files.optimum_config()))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_set(0, "resps", 0, to=[["abc", "True"]]), ":1: `resps` has 'abc'"),
        (_set(0, "resps", 0, to=[["nan", "True"]]), ":1: `resps` has NaN"),
        (_set(2, "doc_id", to=-1), ":3: doc_id"),
        (_set(1, "acc", to="yes"), ":2: the metric acc is 'yes', no number"),
        (_set(1, "arguments", to={"gen_args_0": 5}), ":2: `arguments` of a request"),
        (_set(1, "doc_id", to=0), ":2: document 0 stands there twice"),
    ],
)
def test_a_wrong_line_of_samples_is_told_with_its_number(tmp_path: Path, change: Change, told: str) -> None:
    lines = change(files.lm_eval_samples())
    results = files.write(
        tmp_path / "results.json",
        files.lm_eval(files.lm_eval_samples()) | {"task_hashes": {"sums": files.task_hash(lines)}},
    )
    samples = files.write_lines(tmp_path / "samples", lines)
    with pytest.raises(UserError) as error:
        harness.import_results(results, samples, out=tmp_path / "runs")
    assert f"{samples}{told}" in str(error.value)


def test_large_files_are_refused_before_they_fill_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_file, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(foreign_file, "MOST_VALUES", 1000)
    monkeypatch.setattr(inspect_archive, "MOST_MEMBER", 1 << 16)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(5 << 30)  # sparse: five gigabytes
    with pytest.raises(UserError, match="has 1 MiB at most, and this file has more"):
        harness.import_results(tmp_path / "large", out=tmp_path / "runs")
    assert "unpacks to more than 1 MiB" in refused(tmp_path / "bomb", gzip.compress(b" " * (2 << 20)))
    assert "more than 1,000 values" in refused(tmp_path / "many", json.dumps({"a": [0] * 2000}))
    for zstandard in (False, True):
        log = files.inspect()
        log["samples"][0]["input"] = "x" * (1 << 17)
        content = files.inspect_archive(log, zstandard=zstandard)
        assert len(content) < 1 << 14
        assert "unpacks to more than" in refused(tmp_path / "bomb.eval", content)


def _archive(members: dict[str, bytes]) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return found.getvalue()


def test_archives_that_are_no_log(tmp_path: Path) -> None:
    header = json.dumps({name: value for name, value in files.inspect().items() if name != "samples"}).encode()
    assert "this is of no tool" in refused(tmp_path / "a", _archive({"x.json": b"{}"}))
    assert "the evaluation did not end" in refused(tmp_path / "b", _archive({"_journal/start.json": b"{}"}))
    assert "header.json:1: it is cut short" in refused(tmp_path / "c", _archive({"header.json": header[:99]}))
    assert "log format" in refused(tmp_path / "d", _archive({"header.json": b"[1]"}))
    damaged = bytearray(_archive({"header.json": header, "samples/a_epoch_1.json": b'{"id": 1}'}))
    place = damaged.find(b'{"id": 1}')
    damaged[place] = 0x20
    assert "samples/a_epoch_1.json: it can't be unpacked" in refused(tmp_path / "e", bytes(damaged))


def test_names_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    log = files.inspect()
    header = json.dumps({name: value for name, value in log.items() if name != "samples"}).encode()
    members = {"header.json": header, "samples/../../escaped.json": json.dumps(log["samples"][0]).encode()}
    (tmp_path / "in").mkdir()
    (tmp_path / "in/log").write_bytes(_archive({**members, "/etc/absolute": b"x", "../up": b"x"}))
    run = harness.import_results(tmp_path / "in/log", out=tmp_path / "runs")
    assert len(run.samples_of(run.cells[0])) == 1
    assert not list(tmp_path.rglob("*escaped*")) and not list(tmp_path.rglob("up"))


# --- whatever is in a file, only a UserError comes out ---------------------------------------------------------------

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(1 << 70), max_value=1 << 70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "../x", "\x1b[2J", "\ud800", "NaN", "[1", "1e999", "0" * 400, {"$float": "NaN"}]),
    st.lists(st.none(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(one for key, each in inner for one in paths_in(each, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn, name: str) -> Any:
    """A valid file of a tool, one to three of whose parts were replaced, dropped or written twice."""
    value = copy.deepcopy(files.JSON[name]())
    for _ in range(draw(st.integers(1, 3))):
        paths = paths_in(value)
        if not paths:
            break
        *before, key = draw(st.sampled_from(paths))
        at = value
        for one in before:
            at = at[one]
        what = draw(st.sampled_from(["replace", "drop", "twice"]))
        if what == "replace":
            at[key] = draw(ODD)
        elif what == "drop":
            del at[key]
        elif isinstance(at, list):
            at.insert(key, at[key])
    return value


def read_or_refused(content: bytes, folder: Path, *more: str) -> None:
    path = folder / "file"
    path.write_bytes(content)
    try:
        run = harness.import_results(path, *more, out=folder / "runs")
    except UserError as error:
        assert error.exit_code == 2 and len(str(error)) < 7000
    else:
        assert run.damage == [] and all(cell.records for cell in run.cells)


@pytest.mark.parametrize("name", list(files.JSON))
@settings(max_examples=25)
@given(data=st.data())
def test_only_a_user_error_comes_out_of_an_adapter(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    value = data.draw(mutated(name))
    read_or_refused(json.dumps(value).encode(), tmp_path_factory.mktemp("fuzz"))


@settings(max_examples=30)
@given(data=st.data())
def test_only_a_user_error_comes_out_of_samples(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    lines = files.lm_eval_samples() if data.draw(st.booleans()) else files.lm_eval_written()
    paths = paths_in(lines)
    *before, key = data.draw(st.sampled_from([path for path in paths if len(path) > 1]))
    at: Any = lines
    for one in before:
        at = at[one]
    at[key] = data.draw(ODD)
    results = files.lm_eval() | {"task_hashes": {}}
    path = files.write(folder / "results.json", results)
    samples = files.write_lines(folder / "samples_sums_1.jsonl", lines)
    with contextlib.suppress(UserError):
        harness.import_results(path, samples, out=folder / "runs")


@settings(max_examples=30)
@given(
    place=st.integers(0, 1 << 20),
    bit=st.integers(0, 7),
    form=st.sampled_from(["gzip", "deflated", "zstandard", "json"]),
)
def test_only_a_user_error_comes_out_of_damaged_bytes(
    place: int, bit: int, form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(
        gzip.compress(json.dumps(files.pyperf()).encode(), mtime=0)
        if form == "gzip"
        else json.dumps(files.inspect()).encode()
        if form == "json"
        else files.inspect_archive(files.inspect(), zstandard=form == "zstandard")
    )
    content[place % len(content)] ^= 1 << bit
    read_or_refused(bytes(content), tmp_path_factory.mktemp("fuzz"))


def test_samples_of_another_evaluation_of_the_same_questions(tmp_path: Path) -> None:
    """lm-eval's hash of samples is of the questions, so another model's have the same one."""
    results = files.write(tmp_path / "results.json", files.lm_eval())
    others = tmp_path / "samples_sums.jsonl"
    others.write_text("".join(json.dumps(line) + "\n" for line in files.lm_eval_samples((1, 0, 0, 0))))
    with pytest.raises(UserError, match=r"mean acc of these samples of sums is 0\.25, and the results say 0\.75"):
        harness.import_results(results, others, out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
