"""`harness train`, `generate` and `chat` as they are typed, and the model of a run by its name."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import harness
from harness.api.results import Results
from harness.cli.app import app
from harness.errors import UserError
from harness.scoring.generation import Completed
from harness.scoring.streaming import Piece
from harness.scoring.written_answer import WrittenAnswer

CHAT = ("--template", "plain", "--max-tokens", "6")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, story: Path, test_cache: Path) -> Results:
    """A tiny model with a long context, trained by `harness.train`; its suite is `saved.yaml` beside the runs."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(test_cache))
        return harness.train(
            story,
            name="tale",
            out=folder / "runs",
            save_suite=folder / "saved.yaml",
            steps=8,
            batch=2,
            sequence=16,
            context=8192,
            vocabulary=300,
            seed=1,
        )


def called(*words: str, said: str | None = None) -> Result:
    done = CliRunner().invoke(app, list(words), input=said, env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def generated(trained: Results, *words: str, said: str | None = None) -> Result:
    return called("generate", "tale", *words, "--out", str(trained.folder.parent), said=said)


def chatted(trained: Results, *words: str, said: str) -> Result:
    return called("chat", "tale", *words, "--out", str(trained.folder.parent), said=said)


def test_training_is_a_run_and_its_saved_suite_gives_the_same_numbers_from_the_cache(trained: Results) -> None:
    assert trained.exit_code == 0 and trained.manifest.suite == "tale"
    again = harness.run(trained.folder.parent.parent / "saved.yaml", out=trained.folder.parent.parent / "again")
    assert again.cells[0].source == "cache"
    assert again.records.value.tolist() == trained.records.value.tolist()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "--text, --corpus: name what to train on: "),
        (
            ("--corpus", "microworld", "--batch", "0", "--lr", "nan"),
            "--batch: should be greater than 0 (it is 0)\n--lr",
        ),
        (("--corpus", "microworld", "--preset", "nanoo"), "--preset: there is no preset 'nanoo'"),
        (("--text", "a", "--corpus", "microworld"), "--text, --corpus: keep one of them"),
        (("--text", "nothing.txt"), "no file or folder 'nothing.txt'"),
        (("--text", "empty.txt"), "empty.txt is empty"),
        (("--corpus", "microworld", "--preset", "nanno"), "nano"),
        (("--corpus", "microworld", "--steps", "5", "--tokens", "5"), "not both"),
        (("--corpus", "microworld", "--precision", "int8"), "allowed: auto, fp32, bf16"),
        (("--corpus", "microworld", "--name", "a b"), "may have only letters"),
    ],
)
def test_what_can_not_be_trained(words: tuple[str, ...], sentence: str) -> None:
    Path("empty.txt").touch()
    with pytest.raises(UserError, match=re.escape(sentence)):
        called("train", *words)


def test_the_trained_model_by_every_name(trained: Results) -> None:
    out, wanted = str(trained.folder.parent), generated(trained, "the cat", "--max-tokens", "5", "-q").output
    assert wanted.strip()
    for name in ("latest", "latest:nano", "tale:nano", f"{trained.folder.name}:nano", str(trained.folder)):
        done = called("generate", name, "the cat", "--max-tokens", "5", "-q", "--out", out)
        assert done.output == wanted, name
    with pytest.raises(UserError, match=r"no model 'micro'; name one: '.*tale:nano'"):
        called("generate", "tale:micro", "a", "--out", out)


def test_a_run_whose_text_changed_still_gives_the_model_that_it_trained(
    trained: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The known-bad resolver trained another model from the text of today."""
    text = tmp_path / "notes.txt"
    text.write_text("the cat sat on the mat\n" * 60)
    given: dict[str, Any] = {"name": "notes", "steps": 4, "context": 32, "vocabulary": 260, "out": tmp_path / "runs"}
    first = harness.train(text, **given)
    wanted = harness.generate(harness.load_model("notes", out=tmp_path / "runs"), "the", max_tokens=4)
    text.write_text("a dog ran to the barn\n" * 60)
    model = harness.load_model("notes", out=tmp_path / "runs")
    assert harness.generate(model, "the", max_tokens=4) == wanted
    shutil.rmtree(next(iter(first.manifest.models.values()))["path"])
    told: list[str] = []
    monkeypatch.setattr("harness.shorthand.run_model.notice", told.append)
    harness.load_model("notes", out=tmp_path / "runs")
    assert len(told) == 1 and "is trained again, and is another model" in told[0]


def test_a_model_takes_the_threads_that_others_leave_unless_it_is_told(
    trained: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The known-bad loader took one for each core: beside others two threads were eight times as slow as one."""
    import torch

    monkeypatch.setattr("harness.api.generating.default_threads", lambda: 2)
    monkeypatch.setattr("harness.threads.os.cpu_count", lambda: 2)
    before = torch.get_num_threads()
    try:
        for taken, asked, wanted in [(0.8, None, 1), (0.0, None, 2), (0.8, 2, 2)]:
            monkeypatch.setattr("harness.api.generating.taken_now", lambda seconds, taken=taken: taken)
            harness.load_model("tale", out=trained.folder.parent, threads=asked)
            assert torch.get_num_threads() == wanted, (taken, asked)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("most", "said"), [(2, True), (1, False)])
def test_the_line_at_the_end_says_that_not_all_cores_computed(
    most: int, said: bool, trained: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.threads.default_threads", lambda: most)
    done = generated(trained, "the cat", "--max-tokens", "3", "--threads", "1")
    assert (" · 1 of 2 threads · " in done.stderr) is said


def test_python_gives_the_same_texts_and_prints_nothing(trained: Results, capsys: pytest.CaptureFixture[str]) -> None:
    model = harness.load_model("tale", out=trained.folder.parent)
    text = harness.generate(model, "the cat", max_tokens=9, temperature=1.0, seed=4)
    writer = harness.stream(model, "the cat", max_tokens=9, temperature=1.0, seed=4)
    assert "".join(writer) == text == writer.written.text
    took = writer.written.took
    assert took is not None and took.ttft is not None and 0 < took.ttft <= took.seconds and took.weight_bytes
    both = harness.generate(model, ["the cat", "the dog"], max_tokens=9, temperature=1.0, seed=4)
    assert both[0] == text and len(both) == 2
    several = harness.generate(model, "the cat", samples=3, max_tokens=9, temperature=1.0, seed=4)
    assert several[0] == text and len(set(several)) == 3
    assert capsys.readouterr().out == ""


def test_prompts_from_arguments_files_and_a_pipe(trained: Results) -> None:
    Path("prompt.txt").write_text("the cat\n")
    wanted = generated(trained, "the cat", "-q", "--max-tokens", "4").output
    assert generated(trained, "--file", "prompt.txt", "-q", "--max-tokens", "4").output == wanted
    assert generated(trained, "-", "-q", "--max-tokens", "4", said="the cat\n").output == wanted
    assert generated(trained, "-q", "--max-tokens", "4", said="the cat").output == wanted
    told = json.loads(generated(trained, "the cat", "a", "-n", "2", "--temperature", "1", "--json").output)
    assert [(one["prompt"], one["sample"]) for one in told["answers"]] == [
        ("the cat", 0), ("the cat", 1), ("a", 0), ("a", 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("a", "--top-p", "2"), "--top-p: should be less than or equal to 1 (it is 2.0)"),
        (("a", "--temperature", "-1"), "--temperature: should be greater than or equal to 0"),
        (("a", "--max-tokens", "0"), "--max-tokens: should be greater than or equal to 1"),
        (("a", "--max-tokens", "9000"), "ask for at most 8191"),
        (("a", "-n", "2"), "writes one text 2 times"),
        (("a", "--beams", "2", "--temperature", "1"), "beam search draws nothing"),
        (("a", "--precision", "float16"), "allowed: fp32, bf16, fp16"),
        (("a", "--device", "gpu"), "allowed: auto, cpu, cuda"),
        (("a", "--chat"), "has no chat template"),
        (("a", "--system", "b"), "a system message is for a chat"),
        (("a", "--stop", ""), "a stop string is empty"),
        (("--file", "none.txt"), "none.txt: no such file"),
        (("-", "-"), "standard input can be read once"),
        (("--file", "bad.bin"), "this is no UTF-8 text"),
    ],
)
def test_what_can_not_be_generated(trained: Results, words: tuple[str, ...], sentence: str) -> None:
    Path("bad.bin").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UserError, match=re.escape(sentence)):
        generated(trained, *words)


def test_nothing_that_a_model_writes_acts_on_the_terminal(trained: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "\x1b[2J\x1b]0;x\x07hi\r"

    def stream(*given: Any) -> Any:
        yield Piece(evil, 1)
        yield Completed((WrittenAnswer(evil, (1,), (0.0,), "end"),), (1,), 0)

    monkeypatch.setattr("harness.writing.writer.stream_text", stream)
    for output in (generated(trained, "a").output, chatted(trained, "--template", "plain", said="a\n").output):
        assert r"\x1b[2J" in output and "\x1b" not in output and "\r" not in output


def test_a_scripted_chat(trained: Results) -> None:
    script = [
        "the cat",
        "/settings temperature=0 max_tokens=4",
        "the dog",
        "/system Be brief.",
        "/settings tempature=3",
        "/frobnicate",
        '"""two',
        'lines"""',
        "/reset",
        "/help",
        "/quit",
        "never read",
    ]
    done = chatted(trained, *CHAT, said="\n".join(script))
    assert done.exit_code == 0
    assert re.search(r"tokens kept from before\)", done.output)  # the second turn reads what is new
    for words in ("system: Be brief.", "did you mean 'temperature'", "there is no command /frobnicate", "begins anew"):
        assert words in done.output
    assert len(re.findall(r"TTFT", done.output)) == 3 and "Ctrl-D" in done.output


def test_a_conversation_that_is_too_long_drops_its_oldest_turns(trained: Results) -> None:
    model = harness.load_model("tale", out=trained.folder.parent)
    chat = harness.converse(model, template="plain", max_tokens=8100)
    for said in range(8):
        writer = chat.ask("the cat sat on the mat and ran")
        for _ in writer:
            writer.end()
        chat.take(writer)
        assert chat.dropped % 2 == 0 and chat.dropped <= 2 * said
        assert writer.written.cut == 0 and writer.written.prompt_tokens <= 92
    assert chat.dropped
    with pytest.raises(UserError, match="shorten it, or make max_tokens smaller"):
        chat.ask("the cat " * 200)
    assert chat.turns[-1]["role"] == "assistant"  # what was refused is no part of it


def test_a_chat_needs_a_template(trained: Results) -> None:
    with pytest.raises(UserError, match=r"no chat template.*--template plain"):
        chatted(trained, said="hello\n")
    with pytest.raises(UserError, match=r"'plan' is no template; did you mean 'plain'\?"):
        chatted(trained, "--template", "plan", said="hello\n")


@pytest.mark.nightly  # failed once beside a busy machine, for a reason that is not known yet
def test_ctrl_c_stops_the_answer_and_at_the_prompt_the_chat(trained: Results, test_cache: Path) -> None:
    """In a terminal: two answers are stopped, and the chat goes on; then Ctrl-C at the prompt ends it."""
    words = ("chat", "tale", "--template", "plain", "--max-tokens", "8000", "--out", str(trained.folder.parent))
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        os.environ.update(
            HARNESS_CACHE=str(test_cache),
            TERM="dumb",
            OMP_NUM_THREADS="1",
            PYTHONPATH=str(Path(harness.__file__).parents[1]),
        )
        os.execv(sys.executable, [sys.executable, "-m", "harness", *words])
    try:
        seen = _until(terminal, b"> ")
        for message in (b"the cat\r", b"the dog\r"):
            os.write(terminal, message)
            _until(terminal, message.strip() + b"\r\n")
            os.read(terminal, 100)  # the answer has begun
            os.write(terminal, b"\x03")
            seen = _until(terminal, b"\r\n> ", after=b"interrupted")
            assert b"TTFT" in seen
        os.write(terminal, b"\x03")
        assert os.waitstatus_to_exitcode(_ended(child)) == 0
    finally:
        os.close(terminal)


def _until(terminal: int, wanted: bytes, after: bytes = b"") -> bytes:
    """What the terminal shows up to `wanted`, which is looked for behind `after`."""
    seen, give_up = b"", time.monotonic() + 120
    while wanted not in seen.partition(after)[2] if after else wanted not in seen:
        assert time.monotonic() < give_up, seen
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 4096)
    return seen


def _ended(child: int) -> int:
    for _ in range(600):
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("the chat did not end")


def test_starting_loads_nothing_heavy() -> None:
    code = "import harness.cli.app, sys; print([m for m in ('torch', 'transformers', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
