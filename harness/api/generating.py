"""Texts from a model, in this process: a model by name or in memory, and what it writes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args, overload

from harness.api.argument_kinds import texts_of
from harness.api.given_models import models_listed
from harness.api.runs import ready_model
from harness.errors import Unsupported, UserError, WrongArgument, shown
from harness.execution.events import OnEvent, unheard
from harness.models.contract import Precision
from harness.models.in_memory import InMemory, is_contract, lent, name_of
from harness.models.open import open_model, prepare
from harness.results.conditions import taken_now
from harness.results.run import Run
from harness.shorthand.device import device_named
from harness.spelling import nearest
from harness.suite.schema import ModelEntry
from harness.threads import beside_others, default_threads
from harness.workflow import RUNS

if TYPE_CHECKING:
    from harness.models.contract import LanguageModel
    from harness.writing.conversation import Conversation
    from harness.writing.settings import WritingSettings
    from harness.writing.writer import Writer, Written

    Writes = str | Path | Run | LanguageModel | InMemory | tuple[Any, Any]
    """A model that writes: a name, what `harness.train` gave back, an open one (`load_model`), or one in memory."""


def load_model(
    name: str | Path | Run,
    *,
    precision: str = "fp32",
    device: str = "auto",
    trust_remote_code: bool = False,
    threads: int | None = None,
    out: str | Path = RUNS,
    tell: Callable[[str], None] = lambda said: None,
    on_event: OnEvent = unheard,
) -> LanguageModel:
    """A model by name, open in this process: a folder, a hub id, `asset:NAME`, a preset, or a run's (`RUN:model`, or
    what `harness.train` gave back).

    It is fetched, or trained, where it is not there yet. threads: to compute with; left out, one for each core
    that others leave. out: where runs lie. tell: takes a sentence before something slow; on_event: is told how far that
    is. Raises UserError where it can't be had or opened.
    """
    text = str(name.folder if isinstance(name, Run) else name)
    words = get_args(Precision)
    if precision not in words:
        raise WrongArgument(
            f"'{shown(precision)}' is no precision{nearest(precision, words)}; allowed: {', '.join(words)}",
            place="precision",
        )
    device = device_named(device)
    found = ready_model(
        *_named(text, Path(out)), trust_remote_code=trust_remote_code, threads=threads, tell=tell, on_event=on_event
    )
    prepare(found.source.kind)
    import torch

    torch.set_num_threads(threads or _threads_left())
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise WrongArgument("cuda asks for an NVIDIA GPU and none is visible here; use auto or cpu", place="device")
    where = "cuda" if there and device != "cpu" else "cpu"
    with _without_bars():
        try:
            return open_model(replace(found.source, precision=cast(Precision, precision), device=where))
        except Unsupported as error:
            raise UserError(str(error), place=text) from None


def _threads_left() -> int:
    """As many threads as there are cores beside others now."""
    threads = default_threads()
    return beside_others(threads, taken_now(0.1)) if threads > 1 else threads


def _named(text: str, out: Path) -> tuple[str, ModelEntry]:
    from harness.shorthand.model_name import PLACE, named_model

    try:
        model = named_model(text, out)
    except UserError as error:
        if error.place != PLACE:
            raise
        raise WrongArgument(error.message, place="model") from None
    try:
        return model.name, ModelEntry.model_validate(model.entry)
    except ValueError as error:
        raise UserError(str(error), place=f"{PLACE} {shown(text)}") from None


@overload
def generate(model: Writes, prompt: str, *, samples: None = None, **given: Any) -> str: ...
@overload
def generate(model: Writes, prompt: str, *, samples: int, **given: Any) -> list[str]: ...
@overload
def generate(model: Writes, prompt: Sequence[str], *, samples: None = None, **given: Any) -> list[str]: ...
def generate(
    model: Writes,
    prompt: str | Sequence[str],
    *,
    samples: int | None = None,
    chat: bool = False,
    system: str | None = None,
    precision: str | None = None,
    device: str | None = None,
    **settings: Any,
) -> str | list[str] | list[list[str]]:
    """The text that a model writes after a prompt; of several prompts a list of texts, of several samples a list each.

    model: open (`load_model`), in memory (`(model, tokenizer)`, given back as it was), or a name, which is opened at
    this `precision` on this `device` (fp32, auto). chat: whether the prompt is a user's message, put into the model's
    own chat template, after a `system` message. settings: `max_tokens`, `temperature`, `top_k`, `top_p`, `min_p`,
    `repetition_penalty`, `beams`, `length_penalty`, `early_stopping`, `seed`, `stop` (docs/decoding.md). Nothing is
    printed. Raises UserError for what can't be.
    """
    from harness.writing.settings import check_samples, writing_settings

    prompts = texts_of(prompt, "prompt")
    checked, each = writing_settings(**settings), 1 if samples is None else samples
    check_samples(each, checked)
    with _opened(model, precision, device) as opened:
        found = _written(opened, prompts, each, checked, chat, system)
    texts = [[one.text for one in answers] for answers in found]
    if isinstance(prompt, str):
        return texts[0][0] if samples is None else texts[0]
    return [answers[0] for answers in texts] if samples is None else texts


def stream(
    model: Writes,
    prompt: str,
    *,
    number: int = 0,
    sample: int = 0,
    chat: bool = False,
    system: str | None = None,
    precision: str | None = None,
    device: str | None = None,
    **settings: Any,
) -> Writer:
    """The same text in pieces, as it is written: iterate over it, then `.written` has the whole, why it ended, and what
    it took. number, sample: of the prompt and of its sample, for their draws. A model in memory is left in
    eval mode. The rest is as in `generate`."""
    from harness.writing.settings import writing_settings
    from harness.writing.writer import Writer, text_request

    checked = writing_settings(**settings)
    texts_of([prompt], "prompt")
    opened = _kept_open(model, precision, device)
    tags = opened.identity.thinking if chat else ()
    context = _contexts(opened, [prompt], chat, system)[0]
    return Writer(opened, text_request(opened, context, checked, number=number, samples=sample + 1, tags=tags), sample)


def write_all(
    model: Writes,
    prompts: Sequence[str],
    *,
    samples: int = 1,
    chat: bool = False,
    system: str | None = None,
    **settings: Any,
) -> list[list[Written]]:
    """What a model writes after each prompt, `samples` texts each, all side by side. model: as in `generate`. The texts
    are those of `stream`, up to rounding."""
    from harness.writing.settings import check_samples, writing_settings

    checked = writing_settings(**settings)
    check_samples(samples, checked)
    texts = texts_of(prompts, "prompts")
    with _opened(model) as opened:
        return _written(opened, texts, samples, checked, chat, system)


def _written(
    model: LanguageModel, prompts: Sequence[str], samples: int, checked: WritingSettings, chat: bool, system: str | None
) -> list[list[Written]]:
    from harness.scoring.generation import Refused, complete_texts
    from harness.writing.writer import Written, text_request

    tags = model.identity.thinking if chat else ()
    requests = [
        text_request(model, context, checked, number=number, samples=samples, tags=tags)
        for number, context in enumerate(_contexts(model, prompts, chat, system))
    ]
    found: list[list[Written]] = []
    for number, done in enumerate(complete_texts(model, requests)):
        if isinstance(done, Refused):
            raise UserError(done.reason, place=f"prompt {number + 1}" if len(prompts) > 1 else None)
        length = len(done.prompt)
        found.append(
            [
                Written(one.text, length, done.cut, one.finish, len(one.tokens), thought=one.thought)
                for one in done.answers
            ]
        )
    return found


@contextlib.contextmanager
def _opened(model: Writes, precision: str | None = None, device: str | None = None) -> Iterator[LanguageModel]:
    """In the block the model, opened where it is a name or in memory; one in memory is given back as it was. Raises
    UserError, too, where one that is here is to be opened otherwise."""
    if isinstance(model, str | Path | Run):
        yield load_model(model, precision=precision or "fp32", device=device or "auto")
        return
    for asked, name in ((precision, "precision"), (device, "device")):
        if asked is not None:
            raise WrongArgument(f"the model is open already; give `{name}` to load_model", place=name)
    (one,) = given if len(given := models_listed(model)) == 1 else (None,)
    if not isinstance(one, InMemory):
        raise WrongArgument("name one model", place="model")
    if is_contract(one.model):
        yield one.model
        return
    name = name_of(one)
    with lent({name: one}) as entries:
        entry = dict(entries[name])
        own = entry.pop("matrix")
        found = ready_model(name, ModelEntry.model_validate(entry))
        prepare(found.source.kind)
        yield open_model(replace(found.source, precision=own["precision"], device=own["device"]))


def _kept_open(model: Writes, precision: str | None, device: str | None) -> LanguageModel:
    """The same where it is read from later: one in memory stays as it is used here, in eval mode."""
    with _opened(model, precision, device) as opened:
        pass
    if (module := getattr(model, "model", model[0] if isinstance(model, tuple) else None)) is not None:
        getattr(module, "eval", lambda: None)()
    return opened


def _contexts(model: LanguageModel, prompts: Sequence[str], chat: bool, system: str | None) -> list[str]:
    """What the model reads. Raises UserError where the template refuses, and for a system message without a chat."""
    if not chat:
        if system:
            raise WrongArgument(
                "a system message is for a chat: give `chat` too, or put it into the prompt",
                place="system",
                beside=("chat",),
            )
        return list(prompts)
    from harness.writing.conversation import own_template

    render = own_template(model)
    first = [{"role": "system", "content": system}] if system else []
    try:
        return [render([*first, {"role": "user", "content": prompt}], True, False) for prompt in prompts]
    except Unsupported as error:
        raise UserError(str(error)) from None


@contextlib.contextmanager
def _without_bars() -> Iterator[None]:
    """In the block `transformers` shows no bars of its own, if it is imported at all."""
    if "transformers" not in sys.modules:
        yield
        return
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def converse(
    model: Writes,
    *,
    system: str | None = None,
    template: str = "model",
    precision: str | None = None,
    device: str | None = None,
    **settings: Any,
) -> Conversation:
    """A conversation with a model: `.ask(text)` is an answer that comes in pieces, `.take(answer)` makes it a part of
    what the model reads next. template: `model`, its own, or `plain`. The rest is as in `generate`. Raises
    UserError where it has none."""
    from harness.writing.conversation import TEMPLATES, Conversation
    from harness.writing.settings import writing_settings

    if template not in TEMPLATES:
        raise WrongArgument(
            f"'{shown(template)}' is no template{nearest(template, TEMPLATES)}; allowed: {', '.join(TEMPLATES)}",
            place="template",
        )
    checked = writing_settings(**settings)
    return Conversation(_kept_open(model, precision, device), checked, system=system, plain=template == "plain")
