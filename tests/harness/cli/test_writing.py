"""`harness train`, `generate` and `chat` as they are typed, and the model of a run by its name."""

from __future__ import annotations

import contextlib
import json
import os
import pkgutil
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import harness
from harness.api.results import Results
from harness.cli.answering import DIM, PLAIN, put_answer
from harness.cli.app import app
from harness.cli.stopping import Stopping
from harness.errors import INTERRUPTED, UserError
from harness.scoring.generation import Completed
from harness.scoring.streaming import Piece
from harness.scoring.written_answer import WrittenAnswer
from harness.writing.conversation import Conversation

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


def test_a_trained_model_is_given_as_it_came_back(trained: Results) -> None:
    """What `harness.train` gave back is a model to write with, the same as by its name and its folder."""
    given = {"max_tokens": 6, "seed": 3, "temperature": 0.8}
    written = harness.generate(trained, "One day", **given)
    assert written and written == harness.generate(f"{trained.folder}:nano", "One day", **given)
    assert written == harness.generate(harness.load_model(trained), "One day", **given)
    samples = harness.generate(trained, ["One day", "The"], samples=2, **given)
    assert [len(each) for each in samples] == [2, 2] and samples[0][0] == written


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
        (("a", "--device", "gpu"), "on `cpu` and `cuda`, not on 'gpu'; write cuda"),
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


def test_a_thought_is_shown_dim_in_a_terminal_and_is_no_part_of_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Thinking:
        on_thought: Any = None

        def __iter__(self) -> Iterator[str]:
            self.on_thought("So \x1b")
            self.on_thought("5")
            yield "It is "
            yield "5"

    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    put_answer(Thinking())  # type: ignore[arg-type]
    assert capsys.readouterr().out == f"{DIM}So \\x1b5{PLAIN}\n\nIt is 5"
    monkeypatch.setenv("NO_COLOR", "1")
    put_answer(Thinking())  # type: ignore[arg-type]
    assert capsys.readouterr().out == "(thinking)\nSo \\x1b5\n(thought)\n\nIt is 5"


def test_a_chat_needs_a_template(trained: Results) -> None:
    with pytest.raises(UserError, match=r"no chat template.*--template plain"):
        chatted(trained, said="hello\n")
    with pytest.raises(UserError, match=r"'plan' is no template; did you mean 'plain'\?"):
        chatted(trained, "--template", "plan", said="hello\n")


class Endless:
    """A model's stream that never ends by itself, and does something before one of its tokens."""

    def __init__(self, at: int = 0, act: Callable[[], None] = lambda: None, pause: float = 0.0) -> None:
        self._at, self._act, self._pause = at, act, pause

    def __call__(self, *given: Any) -> Iterator[Piece]:
        for token in range(1, 100_000):
            if token == self._at:
                self._act()
            time.sleep(self._pause)
            yield Piece(f"word{token} ", token)


def interrupt(times: int = 1) -> Callable[[], None]:
    def act() -> None:
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)

    return act


@pytest.mark.parametrize(
    ("at", "times", "answer"),
    [(1, 1, "word1"), (3, 1, "word1 word2 word3"), (3, 2, "word1 word2"), (3, 5, "word1 word2"), (1, 2, None)],
)
def test_ctrl_c_in_an_answer_keeps_what_was_written(
    at: int, times: int, answer: str | None, trained: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first it ends after the token, at the second at once; without a token the message is forgotten."""
    asked: list[list[dict[str, str]]] = []
    streams = iter([Endless(at, interrupt(times)), Endless(1, interrupt())])
    monkeypatch.setattr("harness.writing.writer.stream_text", lambda *given: next(streams)(*given))
    real = Conversation.ask
    monkeypatch.setattr(Conversation, "ask", lambda self, text: (asked.append([*self.turns]), real(self, text))[1])
    done = chatted(trained, *CHAT, said="one\ntwo\n")
    assert done.exit_code == 0 and done.output.count("interrupted") == (1 if answer is None else 2)
    kept = [{"role": "user", "content": "one"}, {"role": "assistant", "content": answer}]
    assert asked == [[], [] if answer is None else kept]


@pytest.mark.parametrize("place", ["harness.cli.chat.figures", "harness.writing.conversation.Conversation.take"])
def test_ctrl_c_after_an_answer_was_meant_for_it(place: str, trained: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    """During the line of figures, and while the answer is kept: nothing is lost, and the next answer is whole."""
    owner, _, name = place.rpartition(".")
    real = getattr(pkgutil.resolve_name(owner), name)
    monkeypatch.setattr(place, lambda *given: (signal.raise_signal(signal.SIGINT), real(*given))[1])
    done = chatted(trained, *CHAT, said="the cat\nthe dog\n")
    assert done.exit_code == 0 and done.output.count("TTFT") == 2 and "interrupted" not in done.output


def test_ctrl_c_while_a_message_is_made_ready_ends_its_answer(
    trained: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Conversation.ask
    monkeypatch.setattr(Conversation, "ask", lambda self, text: (interrupt()(), real(self, text))[1])
    assert "1 token in" in chatted(trained, *CHAT, said="the cat\n").output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_kill_ends_the_chat_and_not_the_answer(
    number: signal.Signals, trained: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Endless(2, lambda: signal.raise_signal(number))
    monkeypatch.setattr("harness.writing.writer.stream_text", stream)
    assert chatted(trained, *CHAT, said="one\ntwo\n").exit_code == INTERRUPTED


def test_ctrl_c_before_the_chat_begins_ends_it(trained: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.converse", lambda *given, **named: interrupt()())
    assert chatted(trained, *CHAT, said="one\n").exit_code == INTERRUPTED


def test_ctrl_c_in_a_terminal(trained: Results, test_cache: Path) -> None:
    """Two answers are stopped, and the chat goes on; at the prompt one drops what was begun, and two end the chat."""
    words = ["harness", "chat", "tale", *CHAT, "--out", str(trained.folder.parent)]
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        os.environ.update(
            HARNESS_CACHE=str(test_cache),
            TERM="dumb",
            OMP_NUM_THREADS="1",
            PYTHONPATH=str(Path(harness.__file__).parents[1]),
        )
        code = f"""import sys, time
import harness.writing.writer as writer
from harness.scoring.streaming import Piece

def endless(*given):
    for token in range(1, 1_000_000):
        time.sleep(0.01)
        yield Piece(f"word{{token}} ", token)

writer.stream_text = endless
sys.argv = {words!r}
from harness.cli import main
main()"""
        os.execv(sys.executable, [sys.executable, "-c", code])
    try:
        seen = _until(terminal, b"> ")
        for message in (b"the cat\r", b"the dog\r"):
            os.write(terminal, message)
            _until(terminal, b"word2 ")
            os.write(terminal, b"\x03")
            seen = _until(terminal, b"\r\n> ", after=b"interrupted")
            assert b"TTFT" in seen
        os.write(terminal, b"half a mess\x03")
        _until(terminal, b"\r\n> ", after=b"Ctrl-C again")
        os.write(terminal, b'"""one\r')
        _until(terminal, b". ", after=b"one")
        os.write(terminal, b"\x03")
        assert b"word" not in _until(terminal, b"\r\n> ", after=b"Ctrl-C again"), "it was not sent"
        os.write(terminal, b"\x03")
        assert os.waitstatus_to_exitcode(_ended(child)) == 0
    finally:
        os.close(terminal)


@pytest.mark.parametrize("woken", [True, False])
def test_a_ctrl_c_that_does_not_interrupt_the_wait_is_not_lost(woken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it comes between the prompt and the wait for a key: here another thread gets it. The known-bad wait,
    which nothing wakes, ends with the key."""
    if not woken:
        monkeypatch.setattr("harness.cli.stopping._woken", contextlib.nullcontext)
    reading, writing = os.pipe()
    pressed = threading.Event()
    signaled = threading.Timer(0.2, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT))
    key = threading.Timer(10.0 if woken else 1.0, lambda: (pressed.set(), os.write(writing, b"key")))
    signaled.start()
    key.start()
    stopping = Stopping()
    with stopping.listening(), pytest.raises(KeyboardInterrupt), stopping.waiting():
        os.read(reading, 3)
    assert pressed.is_set() is not woken
    key.cancel()


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
