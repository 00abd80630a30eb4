"""What bash is told to complete, by the variables that it sets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "pandas", "pyarrow", "altair", "scipy", "numpy")


def completed(line: str, folder: Path, environment: dict[str, str] | None = None) -> list[str]:
    """The words for the last one of a command line, which may be empty."""
    code = (
        "import sys; sys.argv = ['harness']\n"
        "from harness.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    asked = {"_HARNESS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder,
        env={**os.environ, **asked, **(environment or {})},
    )  # fmt: skip
    assert done.stderr == "[]\n", "nothing heavy, and nothing beside the words"
    return done.stdout.split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("20260101-100000-tiny", "20260102-100000-quick")):
        run = tmp_path / "results" / "runs" / name
        run.mkdir(parents=True)
        (run / "manifest.json").write_text("{" * number)  # none is opened
    (tmp_path / "results" / "runs" / "notes").mkdir()
    (tmp_path / "results" / "baselines" / "main").mkdir(parents=True)
    (tmp_path / "results" / "runs" / "elsewhere.yaml").touch()
    (tmp_path / "mine.yaml").write_text("name: mine")
    (tmp_path / "mine.txt").touch()
    (tmp_path / ".hidden.yaml").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("harness sho", ["show"]),
        ("harness run quick", ["quickstart"]),
        ("harness run mi", ["mine.yaml"]),
        ("harness run results/runs/else", ["results/runs/elsewhere.yaml"]),
        ("harness plan guide/08", ["guide/08-kv-cache"]),
        ("harness show ", ["latest", "20260102-100000-quick", "20260101-100000-tiny", "main"]),
        ("harness compare latest 202601", ["20260102-100000-quick", "20260101-100000-tiny"]),
        ("harness show --out nowhere ", ["main"]),
        ("harness run --resume results/runs/20260102", ["results/runs/20260102-100000-quick"]),
        ("harness list tas", ["tasks"]),
        ("harness generate nan", ["nano"]),
        ("harness chat tin", ["tiny"]),
        ("harness eval asset:smollm2", ["asset:smollm2-135m", "asset:smollm2-135m-instruct"]),
        ("harness eval smollm2-135m-", ["smollm2-135m-instruct"]),
        ("harness perplexity resu", ["results/"]),
        ("harness bench qui", ["quick"]),
        ("harness assets get smollm2", ["smollm2-135m", "smollm2-135m-instruct"]),
        ("harness data show ep", ["epoch_chinchilla"]),
        ("harness explain latest arc_", ["arc_challenge", "arc_easy"]),
        ("harness baseline show m", ["main"]),
        ("harness init s", ["scaling"]),
        ("harness run --res", ["--resume"]),
        ("harness run no-such-thing", []),
    ],
)
def test_words(folder: Path, line: str, words: list[str]) -> None:
    found = completed(line, folder)
    assert found[: len(words)] == words
    if not line.endswith(" "):
        assert len(found) == len(words) or words == ["results/runs/20260102-100000-quick"]
    assert ".hidden.yaml" not in found and "mine.txt" not in found


def test_what_can_not_be_read_completes_to_nothing(folder: Path) -> None:
    (folder / "results" / "baselines" / "main").rmdir()
    (folder / "results" / "baselines").rmdir()
    (folder / "results" / "baselines").write_text("a file")
    assert completed("harness baseline show ", folder) == []


def test_a_script_for_bash_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['harness']\nfrom harness.cli import main\nmain()"],
        capture_output=True, text=True, check=False, env={**os.environ, "_HARNESS_COMPLETE": "source_bash"},
    )  # fmt: skip
    assert "complete -o default -F" in done.stdout and "_HARNESS_COMPLETE=complete_bash" in done.stdout


def test_bash_itself_completes(folder: Path) -> None:
    """The printed script, in a real bash, as it calls it: with the command's name."""
    script = (
        f"PATH={Path(sys.executable).parent}:$PATH\n"
        "source <(_HARNESS_COMPLETE=source_bash harness)\n"
        "complete -p harness | grep -o '_[a-z_]*completion'\n"
        "COMP_WORDS=(harness init s) COMP_CWORD=2\n"
        '_harness_completion harness; echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=folder, check=False)
    assert done.stdout.splitlines() == ["_harness_completion", "scaling"], done.stderr
