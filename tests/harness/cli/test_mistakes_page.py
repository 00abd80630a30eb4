"""docs/mistakes.md: every row of its tables is made, and must say what the page says."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from harness import kept_file
from harness.cli.app import app
from harness.errors import UserError
from harness.execution import plan as planning
from harness.execution.preflight import packages
from harness.execution.preflight.checked_plan import checked_plan, checked_suite
from harness.results.fingerprint import fingerprint
from harness.suite.load import load_suite
from tests.hostile.plain_words import forbidden_words
from tests.tiny_models import llama

PAGE = (Path(__file__).parents[3] / "docs/mistakes.md").read_text(encoding="utf-8")
(SUITE,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
_CODE = re.compile(r"(?<!`)(`{1,2})(?!`) ?(.*?) ?(?<!`)\1(?!`)")


def rows(heading: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [[one.replace("\\|", "|") for one in re.split(r"(?<!\\) \| ", line.strip()[2:-2])] for line in lines]


def code(cell: str) -> str:
    """What stands in code in a cell, lines for its line breaks; of an empty cell nothing."""
    spans = [_CODE.sub(r"\2", part) for part in cell.strip().split("<br>")]
    return "\n".join(spans).replace("⏎", "\n")


IN_SUITE, COMMANDS = rows("In a suite"), rows("On the command line")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    llama().save_pretrained(folder)
    (folder / "tokenizer.json").write_text("{}")
    return folder


@pytest.fixture(autouse=True)
def beside(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page says lies beside the suite."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "models").mkdir()
    (tmp_path / "models/tiny").symlink_to(model)
    for name, changes in {"lama": {"model_type": "lama"}, "wide": {"hidden_size": 40}}.items():
        shutil.copytree(model, tmp_path / "models" / name)
        written = json.loads((model / "config.json").read_text())
        (tmp_path / "models" / name / "config.json").write_text(json.dumps(written | changes))
    shutil.copytree(model, tmp_path / "models/bare", ignore=shutil.ignore_patterns("tokenizer*"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "runs/old").mkdir(parents=True)
    kept_file.write_json(tmp_path / "runs/old/manifest.json", '{"schema_version": 99}', "manifest.json")
    make_folder = Path.mkdir

    def unless_locked(path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        make_folder(path, mode, parents, exist_ok)

    monkeypatch.setattr(Path, "mkdir", unless_locked)
    files = {"notes": "One day it rained.\n", "empty": "", "white": " \n\n ", "hole": "\0" * 9}
    for name, text in files.items():
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "rows.jsonl").write_text('{"body": "One day it rained."}\n')
    (tmp_path / "torn.jsonl").write_text('{"text": "One day it rained."}\n{"text": "The next\n')
    (tmp_path / "suite.yaml").write_text(SUITE)
    machine = fingerprint().model_copy(update={"gpus": ()})
    monkeypatch.setattr(planning, "fingerprint", lambda: machine)


def said(name: str = "suite.yaml") -> str:
    """What a suite is refused with, or what is reported of some of its cells."""
    try:
        return "\n".join(checked_plan(load_suite(name)).told)
    except UserError as error:
        return str(error)


def test_the_suite_of_the_page_has_no_mistake() -> None:
    assert said() == ""


@pytest.mark.parametrize("row", IN_SUITE, ids=[row[0] for row in IN_SUITE])
def test_a_mistake_in_a_suite(row: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    name, right, wrong, sentence = row
    if name == "a package that isn't installed":
        monkeypatch.setattr(packages, "is_installed", lambda module: module != "bitsandbytes")
    assert code(right) in SUITE, "what should stand there does"
    Path("suite.yaml").write_text(SUITE.replace(code(right), code(wrong), 1), encoding="utf-8")
    told = said()
    assert told == code(sentence)
    assert not forbidden_words(told)
    assert all(re.match(r"suite\.yaml:\d+: ", line) for line in told.splitlines())


@pytest.mark.parametrize("row", COMMANDS, ids=[row[0] for row in COMMANDS])
def test_a_mistake_on_the_command_line(row: list[str]) -> None:
    _, command, sentence = row
    done = CliRunner().invoke(app, code(command).split()[1:], env={"COLUMNS": "300"})
    told = str(done.exception) if isinstance(done.exception, UserError) else done.output.strip()
    assert told.replace(str(Path().absolute()) + "/", "").removeprefix("warning: ") == code(sentence)
    assert not forbidden_words(told)


SAME: dict[str, Callable[[str], bytes]] = {
    "JSON": lambda text: json.dumps(yaml.safe_load(text), indent="\t").encode(),
    "a byte-order mark": lambda text: text.encode("utf-8-sig"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "line ends of Windows": lambda text: text.replace("\n", "\r\n").encode(),
}


@pytest.mark.parametrize("kind", SAME)
def test_other_ways_to_save_a_suite_are_read(kind: str) -> None:
    Path("suite.yaml").write_text(SUITE)
    plain = load_suite("suite.yaml").suite
    Path("other.yaml").write_bytes(SAME[kind](SUITE))
    assert load_suite("other.yaml").suite == plain


def test_mistakes_of_the_suite_and_of_its_plan_are_told_together() -> None:
    wrong = SUITE.replace("documents: 100", "document: 100").replace("reference: nano", "reference: nanno")
    Path("suite.yaml").write_text(wrong.replace("notes.txt", "note.txt"))
    assert [line.split(": ")[1] for line in said_of_all("suite.yaml")] == [
        "models.nano.reference", "measures.0.perplexity.text", "measures.1.task.document"
    ]  # fmt: skip


def test_places_are_those_of_the_whole_suite() -> None:
    """The first entry of `measures` is wrong, and so is the text of the second."""
    wrong = "- task: {task: arc_easy, documents: -1}\n  - perplexity: {text: gone.txt}"
    alone = SUITE.replace("  - perplexity: {text: notes.txt}\n", "")
    Path("suite.yaml").write_text(alone.replace("- task: {task: arc_easy, documents: 100}", wrong))
    told = said_of_all("suite.yaml")
    assert told[0].startswith("suite.yaml:7: measures.0.task.documents: should be")
    assert told[1].startswith("suite.yaml:8: measures.1.perplexity.text: gone.txt: no such file")


@pytest.mark.parametrize(
    "wrong", ["tasks: {path: [gone]}", "modells: 3", "models: []", "measures: {}", "include: gone"]
)
def test_what_other_mistakes_may_come_from_is_told_alone(wrong: str) -> None:
    Path("suite.yaml").write_text(f"{SUITE}{wrong}\n")
    key = wrong.partition(":")[0]
    assert all(f" {key}" in line or f"'{key}'" in line for line in said_of_all("suite.yaml"))


def said_of_all(name: str) -> list[str]:
    with pytest.raises(UserError) as found:
        checked_suite(name)
    return str(found.value).splitlines()


@pytest.mark.parametrize("out", ["notes.txt", "notes.txt/runs", "/proc/none"])
def test_a_plan_says_where_no_run_can_be_kept(out: str) -> None:
    Path("suite.yaml").write_text(SUITE)
    done = CliRunner().invoke(app, ["plan", "suite.yaml", "--out", out], env={"COLUMNS": "300"})
    assert done.exit_code == 0 and "this suite can't be run from here so: " in done.output
    good = CliRunner().invoke(app, ["plan", "suite.yaml", "--out", "new/runs"], env={"COLUMNS": "300"})
    assert good.exit_code == 0 and "can't be run" not in good.output and not Path("new").exists()
