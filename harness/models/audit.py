"""What a model's files say about text, settled once when it is opened: where answers end, what stands before a text,
and between which tags the model thinks.

Each of these is declared in several places that may disagree: the tokenizer, its chat template,
`generation_config.json` and `config.json`. Whoever needs one of them reads `ModelIdentity`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.models.bounded_files import settings_or_nothing
from harness.models.chat import turn_end
from harness.models.contract import Tokenizer
from harness.models.thinking_tags import speaks_in_channels, thinking_tags
from harness.models.transformers_tokenizer import TransformersTokenizer


@dataclass(frozen=True)
class DeclaredEnds:
    """The end tokens that a model's configuration files name."""

    written: tuple[int, ...] = ()
    """Of `generation_config.json` and of `config.json`, its part about text included. What is not written there, but
    the default of the architecture's class, belongs to the model that the class was first written for."""
    generate: tuple[int, ...] = ()
    """Where `generate` of transformers ends: of `generation_config.json`, else of `config.json`."""


def ends_of(generation: Any, config: Mapping[str, Any]) -> DeclaredEnds:
    """What an opened `transformers` model ends at. generation: its GenerationConfig. config: `config.json`."""
    generate = _ids(getattr(generation, "eos_token_id", None))
    derived = getattr(generation, "_from_model_config", False)
    return DeclaredEnds((*(() if derived else generate), *_of_config(config)), generate)


def ends_in(folder: Path) -> DeclaredEnds:
    """What the configuration files of a folder name; a folder needs none."""
    config, generation = (
        settings_or_nothing(folder / "config.json"),
        settings_or_nothing(folder / "generation_config.json"),
    )
    named = _ids(generation.get("eos_token_id"))
    generate = named if (folder / "generation_config.json").is_file() else _of_config(config)
    return DeclaredEnds((*named, *_of_config(config)), generate)


def settled_text(
    name: str, vocabulary: int, embedding_rows: int, tokenizer: Tokenizer, declared: DeclaredEnds
) -> dict[str, Any]:
    """What is settled about a model's text: fields of `ModelIdentity`, notes last. vocabulary and embedding_rows: its.

    Raises UserError where the tokenizer begins texts with a token that the model hasn't. An end token that the model
    hasn't is left out: it can't be drawn.
    """
    known = min(vocabulary, tokenizer.size)
    if (unknown := max(tokenizer.prefix, default=0)) >= vocabulary:
        raise UserError(
            f"the tokenizer begins texts with token {unknown}, and the model's ids are 0 to {vocabulary - 1}: "
            "is this the model's own tokenizer?",
            place=name,
        )
    strange = _ids_beyond(tokenizer, name, min(vocabulary, embedding_rows or vocabulary))
    template = tokenizer.chat_template if isinstance(tokenizer, TransformersTokenizer) else None
    of_tokenizer = [tokenizer.eos_id]
    if isinstance(tokenizer, TransformersTokenizer):
        of_tokenizer.append(tokenizer.turn_end_id)
        if not speaks_in_channels(template):  # there a turn is several messages, and what closes one doesn't end it
            of_tokenizer.append(turn_end(tokenizer))
    named = {*declared.written, *(i for i in of_tokenizer if i is not None)}
    ends = _known(named, known)
    added = set(tokenizer.added.values())
    spelled = [tokenizer.decode([i]) for i in ends if i in added or i == tokenizer.eos_id]
    first = [i for i in (tokenizer.bos_id, tokenizer.eos_id) if i is not None]
    return {
        "end_ids": ends,
        "end_strings": tuple(text for text in dict.fromkeys(spelled) if text),
        "generate_end_ids": _known(declared.generate, known),
        "prefix": tokenizer.prefix,
        "start": tokenizer.prefix or tuple(first[:1]),
        "thinking": thinking_tags(tokenizer.added, template),
        "notes": (
            *strange,
            *(
                f"its files name token {unknown} as an end token, and its ids are 0 to {known - 1}: not used"
                for unknown in sorted(named - set(ends))
            ),
        ),
    }


FEW = 0.5
"""A tokenizer that has fewer of a model's ids than this is hardly its own: embeddings are padded by far less."""


def _ids_beyond(tokenizer: Tokenizer, name: str, rows: int) -> tuple[str, ...]:
    """Notes about tokens that the model has no row for, and about a tokenizer that knows few of its rows.

    Raises UserError where plain text can give such a token. One that is only declared beside the vocabulary (a padding
    token that nobody trained) can't come from a text that doesn't spell it.
    """
    declared = {token: text for text, token in tokenizer.added.items()}
    if tokenizer.size > rows + len(declared) or any(token not in declared for token in range(rows, tokenizer.size)):
        raise UserError(
            f"the tokenizer gives ids up to {tokenizer.size - 1}, and the model's ids are 0 to {rows - 1}: is this the "
            "model's own tokenizer? Put that beside the weights",
            place=name,
        )
    if over := sorted(token for token in declared if token >= rows):
        return (
            f"its tokenizer declares {len(over)} tokens that the model has no row for, such as {declared[over[0]]!r} "
            f"({over[0]}): a text that spells one can't be scored",
        )
    if tokenizer.size < FEW * rows:
        return (f"its tokenizer has {tokenizer.size:,} tokens and the model {rows:,} rows: is it the model's own?",)
    return ()


def _known(ids: Iterable[int], vocabulary: int) -> tuple[int, ...]:
    return tuple(sorted({i for i in ids if 0 <= i < vocabulary}))


def _of_config(config: Mapping[str, Any]) -> tuple[int, ...]:
    text = config.get("text_config")
    inner = text.get("eos_token_id") if isinstance(text, Mapping) else None
    return (*_ids(config.get("eos_token_id")), *_ids(inner))


def _ids(value: Any) -> tuple[int, ...]:
    """What `eos_token_id` says: a token, several, or nothing."""
    each = value if isinstance(value, list | tuple) else [value]
    return tuple(i for i in each if isinstance(i, int) and not isinstance(i, bool))
