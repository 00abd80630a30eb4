"""The same bytes everywhere: pinned digests, sizes, prefixes."""

import hashlib
import subprocess
import sys
from itertools import islice

import pytest

from reference_impl.text import microworld

DIGESTS = {
    "train": "c9dda705870af33afe5ba03746a904736bcfc448d0e39863c5bc07d4d9ff8888",
    "validation": "afa98d19670b7b66f1f3690303010ceaf1b6765a30e0dbd8a396d8e9787602a8",
    "test": "27a1e7d2e391c697f3a7c5d571f91d537987f5113084a3e9580659a9abbe07c5",
}
QUESTIONS = "e1c0e0ed359acd179dac377b95fa1dac800109b2ece1691d8650d897924aae62"


@pytest.mark.parametrize("split", microworld.SPLITS)
def test_every_machine_has_these_bytes(corpus: dict[str, list[str]], split: str) -> None:
    text = microworld.SEPARATOR.join(corpus[split])
    assert hashlib.sha256(text.encode()).hexdigest() == DIGESTS[split]


def test_every_machine_asks_these_questions(test_sets: dict[str, list[microworld.Question]]) -> None:
    text = repr([list(test_sets.items()), microworld.preferences("test", count=50)])
    assert hashlib.sha256(text.encode()).hexdigest() == QUESTIONS


def test_the_digest_is_of_the_joined_documents() -> None:
    assert microworld.digest("test") == DIGESTS["test"]


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_bytes_do_not_depend_on_hash_randomisation(hash_seed: str) -> None:
    command = "from reference_impl.text import microworld; print(microworld.digest('validation'))"
    done = subprocess.run(
        [sys.executable, "-c", command], env={"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == DIGESTS["validation"]


def test_importing_the_corpus_does_not_import_torch() -> None:
    command = "import sys, reference_impl.text.microworld; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0


def test_sizes(corpus: dict[str, list[str]]) -> None:
    for split, documents in corpus.items():
        size = sum(len(document.encode()) for document in documents)
        assert microworld.BYTES[split] <= size < microworld.BYTES[split] + 4000
        assert all(300 <= len(document) <= 3000 for document in documents)
        assert all(document.isascii() and document.strip() == document for document in documents)
        assert not any(microworld.SEPARATOR in document for document in documents)


def test_a_stream_can_be_cut_short(corpus: dict[str, list[str]]) -> None:
    assert list(islice(microworld.stream("train"), 20)) == corpus["train"][:20]


def test_another_seed_tells_other_things(corpus: dict[str, list[str]]) -> None:
    assert not set(microworld.documents("test", seed=1)) & set(corpus["test"])


@pytest.mark.parametrize(
    "call", [microworld.documents, microworld.evaluation_sets, microworld.digest, microworld.preferences]
)
def test_an_unknown_split_is_named_with_the_known_ones(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=r"'dev'.*train, validation, test"):
        call("dev")
