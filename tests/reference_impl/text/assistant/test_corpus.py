"""The same bytes everywhere; test prompts are unseen; half of what is shown is bad, and every fault occurs."""

import hashlib
import subprocess
import sys
from collections import Counter

import pytest

from reference_impl.text import assistant
from reference_impl.text.assistant.world import TOPICS, facts

DIGESTS = {
    "train": "3fae103e8238f781c2c32d15e2267cf3130bc2536e30a7facd6790f68c27e240",
    "validation": "4e2471325b53bf03b3af7503974dba0ca05b94aca11b307f70fd0e387af3c545",
    "test": "658a7a1030d188ed9fc5d794034fe865d413cb43b036b504246c5dfc45150567",
}
DATA = "b626e415d54dacce78553d5fc59749be3bf78d84a2875f96071a395a565fd6d4"


@pytest.fixture(scope="module")
def corpus() -> dict[str, list[str]]:
    return {split: assistant.documents(split) for split in assistant.SPLITS}


@pytest.fixture(scope="module")
def exchanges(corpus: dict[str, list[str]]) -> dict[str, list[tuple[str, str]]]:
    """(prompt, answer) of all dialogs of each split."""
    found: dict[str, list[tuple[str, str]]] = {}
    for split, documents in corpus.items():
        turns = [turn.partition("\nAssistant: ") for text in documents for turn in f"\n{text}".split("\nUser: ")[1:]]
        found[split] = [(prompt, answer) for prompt, _, answer in turns]
    return found


@pytest.mark.parametrize("split", assistant.SPLITS)
def test_every_machine_has_these_bytes(corpus: dict[str, list[str]], split: str) -> None:
    text = assistant.SEPARATOR.join(corpus[split])
    assert text.isascii()
    assert hashlib.sha256(text.encode()).hexdigest() == DIGESTS[split]
    assert all(document.strip() == document != "" for document in corpus[split])


def test_every_machine_learns_and_asks_the_same() -> None:
    made = [
        assistant.evaluation_sets("test"),
        assistant.pairs("train", count=50),
        assistant.demonstrations("train", count=50),
        assistant.prompts("test", count=50),
    ]
    assert hashlib.sha256(repr(made).encode()).hexdigest() == DATA


def test_the_digest_is_of_the_joined_documents_and_no_hash_seed_matters() -> None:
    command = "from reference_impl.text import assistant; print(assistant.digest('test'))"
    done = subprocess.run(
        [sys.executable, "-c", command], env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == DIGESTS["test"]


def test_importing_the_corpus_does_not_import_torch() -> None:
    command = "import sys, reference_impl.text.assistant; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0


def test_prompts_and_plain_sentences_of_the_splits_differ(
    corpus: dict[str, list[str]], exchanges: dict[str, list[tuple[str, str]]]
) -> None:
    asked = {split: {prompt for prompt, _ in found} for split, found in exchanges.items()}
    for split in ("train", "test"):  # also those of other data and another seed
        asked[split] |= {one.prompt for one in assistant.prompts(split, seed=1, count=650)}
        asked[split] |= {one.posed.prompt for one in assistant.pairs(split, count=650)}
        asked[split] |= {one.prompt for one, _ in assistant.demonstrations(split, count=650)}
        asked[split] |= {
            one.prompt.removeprefix("User: ").partition("\n")[0]
            for questions in assistant.evaluation_sets(split).values()
            for one in questions
        }
    told = {
        split: {
            sentence
            for text in documents
            if not text.startswith("User:")
            for sentence in text.replace("\n\n", " ").split(". ")
        }
        for split, documents in corpus.items()
    }
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert len(asked[one]) > 500
        assert not asked[one] & asked[other]
        assert not {s.rstrip(".") for s in told[one]} & {s.rstrip(".") for s in told[other]}


def test_half_of_the_text_is_bad_and_three_in_ten_of_the_demonstrations(
    exchanges: dict[str, list[tuple[str, str]]],
) -> None:
    worth = [assistant.gold(prompt, answer).total for prompt, answer in exchanges["train"][:6000]]
    assert sum(total >= 1 for total in worth) / len(worth) == pytest.approx(0.5, abs=0.03)
    shown = [assistant.gold(one.prompt, answer).total for one, answer in assistant.demonstrations(count=3000)]
    assert sum(total >= 1 for total in shown) / len(shown) == pytest.approx(0.7, abs=0.03)


def test_each_bad_answer_has_its_fault_and_is_worth_less() -> None:
    expected = {"too_long": ("right", "refused"), "too_courteous": ("right", "refused")}
    kinds: Counter[str] = Counter()
    for pair in assistant.pairs("train", count=3000):
        good, bad = (assistant.gold(pair.posed.prompt, text) for text in (pair.good, pair.bad))
        assert good.verdict in ("right", "refused") and good.total >= 1, pair
        assert good.total > bad.total + 0.1, pair
        also = ("malformed", "unended") if pair.fault == "malformed" else (pair.fault,)
        assert bad.verdict in expected.get(pair.fault, also), pair
        assert bad.length < 0 if pair.fault == "too_long" else pair.fault == "too_courteous" or bad.length > -0.2, pair
        assert pair.fault == "malformed" or (bad.courtesies > 1) == (pair.fault == "too_courteous"), pair
        kinds[pair.fault] += 1
    assert set(kinds) == set(assistant.FAULTS)
    assert min(kinds.values()) > 100


def test_prompts_are_of_every_kind_in_fixed_shares() -> None:
    kinds = Counter(one.asked.kind for one in assistant.prompts("test", count=700))
    assert kinds["fact"] == 280 and kinds["talk"] == 140
    assert kinds["harmful"] + kinds["harmless"] == 280 and abs(kinds["harmful"] - 140) < 40


def test_plain_text_is_true(corpus: dict[str, list[str]]) -> None:
    """What it says of each subject is what gold holds for right; every fact is told in the text to train on."""
    plain = [text for text in corpus["train"] if not text.startswith("User:")]
    sentences = [sentence for text in plain for sentence in text.replace("\n\n", " ").split(". ")]
    told: dict[tuple[str, str], set[str]] = {}
    for sentence in sentences:
        words = sentence.rstrip(".").split()
        for topic in TOPICS:
            if words[-1] in topic.choices:
                (subject,) = (word for word in words if word in topic.subjects)
                told.setdefault((topic.name, subject), set()).add(words[-1])
    assert told == {key: {answer} for key, answer in facts().items()}


def test_evaluation_sets() -> None:
    sets = assistant.evaluation_sets("test")
    assert tuple(sets) == assistant.THEMES
    assert [len(questions) for questions in sets.values()] == [300, 400]
    assert {len(one.choices) for one in sets["facts"]} == {4}
    assert sum(one.target.startswith("I cannot") for one in sets["twins"]) == 200
    for one in sets["facts"]:
        assert assistant.gold(
            one.prompt.rpartition("\n")[0], one.prompt.rpartition("Assistant: ")[2] + " " + one.target
        )


@pytest.mark.parametrize("make", [assistant.pairs, assistant.prompts, assistant.demonstrations, assistant.twin_prompts])
def test_wrong_arguments_are_named(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=r"'dev'.*train, validation, test"):
        make("dev")
    with pytest.raises(ValueError, match=r"1 to 700 .*, not 701"):
        make("test", count=701)
    with pytest.raises(ValueError, match="not 0"):
        make("test", count=0)
