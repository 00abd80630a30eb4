"""Texts of anybody's in a run, a suite or a name: what would act on a terminal or turn letters around is shown."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness import kept_file
from harness.cli.console import make_console
from harness.errors import inert
from harness.results.run import Run
from harness.results.run_folder import CELLS, FINDINGS, MANIFEST

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x08\r\u202etxt.exe\u2066\u200f\x7f\U000e0041"
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 東京 🙂\n\tx", "plain ü 東京 🙂\n\tx"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b31m\x85", "\\x9b31m\\x85"),
        ("a\rb\x08\x00\x7f", "a\\rb\\x08\\x00\\x7f"),
        ("\u202eabc\u2069", "\\u202eabc\\u2069"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_acts_is_written_out(text: str, shown: str) -> None:
    assert inert(text) == shown and inert(shown) == shown


def test_the_console_writes_styles_of_its_own_and_of_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = make_console()
    table = Table(HOSTILE)
    table.add_row(HOSTILE)
    for one in (HOSTILE, Text(HOSTILE, style="bold"), table, Text.assemble((HOSTILE, "red"))):
        console.print(one)
        console.print(one, soft_wrap=True)
    assert not ACTING.search(capsys.readouterr().out)
    with console.capture() as caught:
        console.print(HOSTILE)
    assert not ACTING.search(caught.get())


def tamper(run: Run) -> None:
    """Put the text wherever the files of a run have one that is printed."""
    manifest = json.loads(kept_file.read_json(run.folder / MANIFEST, MANIFEST))
    manifest |= {"suite": HOSTILE, "about": HOSTILE, "problems": [HOSTILE], "command": ["harness", HOSTILE]}
    manifest["fingerprint"]["cpu_model"] = HOSTILE
    manifest["models"] = {HOSTILE + name: facts | {"source": HOSTILE} for name, facts in manifest["models"].items()}
    cells = [json.loads(kept_file.unseal(line, CELLS)) for line in (run.folder / CELLS).read_bytes().splitlines()]
    for cell in cells:
        cell["model"] = HOSTILE + cell["model"]
        if cell.get("reason"):
            cell["reason"] = HOSTILE + cell["reason"]
        for record in cell["records"]:
            record["model"] = HOSTILE + record["model"]
    (run.folder / CELLS).write_text("".join(kept_file.seal(json.dumps(cell), CELLS) + "\n" for cell in cells))
    findings = json.loads((run.folder / FINDINGS).read_text())
    for finding in findings:
        finding["title"] = HOSTILE
    (run.folder / FINDINGS).write_text(json.dumps(findings))
    manifest["files"] = {FINDINGS: kept_file.content_sha256(run.folder / FINDINGS)}
    kept_file.write_json(run.folder / MANIFEST, json.dumps(manifest), MANIFEST)


def said(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "harness", *arguments], capture_output=True, check=False)
    return done.stdout.decode() + done.stderr.decode()


def test_no_command_sends_what_a_run_says(builders: ModuleType, tmp_path: Path) -> None:
    run = builders.full_run(tmp_path / "run")
    tamper(run)
    told = {
        "show": said("show", str(run.folder)),
        "compare": said("compare", str(run.folder), str(run.folder)),
        "list": said("show", "--out", str(tmp_path)),
        "error": said("show", str(tmp_path / HOSTILE.replace("\x00", ""))),
    }
    assert {name: ACTING.findall(text) for name, text in told.items() if ACTING.search(text)} == {}
    assert "\\x1b]0;owned" in told["show"]


def test_no_report_holds_what_a_run_says(builders: ModuleType, tmp_path: Path) -> None:
    from harness.report.html import html
    from harness.report.making import of_run
    from harness.report.markdown import markdown
    from harness.report.vega import vega_bundle

    run = builders.full_run(tmp_path / "run")
    tamper(run)
    report = of_run(Run(run.folder))
    for write in (markdown, html):
        text = write(report).replace(vega_bundle(), "")
        assert not ACTING.search(text) and "x1b]0;owned" in text, write.__name__
        specs = re.search(r'id="specs">(.*?)</script>', text, re.DOTALL)
        if specs:  # what the page's script reads from escapes
            assert not ACTING.search(json.dumps(json.loads(specs[1]), ensure_ascii=False).replace("\\\\", ""))


def test_errors_and_warnings_are_shown_too(tmp_path: Path) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text(f"name: x\n{json.dumps(HOSTILE)}: 1\n", encoding="utf-8")
    told = [said("plan", str(suite)), said("show", HOSTILE), said(HOSTILE)]
    assert not any(ACTING.search(text) for text in told)
    script = f"from harness.cli.console import take_every_character as t; t(); raise ValueError({HOSTILE!r})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert b"ValueError" in done.stderr and not ACTING.search(done.stderr.decode())


def test_answers_and_questions_are_shown_too(task_builders: ModuleType, tmp_path: Path) -> None:
    b, out = task_builders, tmp_path / "results" / "runs"
    for name, margin in (("before", 1.0), ("after", -1.0)):
        rows = [b.choice_row(n, f"Question {HOSTILE} {n}.", [HOSTILE, "no"], [-2, -2 - margin]) for n in range(3)]
        b.task_run(out / name, [b.task_cell(out / name, rows)])
    told = [said("explain", "before", "capitals", "1"), said("diff", "before", "after")]
    assert not any(ACTING.search(text) for text in told), told
    assert "owned" in told[0] and "flipped" in told[1]
