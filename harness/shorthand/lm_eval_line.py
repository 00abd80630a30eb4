"""A command line of lm-eval, in its words or in ours, -> one of `harness eval` that means the same.

Words go in and words come out: what a flag of lm-eval's means is what an option of ours means, and a person is shown
the line that was understood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import strict_json
from harness.errors import UserError, WrongArgument, shown
from harness.input_file import bytes_of_file, why_no_path
from harness.shorthand.device import device_named
from harness.shorthand.lm_eval_config import config_flags
from harness.shorthand.lm_eval_flags import BY_LETTER, BY_NAME, Flag
from harness.shorthand.lm_eval_model import Translated, check_kind, of_model
from harness.shorthand.pairs import pairs
from harness.spelling import nearest

OTHER_COMMANDS = {
    "ls": "tasks are listed by `harness list tasks` (`--tasks-path DIR` for a folder of yours)",
    "validate": "tasks are checked by `harness plan SUITE` before anything runs, and so they are by `harness eval`; "
    "`--save-suite FILE` writes the suite",
}
LISTS = ("list", "list_groups", "list_subtasks", "list_tags")
"""What `--tasks` may be in older versions of lm-eval."""
SEEDS = 4
MOST_BYTES = 16 << 20
"""Of a file of documents."""
FEWSHOT_SEED = 1234
"""lm-eval's default."""


@dataclass
class _Read:
    """A line, read and not yet understood."""

    flags: dict[str, list[str]] = field(default_factory=dict)
    """lm-eval's, with what stood behind them."""
    own: list[str] = field(default_factory=list)
    """Options of ours, as they were typed."""
    models: list[str] = field(default_factory=list)
    unsure: list[tuple[str, str]] = field(default_factory=list)
    """Words behind a flag that takes several: models where no other is named."""
    is_lm_eval: bool = False


def translated(words: Sequence[str], own: Mapping[str, bool]) -> Translated:
    """A line in the words of `harness eval`, with what a person should know of it.

    own: the options of `harness eval`, and whether each takes a value. A line that names its model as lm-eval does
    (`--model`, `--model_args`, `--config`, `run`) is asked in mode lm-eval unless it says otherwise. Raises UserError
    for a flag that has no place here, with what to write for it.
    """
    read = _read(list(words), own)
    if "config" in read.flags:
        read.flags = config_flags(Path(read.flags.pop("config")[-1])) | read.flags
        read.is_lm_eval = True
    read.is_lm_eval = read.is_lm_eval or bool({"model", "model_args"} & set(read.flags))
    named = bool(read.models) or read.is_lm_eval
    for name, word in read.unsure:
        (read.flags.setdefault(name, []) if named else read.models).append(word)
    found = Translated(words=list(read.own))
    for name, values in read.flags.items():
        flag = BY_NAME[name]
        if flag.instead:
            raise UserError(flag.instead, place=f"--{name}")
        if flag.note and not (name == "log_samples" and "output_path" in read.flags):
            found.notes.append(f"`--{name}` changes nothing here: {flag.note}")
        elif flag.own and not flag.translated:
            found.words += [flag.own, values[-1]] if flag.takes != "nothing" else [flag.own]
    found.words += _translated(read.flags, found.notes)
    if read.is_lm_eval:
        found = _with_model(read, found)
    found.words = _devices([*read.models, *found.words])
    if read.is_lm_eval and "--mode" not in read.own:
        found.words += ["--mode", "lm-eval"]
    return found


def _read(words: list[str], own: Mapping[str, bool]) -> _Read:
    read = _Read()
    if words and words[0] in OTHER_COMMANDS:
        raise UserError(OTHER_COMMANDS[words[0]], place=f"harness eval {words[0]}")
    if words and words[0] == "run":
        read.is_lm_eval, words = True, words[1:]
    while words:
        word = words.pop(0)
        if word == "--":
            read.models += words
            break
        flag, attached = _flag(word)
        if flag is not None:
            _take(read, flag, attached, words)
        elif word.startswith("-") and word != "-":
            _own(read, word, words, own)
        else:
            read.models.append(word)
    return read


def _flag(word: str) -> tuple[Flag | None, str | None]:
    """lm-eval's flag that a word is, and a value that is attached to it."""
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        return BY_NAME.get(name.replace("-", "_")), value if equals else None
    if len(word) > 1 and word[0] == "-" and word[1] in BY_LETTER:
        return BY_LETTER[word[1]], word[2:].removeprefix("=") or None
    return None, None


def _take(read: _Read, flag: Flag, attached: str | None, words: list[str]) -> None:
    """A flag with what belongs to it, taken off the words behind it."""
    values = read.flags.setdefault(flag.name, [])
    if flag.takes == "nothing":
        if attached is not None:
            raise UserError(f"takes no value; leave out '{shown(attached)}'", place=f"--{flag.name}")
        return
    if attached is not None:
        values.append(attached)
    elif flag.takes == "perhaps":
        if words and flag.words and words[0].lower() in flag.words:
            values.append(words.pop(0).lower())
        elif words and not flag.words and not words[0].startswith("-"):
            read.unsure.append((flag.name, words.pop(0)))
        return
    elif not words or (words[0].startswith("--") and len(words[0]) > 2):
        raise UserError("needs a value", place=f"--{flag.name}")
    else:
        values.append(words.pop(0))
    while flag.takes == "several" and words and not words[0].startswith("-"):
        read.unsure.append((flag.name, words.pop(0)))
    while flag.takes == "pairs" and words and not words[0].startswith("-") and "=" in words[0]:
        values.append(words.pop(0))


def _own(read: _Read, word: str, words: list[str], own: Mapping[str, bool]) -> None:
    name, equals, value = word.partition("=")
    name = name.replace("_", "-") if name.startswith("--") else name
    if name.startswith("--") and name not in own:
        near = nearest(name, [*own, *(f"--{flag}" for flag in BY_NAME)])
        raise UserError(f"there is no such option{near} (`harness eval --help` lists them)", place=shown(name))
    read.own.append(f"{name}={value}" if equals else name)
    if own.get(name) and not equals and words:
        read.own.append(words.pop(0))


def _with_model(read: _Read, found: Translated) -> Translated:
    arguments = pairs(read.flags.get("model_args", []), "--model_args")
    check_kind(read.flags.get("model", ["hf"])[-1], arguments.get("pretrained"))
    told = of_model(
        arguments,
        read.models,
        precision="--precision" in read.own or any(word.startswith("--precision=") for word in read.own),
        chat="--chat" in [*read.own, *found.words],
    )
    metadata = found.words.index("--metadata") if "--metadata" in found.words else None
    if metadata is not None and arguments.get("pretrained"):  # as in lm-eval, where they are part of it
        given = strict_json.loads(found.words[metadata + 1])
        found.words[metadata + 1] = strict_json.dumps({"pretrained": str(arguments["pretrained"])} | given)
    return Translated(words=[*told.words, *found.words], notes=[*told.notes, *found.notes])


def _translated(flags: Mapping[str, list[str]], notes: list[str]) -> list[str]:
    """The flags that need more than another name."""
    words: list[str] = []
    for name in flags:
        match name:
            case "tasks":
                words += ["--tasks", _tasks(flags[name])]
            case "gen_kwargs" | "metadata":
                given = pairs(flags[name], f"--{name}")
                if name == "gen_kwargs" and "stop" in given:
                    given.setdefault("until", given.pop("stop"))
                words += [BY_NAME[name].own, strict_json.dumps(given)]
            case "apply_chat_template":
                words += _chat(flags[name])
            case "fewshot_as_multiturn":
                words += _turns(flags)
            case "seed":
                words += _seeds(flags[name][-1], notes)
            case "samples":
                words += _documents(flags[name][-1])
            case "include_path":
                words += _folders(flags[name])
            case "output_path":
                path = Path(flags[name][-1])
                words += ["--lm-eval", str(path.parent if path.suffix == ".json" else path)]
            case "device":
                words += ["--device", flags[name][-1]]
    if "samples" in flags and "limit" in flags:
        raise UserError("`--samples` and `--limit` both choose documents; keep one of them", place="--samples")
    return words


def _tasks(values: list[str]) -> str:
    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    if any(name in LISTS for name in names):
        raise UserError("tasks are listed by `harness list tasks`", place="--tasks")
    return ",".join(names)


def _chat(values: list[str]) -> list[str]:
    if values and values[-1].lower() == "false":
        return []
    if values and values[-1].lower() not in ("true", "default"):
        raise UserError(
            f"a prompt goes through the tokenizer's own chat template: leave out '{shown(values[-1])}', or make it the "
            "model's (chat_template.jinja in a copy of its folder)",
            place="--apply_chat_template",
        )
    return ["--chat"]


def _turns(flags: Mapping[str, list[str]]) -> list[str]:
    several = (flags["fewshot_as_multiturn"] or ["true"])[-1] in ("true", "1", "yes")
    if several and "apply_chat_template" not in flags:
        raise UserError("turns are the chat template's: add `--apply_chat_template`, or leave it out",
                        place="--fewshot_as_multiturn")  # fmt: skip
    return [] if several else ["--one-turn"]


def _seeds(value: str, notes: list[str]) -> list[str]:
    """One seed, or lm-eval's four (of Python, numpy, torch and the examples): the third is that of drawn answers."""
    texts = [text.strip() for text in value.split(",")]
    if not all(text.lower() == "none" or text.removeprefix("-").isdecimal() for text in texts):
        raise UserError(f"'{shown(value)}' is no number, nor {SEEDS} of them with commas", place="--seed")
    if len(texts) == 1 and texts[0].lower() != "none":
        return ["--seed", texts[0]]
    if len(texts) == SEEDS - 1:
        texts.append(str(FEWSHOT_SEED))
    if len(texts) != SEEDS:
        raise UserError(f"is one number, or {SEEDS} with commas (Python, numpy, torch, examples)", place="--seed")
    if "none" in (texts[2].lower(), texts[3].lower()):
        raise UserError("examples and drawn answers always have a seed here: write numbers in place of None",
                        place="--seed")  # fmt: skip
    if texts[:2] != ["0", str(FEWSHOT_SEED)]:
        notes.append("of `--seed`, the seeds of Python and numpy change nothing here: code of task files has its own")
    return ["--shot-seed", texts[3], "--sample-seed", texts[2]]


def _documents(value: str) -> list[str]:
    """A JSON object of places by task, or the file of one."""
    text = value
    if not value.lstrip().startswith("{"):
        if why_no_path(value) or not Path(value).expanduser().is_file():
            raise UserError(f"'{shown(value)}' is no JSON object of places by task, and no file", place="--samples")
        text = bytes_of_file(Path(value).expanduser(), MOST_BYTES, "a file of documents").decode(errors="replace")
    chosen: dict[str, Any] = pairs([text.strip() or "{}"], "--samples")
    words = []
    for task, places in chosen.items():
        if not isinstance(places, list) or not all(type(one) is int and one >= 0 for one in places):
            raise UserError(f"the documents of '{shown(task)}' are a list of places from 0 on", place="--samples")
        words += ["--document-ids", f"{task}={','.join(map(str, places))}"]
    return words


def _folders(values: list[str]) -> list[str]:
    """One folder, or several with colons between them."""
    is_one = not why_no_path(values[-1]) and Path(values[-1]).expanduser().is_dir()
    folders = [values[-1]] if is_one else values[-1].split(":")
    return [word for folder in folders if folder for word in ("--tasks-path", folder)]


def _devices(words: list[str]) -> list[str]:
    """The same with devices as they are called here."""
    for place, word in enumerate(words[:-1]):
        if word == "--device":
            try:
                words[place + 1] = device_named(words[place + 1])
            except WrongArgument as error:
                raise UserError(error.message, place="--device") from None
    return words
