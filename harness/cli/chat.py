"""`harness chat MODEL`: a conversation in the terminal, or from a pipe, a line for each message."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.answering import put, put_answer
from harness.cli.console import make_console, print_folded, say
from harness.cli.interrupting import as_ctrl_c
from harness.cli.options import RUNS, Out, TrustRemoteCode
from harness.cli.stopping import Stopping
from harness.cli.writing_options import (
    Device,
    MinP,
    Model,
    Precision,
    RepetitionPenalty,
    Seed,
    Stop,
    System,
    Threads,
    TopK,
    TopP,
    figures,
    preparing,
    tell,
    unescaped,
)
from harness.errors import UserError, shown

if TYPE_CHECKING:
    from harness import Conversation, Writer

TOKENS = 512
"""Of an answer, where nothing is said; fewer where that is more than half the context."""
COMMANDS = {
    "/help": "what you are reading",
    "/system TEXT": "what the model is told before the conversation; alone: show it; `/system -`: none",
    "/settings": "show how answers are decoded; `/settings temperature=0.2 top_k=40` changes them, `top_k=none` too",
    "/reset": "begin anew; system message and settings stay",
    "/quit": "end (so do Ctrl-D, and Ctrl-C twice at the prompt; Ctrl-C in an answer stops the answer)",
}
QUOTES = '"""'
"""Around a message of several lines."""


def chat(
    model: Model,
    system: System = None,
    template: Annotated[
        str,
        typer.Option("--template", help="model: its own chat template; plain: lines with `User:` and `Assistant:`."),
    ] = "model",
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", help="Tokens of an answer at most; left out, 512.")
    ] = None,
    temperature: Annotated[float, typer.Option("--temperature", help="0 is greedy; left out, 0.7.")] = 0.7,
    top_k: TopK = None,
    top_p: TopP = 1.0,
    min_p: MinP = 0.0,
    repetition_penalty: RepetitionPenalty = 1.0,
    seed: Seed = 0,
    stop: Stop = None,
    precision: Precision = "fp32",
    device: Device = "auto",
    threads: Threads = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No line of figures after an answer.")] = False,
    trust_remote_code: TrustRemoteCode = False,
    out: Out = RUNS,
) -> None:
    """Talk with a model. Ctrl-C stops an answer, Ctrl-D ends the chat, /help shows the commands.

    Example: harness chat asset:smollm2-135m-instruct --system "Answer in one sentence."
    """
    import harness

    as_ctrl_c()
    settings: dict[str, Any] = {
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "seed": seed,
        "stop": tuple(map(unescaped, stop or ())),
    }
    harness.writing_settings(**settings)
    opened = harness.load_model(
        model,
        precision=precision,
        device=device,
        threads=threads,
        trust_remote_code=trust_remote_code,
        out=out,
        tell=tell,
        on_event=preparing(),
    )
    if max_tokens is None:
        settings["max_tokens"] = min(TOKENS, max(1, opened.identity.context // 2))
    conversation = harness.converse(opened, system=system, template=template, **settings)
    _Chat(conversation, typed=sys.stdin.isatty(), quiet=quiet).go(opened.identity.name, opened.identity.context)


class _Chat:
    """The loop of a conversation."""

    def __init__(self, conversation: Conversation, typed: bool, quiet: bool) -> None:
        """typed: whether a person types; else messages come from a pipe, and no prompt is shown."""
        self._conversation = conversation
        self._typed = typed
        self._quiet = quiet
        self._dropped = 0
        self._stopping = Stopping()

    def go(self, name: str, context: int) -> None:
        """Until it ends."""
        with self._stopping.listening():
            if self._typed:
                with contextlib.suppress(ImportError):
                    import readline  # noqa: F401 - gives `input` its history and its keys
                self._aside(f"{name}, context {context:,} tokens; /help shows the commands, Ctrl-D ends")
            while (line := self._message()) is not None:
                text = line.strip()
                if text.startswith(QUOTES):
                    said = text.removeprefix(QUOTES).removesuffix(QUOTES).strip("\n")
                    self._told(lambda text=said: self._answer(text))  # type: ignore[misc]
                elif text.startswith("/") and not text.startswith("//"):
                    if text.split()[0] in ("/quit", "/exit", "/bye"):
                        return
                    self._told(lambda text=text: self._command(text))  # type: ignore[misc]
                else:
                    said = line[1:] if text.startswith("//") else line
                    self._told(lambda text=said: self._answer(text))  # type: ignore[misc]

    def _told(self, act: Callable[[], None]) -> None:
        """What can't be done costs one message and not the chat."""
        try:
            act()
        except UserError as error:
            say(f"error: {error}", to_stderr=True)

    def _message(self) -> str | None:
        """The next line that says something, with all lines of a message in quotes; None at the end. Ctrl-C drops what
        was begun, and where it comes twice ends the chat."""
        interrupted = False
        while True:
            try:
                line = self._read("> ")
                interrupted = False
                if line is not None and line.strip().startswith(QUOTES):
                    line = self._whole(line.strip())
            except KeyboardInterrupt:
                if not self._typed:
                    raise
                sys.stdout.write("\n")
                if interrupted:
                    return None
                interrupted = True
                self._aside("Ctrl-C again, or Ctrl-D, ends the chat")
                continue
            if line is None or line.strip(f"{QUOTES[0]} \t"):
                return line

    def _read(self, prompt: str) -> str | None:
        """The next line; None at the end."""
        try:
            with self._stopping.waiting():
                if self._typed:
                    return input(prompt)
                line = sys.stdin.readline()
                return line.rstrip("\r\n") if line else None
        except EOFError:
            if self._typed:
                sys.stdout.write("\n")
            return None
        except UnicodeDecodeError:
            raise UserError("this is no UTF-8 text: save it as UTF-8", place="standard input") from None

    def _whole(self, line: str) -> str:
        """A message of several lines, from its opening quotes to its closing ones."""
        lines = [line]
        while not lines[-1].removeprefix(QUOTES if len(lines) == 1 else "").rstrip().endswith(QUOTES):
            more = self._read(". ")
            if more is None:
                break
            lines.append(more)
        return "\n".join(lines)

    def _answer(self, text: str) -> None:
        conversation = self._conversation
        writer = conversation.ask(text)
        if conversation.dropped > self._dropped:
            self._dropped = conversation.dropped
            turns = self._dropped // 2
            oldest = "question with its answer is" if turns == 1 else f"{turns} questions with their answers are"
            self._aside(f"the context is full: the oldest {oldest} no longer read (/reset begins anew)")
        self._show(writer)

    def _show(self, writer: Writer) -> None:
        """Print an answer as it comes. The first Ctrl-C ends it after a token, the second at once; what was written
        until then stays."""
        conversation = self._conversation
        try:
            with self._stopping.answering(writer):
                put_answer(writer)
        except KeyboardInterrupt:
            writer.stop()
        except UserError:
            conversation.take_back()
            put("\n")
            raise
        put("\n")
        if not writer.tokens:
            conversation.take_back()
            self._aside("stopped before the answer began: your message is forgotten")
            return
        conversation.take(writer)
        if writer.written.thought is not None and not writer.written.text:
            self._aside("the model was still thinking when it ended; let it write more (/settings max_tokens=2000)")
        if not self._quiet:
            self._aside(figures(writer.written, conversation.reused))

    def _command(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        conversation, rest = self._conversation, rest.strip()
        if word == "/help":
            for command, about in COMMANDS.items():
                self._aside(f"{command:<14} {about}")
            self._aside(
                f"{QUOTES} ... {QUOTES}    a message of several lines; a line that begins with // begins with /"
            )
        elif word == "/reset":
            conversation.reset()
            self._dropped = 0
            self._aside("the conversation begins anew")
        elif word == "/system":
            if rest:
                conversation.system = None if rest == "-" else rest
            self._aside(f"system: {conversation.system or 'none'}")
        elif word == "/settings":
            self._settings(rest)
        else:
            from harness.spelling import nearest

            words = [name.split()[0] for name in COMMANDS]
            raise UserError(f"there is no command {shown(word)}{nearest(word, words)}; /help shows them")

    def _settings(self, changes: str) -> None:
        try:
            words = shlex.split(changes)
        except ValueError as error:
            raise UserError(f"a quote is not closed ({error})", place="/settings") from None
        for name, value in self._conversation.change(*words).model_dump().items():
            written = " ".join(map(repr, value)) if isinstance(value, tuple) else str(value)
            self._aside(f"{name:<20} {'none' if written in ('', 'None') else written}")

    def _aside(self, text: str) -> None:
        """What is not the conversation: dim in a terminal, on stderr where the conversation goes to a file or pipe."""
        if sys.stdout.isatty():
            print_folded(make_console(), text, "dim")
        else:
            say(text, to_stderr=True)
