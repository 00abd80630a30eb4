"""The corpus of a training as tokens, by the tokenizer that the training makes or keeps: made once, then read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from harness import kept_file, strict_json
from harness.cache import cache_folder
from harness.errors import UserError
from harness.file_digest import file_sha256

if TYPE_CHECKING:
    from harness.models.training import Training
    from reference_impl.text.any_tokenizer import Tokenizer
    from reference_impl.text.packing import Tokens

TOKENIZER_BYTES = 2_000_000
"""The tokenizer is trained on so much of the corpus, from its beginning: more text does not make shorter streams."""


def encoded(training: Training) -> tuple[Tokenizer, Tokens, Tokens, int]:
    """Tokenizer, train tokens, validation tokens and the bytes of the validation text: cached by what makes them."""
    from harness.corpora.training import training_digest
    from reference_impl.text import characters, packing, tokenizer

    modules = (packing.__file__, tokenizer.__file__, characters.__file__)
    code = "".join(file_sha256(Path(str(name))) for name in (__file__, *modules))
    made_of = (
        f"{training_digest(training.corpus)} {training.held_out} {training.tokenizer} {training.vocabulary} {code}"
    )
    kept = None if training.after is None else encoded(training.first)[0]
    if kept is not None:
        made_of += f" by {kept.digest}"
    folder = cache_folder("tokens", hashlib.sha256(made_of.encode()).hexdigest()[:24])
    try:
        found = _read_encoded(folder)
    except (OSError, ValueError) as error:
        kept_file.drop(folder, error)
        found = None
    if found is None:
        _write_encoded(training, cache_folder("tokens", folder.name), kept)
        found = _read_encoded(folder)
    assert found is not None
    return found


def _read_encoded(folder: Path) -> tuple[Tokenizer, Tokens, Tokens, int] | None:
    """None where there is nothing yet. Raises OSError and ValueError for what is damaged."""
    from reference_impl.text.any_tokenizer import load_tokenizer
    from reference_impl.text.shards import CorruptShard, open_shard, read_header

    try:
        facts = json.loads(kept_file.read_json(folder / "facts.json"))
    except FileNotFoundError:
        return None
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    if tokenizer.digest != facts["tokenizer"]:
        raise kept_file.Damaged("another tokenizer than when it was written")
    paths = {name: folder / f"{name}.bin" for name in ("train", "validation")}
    for name, path in paths.items():
        if read_header(path).sha256 != facts[name]:
            raise CorruptShard(path, "other tokens than when it was written")
    train_tokens, validation_tokens = (open_shard(path, tokenizer.digest) for path in paths.values())
    return tokenizer, train_tokens, validation_tokens, int(facts["validation_bytes"])


def _write_encoded(training: Training, folder: Path, kept: Tokenizer | None) -> None:
    """kept: the first stage's tokenizer; None: this is the first, and its tokenizer is trained."""
    from harness.corpora.training import training_documents
    from reference_impl.text.packing import packed
    from reference_impl.text.shards import write_shard

    train_documents, validation_documents = training_documents(training.corpus, training.held_out)
    if kept is None:
        made = _tokenizer(training, train_documents, validation_documents)
    else:
        made = kept
        _check_alphabet(made, training, [*train_documents, *validation_documents])
    made.save(folder / "tokenizer.json")
    size = sum(len(document.encode()) for document in validation_documents)
    facts: dict[str, object] = {"validation_bytes": size, "tokenizer": made.digest}
    for name, documents in (("train", train_documents), ("validation", validation_documents)):
        stream = packed(made, documents)
        header = write_shard(folder / f"{name}.bin", stream, vocabulary=made.size, tokenizer_digest=made.digest)
        facts[name] = header.sha256
    kept_file.write_json(folder / "facts.json", strict_json.dumps(facts))  # last: with it the folder is whole


def _tokenizer(training: Training, train_documents: list[str], validation_documents: list[str]) -> Tokenizer:
    """A BPE of the train part; or the characters of both, for one that only the validation text has would be an error
    (and the published character-level figures take the alphabet of the whole file)."""
    from reference_impl.text.characters import Characters
    from reference_impl.text.tokenizer import ByteBPE

    if training.tokenizer == "characters":
        return Characters.train([*train_documents, *validation_documents])
    return ByteBPE.train(_beginning(train_documents, TOKENIZER_BYTES), training.vocabulary)


def _check_alphabet(tokenizer: Tokenizer, training: Training, documents: list[str]) -> None:
    """UserError where a later stage's corpus has characters that the first stage's character tokenizer lacks."""
    from reference_impl.text.characters import Characters

    if isinstance(tokenizer, Characters):
        lacking = sorted(set().union(*documents) - set(tokenizer.alphabet))
        if lacking:
            raise UserError(
                f"the corpus {training.corpus} has characters that {training.first.corpus}, whose alphabet the model "
                f"has, lacks: {', '.join(map(repr, lacking[:5]))}; use `tokenizer: bpe`, or another corpus"
            )


def _beginning(documents: list[str], size: int) -> list[str]:
    """The first documents, up to `size` bytes of UTF-8 and one document more."""
    taken: list[str] = []
    for document in documents:
        if size <= 0:
            break
        taken.append(document)
        size -= len(document.encode())
    return taken
