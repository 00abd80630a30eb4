"""An arm: what is run, and where. One is the base (a), the other the head (b)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any

from harness.errors import WrongArgument, shown
from harness.gate.arms.model_choice import NO_MODEL, ModelChoice, model_words, parse_model, parse_shared
from harness.spelling import nearest

WORDS = {
    "call": "module:function, a Python function",
    "command": "a program with its words, started anew for each iteration",
    "setup": "module:function, whose value is what `call` is given",
    "arguments": "JSON: a list or a mapping, given to `setup`, or to `call` where there is none",
    "python": "another interpreter, or the folder of a virtual environment",
    "install": "a wheel, a folder or a requirement, put into an environment of its own; may be said again",
    "revision": "a commit, branch or tag of the project in this folder",
    "path": "a folder in which modules are looked for first",
    "env": "NAME=VALUE, an environment variable; may be said again",
}
"""What may be said of an arm, as `word=value` with commas between; of one that runs a model, `MODEL_WORDS` besides."""
MODEL_WORDS = model_words()
MANY = ("install", "env")
HERE = "here"

_CALL = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_WORD = re.compile(rf"(?:^|,)\s*({'|'.join(map(re.escape, [*WORDS, *MODEL_WORDS]))})=")


@dataclass(frozen=True)
class ArmChoice:
    """What was asked for. Empty: this environment, and the call or command of the other arm."""

    call: str = ""
    command: str = ""
    setup: str = ""
    arguments: Any = None
    python: str = ""
    install: tuple[str, ...] = ()
    revision: str = ""
    path: str = ""
    env: dict[str, str] = field(default_factory=dict)
    model: ModelChoice = NO_MODEL

    @property
    def runs_something(self) -> bool:
        """Whether it says what is run."""
        return bool(self.call or self.command or self.model.is_named)

    @property
    def without_opening(self) -> ArmChoice:
        """The same, without how its model is opened: the base is not opened as the head is where it says nothing."""
        return replace(self, model=self.model.which)

    def with_defaults(self, shared: ArmChoice) -> ArmChoice:
        """The same, with what `shared` says where this one says nothing."""
        chosen = self
        if not (self.call or self.command or self.model):
            chosen = replace(chosen, call=shared.call, command=shared.command)
        if not (chosen.call or chosen.command):
            return replace(chosen, model=self.model.with_defaults(shared.model))
        if not chosen.call:
            return chosen
        arguments = shared.arguments if self.arguments is None else self.arguments
        return replace(chosen, setup=self.setup or shared.setup, arguments=arguments)


NOTHING_SAID = ArmChoice()


@dataclass(frozen=True)
class Arm:
    """An arm that can be started."""

    choice: ArmChoice
    python: str
    """Its interpreter."""
    paths: tuple[str, ...] = ()
    """Folders in which its modules are looked for first."""
    built: str = ""
    """What identifies the environment that was built for it: a commit, or its packages; empty where none was."""
    environment: str = "this environment"
    """In words."""
    ahead: tuple[str, ...] = ()
    """Folders before all others of which it need not load anything: a project that a model may make use of."""
    after: tuple[str, ...] = ()
    """Folders in which its modules are looked for after those: the checkout of the harness that opens its model."""
    described: dict[str, Any] = field(default_factory=dict)
    """Of an arm that runs a model: its settings in place of those of the call that this comes to."""
    words: str = ""
    """Of one that runs a model: what that is, in words."""

    @property
    def workload(self) -> str:
        """What it runs, in words."""
        return self.words or self.choice.call or self.choice.command

    @property
    def settings(self) -> dict[str, Any]:
        """What it is asked to do: two arms of the same code with the same settings are one."""
        choice = self.choice
        if self.described:
            return {**self.described, "env": choice.env}
        return {
            "call": choice.call,
            "command": choice.command,
            "setup": choice.setup,
            "arguments": choice.arguments,
            "env": choice.env,
        }

    def __str__(self) -> str:
        variables = "".join(f", {name}={value}" for name, value in self.choice.env.items())
        return f"{self.workload} in {self.environment}{variables}"


def parse_arm(text: str, option: str) -> ArmChoice:
    """An arm as it is written: `here`, `module:function`, or `word=value,word=value`. Raises UserError.

    option: where it was written, such as `--a`. A comma ends a value only before another word, so that requirements and
    commands may have commas.
    """
    written = text.strip()
    if written in ("", HERE):
        return ArmChoice()
    bare, said = _parted(written, option)
    if bare and bare != HERE:
        if not _CALL.fullmatch(bare):
            raise WrongArgument(f"'{shown(bare)}' is no arm: {_meant(bare)}", place=option)
        said["call"] = [bare]
    for word, values in said.items():
        if len(values) > 1 and word not in MANY:
            raise WrongArgument(f"`{word}` is said twice", place=option)
        if not all(values):
            raise WrongArgument(f"`{word}` has no value: {(WORDS | MODEL_WORDS)[word]}", place=option)
    one = {word: values[0] for word, values in said.items() if word in WORDS and word not in (*MANY, "arguments")}
    choice = ArmChoice(
        **one,
        install=tuple(said.get("install", ())),
        env=dict(_variable(pair, option) for pair in said.get("env", ())),
        arguments=parse_arguments(said["arguments"][0], option) if "arguments" in said else None,
        model=parse_model({word: values[0] for word, values in said.items() if word in MODEL_WORDS}, option),
    )
    check(choice, option)
    return choice


def parse_both(text: str, option: str) -> ModelChoice:
    """The model of both arms as `--model` says it: a name of the suite, or words. Raises UserError."""
    bare, said = _parted(text.strip(), option)
    if bare and said:
        said["model"] = [bare]
    if wrong := [word for word in said if word not in MODEL_WORDS]:
        raise WrongArgument(f"`{wrong[0]}` is said of an arm, not of a model", place=option)
    return parse_shared(bare, option, {word: values[0] for word, values in said.items()})


def _parted(written: str, option: str) -> tuple[str, dict[str, list[str]]]:
    """What stands before the first word, and the values of each word."""
    found = list(_WORD.finditer(written))
    bare = written[: found[0].start()].strip() if found else written
    said: dict[str, list[str]] = {}
    for at, match in enumerate(found):
        end = found[at + 1].start() if at + 1 < len(found) else len(written)
        said.setdefault(match[1], []).append(written[match.end() : end].strip())
    return bare, said


def check(choice: ArmChoice, option: str) -> None:
    """Raises UserError where what is said of an arm does not go together."""
    if choice.call and choice.command:
        raise WrongArgument("an arm has a call or a command, not both", place=option)
    if choice.model and (choice.call or choice.command):
        raise WrongArgument(f"an arm runs a model ({choice.model}) or a call or command, not both", place=option)
    if choice.model and (choice.setup or choice.arguments is not None):
        raise WrongArgument("`setup` and `arguments` are for a call, not for a model", place=option)
    if choice.command and (choice.setup or choice.arguments is not None):
        raise WrongArgument("`setup` and `arguments` are for a call; a command has its own words", place=option)
    for word in ("call", "setup"):
        if (name := getattr(choice, word)) and not _CALL.fullmatch(name):
            raise WrongArgument(f"`{word}` is module:function, not '{shown(name)}'", place=option)
    if choice.revision and choice.install:
        raise WrongArgument("an arm is a revision or has packages installed, not both", place=option)


def parse_arguments(text: str, option: str) -> Any:
    """Arguments as JSON. Raises UserError."""
    try:
        found = json.loads(text)
        json.dumps(found, allow_nan=False)
    except ValueError as error:
        raise WrongArgument(f'arguments are JSON, such as [1024] or {{"n": 1024}} ({error})', place=option) from None
    return found


def _variable(pair: str, option: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not equals or not name.strip():
        raise WrongArgument(f"`env` is NAME=VALUE, not '{shown(pair)}'", place=option)
    return name.strip(), value


def _meant(bare: str) -> str:
    word = bare.partition("=")[0]
    close = nearest(word, [*WORDS, *MODEL_WORDS, HERE]) if re.fullmatch(r"\w+", word) else ""
    words = ", ".join(f"{known}=" for known in [*WORDS, *MODEL_WORDS])
    return f"write module:function, `here`, or words with values ({words}){close}"
