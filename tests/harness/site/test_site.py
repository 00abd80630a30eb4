"""The folder of the site: small, the same bytes from the same history, and nobody else's files are touched."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.errors import ExitCode, UserError
from harness.history.folder import History, read_history
from harness.history.row import table_of
from harness.site.ab_data import ab_table
from harness.site.folder import MANIFEST
from harness.site.script_file import script
from harness.site.verdict_data import verdict_files
from harness.site.write import commit_address, site_files, write_site
from tests.harness.site import synthetic

PAGE = Path(__file__).parents[3] / "harness/report/page.html.j2"
CSS = Path(__file__).parents[3] / "harness/site/page/site.css"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.write_history(tmp_path_factory.mktemp("written") / "history", 6, 4)


def read(site: Path) -> dict[str, bytes]:
    return {str(path.relative_to(site)): path.read_bytes() for path in sorted(site.rglob("*")) if path.is_file()}


def data(content: str) -> object:
    """What a script of data gives."""
    return json.loads(re.fullmatch(r'site\.take\("[a-z0-9-]+",(.*)\);\n', content, re.S)[1])  # type: ignore[index]


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["site", *map(str, words)], env={"COLUMNS": "200"})
    if isinstance(done.exception, UserError):
        return done.exception.exit_code, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_200_runs_take_less_than_two_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.history.steps.change_points", lambda values: [])  # seconds, and a few hundred bytes
    files = site_files(synthetic.history(200, verdicts=200), project=tmp_path)
    assert sum(len(content.encode()) for content in files.values()) < 2_000_000
    assert max(len(content) for name, content in files.items() if name.startswith("data/")) < 250_000


def test_the_same_history_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_site(tmp_path / name, folder, project=tmp_path)
    assert read(tmp_path / "one") == read(tmp_path / "two")
    write_site(tmp_path / "one", folder, project=tmp_path)
    assert read(tmp_path / "one") == read(tmp_path / "two")


def test_values_and_series_are_those_of_the_history(folder: Path, tmp_path: Path) -> None:
    write_site(tmp_path / "site", folder, project=tmp_path)
    index = data((tmp_path / "site/data/index.js").read_text())
    assert isinstance(index, dict)
    rows = read_history(folder).rows
    stored = sorted(float(f"{value:.10g}") for value in rows["value"])
    values = [run for name in index["files"]["values"] for run in data((tmp_path / "site" / name).read_text())]  # type: ignore[attr-defined]
    assert sorted(one[3] for _, of, _ in values for one in of) == stored
    series = [one for name in index["files"]["series"] for one in data((tmp_path / "site" / name).read_text())]  # type: ignore[attr-defined]
    assert sorted(value for _, of in series for value in of["value"]) == stored
    assert len(index["runs"]["id"]) == 6 and len(index["verdicts"]["id"]) == 5
    for line in series:
        ids = [index["runs"]["commit"][number] for number in line[1]["run"]]
        assert ids == [synthetic.commit(number) for number in range(6)]


def test_files_of_an_earlier_writing_go_and_no_others(folder: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    write_site(site, folder, project=tmp_path)
    before = set(read(site))
    (site / "mine.txt").write_text("mine")
    (site / "data/mine.js").write_text("mine")
    short = synthetic.write_history(tmp_path / "short", 2, 4)
    write_site(site, short, project=tmp_path)
    after = set(read(site))
    assert {"mine.txt", "data/mine.js"} <= after and len(after) == len(before) + 2
    assert before - after, "data that no index names is gone"
    manifest = json.loads((site / MANIFEST).read_text())
    assert set(manifest["files"]) | {MANIFEST, "mine.txt", "data/mine.js"} == after


def test_a_manifest_of_somebody_else_removes_nothing(folder: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    write_site(site, folder, project=tmp_path)
    outside = tmp_path / "outside.js"
    outside.write_text("mine")
    (site / "notes.md").write_text("mine")
    names = ["../outside.js", str(outside), "notes.md", "data/../../outside.js", "index.html/..", 3, None]
    (site / MANIFEST).write_text(json.dumps({"files": names}))
    write_site(site, folder, project=tmp_path)
    assert outside.read_text() == "mine" and (site / "notes.md").is_file()
    for damaged in ("", "{", "[]", '{"files": 3}', "null"):
        (site / MANIFEST).write_text(damaged)
        write_site(site, folder, project=tmp_path)
    assert (site / "index.html").is_file()


def test_a_folder_with_other_files_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("years")
    (tmp_path / "file").write_text("")
    for place, why in (("mine", "has other files"), ("file", "this is a file"), ("file/below", "can't be")):
        code, said = run(tmp_path / place, "--history", folder)
        assert code == ExitCode.USAGE and why in said, said
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_bad_input_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (tmp_path / "empty").mkdir()
    for words, why in (
        (("--history", tmp_path / "nowhere"), "there is no history here"),
        (("--history", tmp_path / "empty"), "no run is in this history"),
        (("--history", folder, "--suite", "other"), "no run of this suite"),
        (("--history", folder, "--repository", "javascript:alert(1)"), "needs the web address"),
        (("--history", folder, "--repository", "git@github.com:me/project"), "needs the web address"),
        (("--history", folder, "--repository", "https://[bad"), "needs the web address"),
    ):
        code, said = run(site, *words)
        assert code == ExitCode.USAGE and why in said and "\n" not in said.strip(), said
        assert not site.exists(), "nothing is written where nothing can be"


def test_damaged_files_are_named_and_the_others_shown(folder: Path, tmp_path: Path) -> None:
    import shutil

    damaged = shutil.copytree(folder, tmp_path / "history")
    rows, verdict = next(damaged.rglob("*.parquet")), next(damaged.rglob("*.verdict.json"))
    rows.write_bytes(rows.read_bytes()[:-3])
    verdict.write_text(verdict.read_text().replace("gate", "gone", 1))
    code, said = run(tmp_path / "site", "--history", damaged)
    assert code == ExitCode.USAGE and rows.name in said and verdict.name in said and "index.html" in said
    index = data((tmp_path / "site/data/index.js").read_text())
    assert isinstance(index, dict)
    assert len(index["runs"]["id"]) == 5 and len(index["verdicts"]["id"]) == 4
    assert any(rows.name in line for line in index["damage"])
    assert not any(str(tmp_path) in line for line in index["damage"]), "where the history lies is nobody's business"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full and RLIMIT_FSIZE")
def test_a_full_disk_leaves_the_site_that_was_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from harness.site import folder as site_folder

    site = tmp_path / "site"
    write_site(site, folder, project=tmp_path)
    before = read(site)
    whole = site_folder.write_whole
    names: list[str] = []

    def full(path: Path, content: str | bytes) -> None:
        names.append(path.name)
        if path.parent.name == "data":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        whole(path, content)

    monkeypatch.setattr(site_folder, "write_whole", full)
    code, said = run(site, "--history", synthetic.write_history(tmp_path / "short", 2, 4))
    assert code == ExitCode.USAGE and "the disk is full" in said
    now = read(site)
    assert {name: now[name] for name in before if name != MANIFEST} == {
        name: content for name, content in before.items() if name != MANIFEST
    }
    monkeypatch.undo()
    write_site(site, folder, project=tmp_path)
    assert read(site) == before


def test_a_script_of_data_ends_nothing() -> None:
    nasty = "</script><!-- ' & \u2028 \ud800 \u202e"
    text = script("index", {"a": [nasty, float("nan"), 1.5]})
    assert text.isascii() and not set("<>&'") & set(text)
    assert data(text) == {"a": ["</script><!-- ' & \\u2028 \\ud800 \\u202e", None, 1.5]}
    assert len(script("index", ["x" * 10**6])) < 10_000


def test_addresses_of_commits() -> None:
    assert commit_address("https://github.com/me/p.git") == "https://github.com/me/p/commit/{commit}"
    assert commit_address("https://h/p/-/{commit}/x") == "https://h/p/-/{commit}/x"


def test_it_has_the_colors_of_the_reports() -> None:
    css = CSS.read_text()
    for scheme in re.findall(r":root \{([^}]*)\}", PAGE.read_text()):
        for name, color in re.findall(r"(--[\w-]+): (#\w+)", scheme):
            assert f"{name}: {color};" in css, (name, color)


def test_an_empty_table_is_a_site(tmp_path: Path) -> None:
    files = site_files(History(tmp_path, table_of([]), ("x: damaged",), ()), project=tmp_path)
    assert isinstance(data(files["data/index.js"]), dict)


def test_the_repository_says_the_order_and_the_subjects(tmp_path: Path) -> None:
    import subprocess
    from dataclasses import replace

    def git(*words: str) -> str:
        who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
        return subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    git("init", "-q", "-b", "main")
    commits = []
    for subject in ("first </script>", "second"):
        git("commit", "-q", "--allow-empty", "-m", subject)
        commits.append(git("rev-parse", "HEAD").strip())
    rows = [
        replace(synthetic.rows_of_commit(number, 3, 1)[0], commit=commit, parents=None, branch="main", dirty=False)
        for number, commit in enumerate([commits[1], commits[0], "f" * 40])  # added in another order
    ]
    table = table_of([replace(row, branch="gone" if row.commit == "f" * 40 else "main") for row in rows])
    files = site_files(History(tmp_path, table, (), ()), project=tmp_path)
    index = data(files["data/index.js"])
    assert isinstance(index, dict)
    assert index["branch"] == "main" and index["runs"]["subject"] == ["second", "first </script>", None]
    ((_, series),) = data(files[index["files"]["series"][0]])  # type: ignore[misc,attr-defined]
    assert [index["runs"]["commit"][number] for number in series["run"]] == [*commits, "f" * 40]
    assert series["state"] == [0, 0, 2] and "branch gone" in str(series["marks"])


def test_evidence_does_not_say_where_files_lay(tmp_path: Path) -> None:
    some = synthetic.history(3)
    said = {"code": {"a": {"file": "/home/jane/project/kernels.py", "sha256": "ab"}, "b": {"file": "C:\\jane\\k.py"}}}
    verdict = some.verdicts[0].model_copy(update={"said": {"verdict": "pass", "call": "kernels:work", **said}})
    (file,) = verdict_files([verdict])
    assert "jane" not in file.content and "kernels:work" in file.content and "code.a.sha256" in file.content


def test_what_an_ab_rests_on_is_a_small_table() -> None:
    assert dict(map(tuple, ab_table(synthetic.AB))) == {
        "a": "revision main (aaaa)",
        "b": "this environment",
        "differs": "revision",
        "time": "b takes 1.0600 [1.0500, 1.0700] of a's, 95 %",
        "CPU time": "1.0500 [too few launches for an interval], which is not judged",
        "launches": "8 + 5 to measure it once more, threads: 1, 41.2 s in all",
        "differences": "+6.00 %, +6.19 %",
        "measured once more": "+5.94 %",
        "A/A": "launches of identical code scatter by 0.31 %; 0 of 40 decisions on identical code were a false FAIL "
        "(at most 7 %)",
        "rule": "margin 5 %, chance of a false FAIL 1 %, of a false PASS 5 %",
        "sees": "a slowdown of 3.1 % in as many launches as it may take (chance 80 %)",
        "load": "other programs took 2 % of the cores",
    }
    some = synthetic.history(3)
    (file,) = verdict_files([some.verdicts[0].model_copy(update={"kind": "ab", "said": synthetic.AB})])
    assert "outputs.tolerance" in file.content and "fail_alpha" not in file.content and "jane" not in file.content


@pytest.mark.parametrize("odd", [None, 3, "x", [], [[]], {"a": 1}, True, float("inf"), {"value": "1"}])
def test_an_ab_of_odd_values_has_the_rows_that_can_be_read(odd: object) -> None:
    for name in synthetic.AB:
        told = ab_table(synthetic.AB | {name: odd})
        assert all(isinstance(part, str) for row in told for part in row) and len(told) >= 8
    assert ab_table({}) == []
