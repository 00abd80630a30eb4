"""How alike two texts are: equality after what a task ignores, shared words, and sacrebleu's corpus scores."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CORPUS_SCORES = ("bleu", "chrf", "chrf++", "ter")
"""Scores of whole corpora, by sacrebleu."""

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NO_DIGITS = str.maketrans("", "", string.digits)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def without_ignored(text: str, ignored: Mapping[str, Any]) -> str:
    """What is left of a text: patterns removed, then lower case, then no ASCII punctuation, then no digits.

    ignored: `regexes_to_ignore`, `ignore_case`, `ignore_punctuation`, `ignore_numbers`, in lm-eval's order.
    """
    for pattern in ignored.get("regexes_to_ignore") or ():
        text = re.sub(pattern, "", text)
    if ignored.get("ignore_case"):
        text = text.lower()
    if ignored.get("ignore_punctuation"):
        text = text.translate(_NO_PUNCTUATION)
    if ignored.get("ignore_numbers"):
        text = text.translate(_NO_DIGITS)
    return text


def is_match(answer: Any, targets: Sequence[str], ignored: Mapping[str, Any]) -> bool:
    """Whether an answer equals any target after what is ignored. None (nothing was extracted) equals nothing."""
    if answer is None:
        return False
    said = without_ignored(str(answer), ignored)
    return any(said == without_ignored(target, ignored) for target in targets)


def edit_similarity(answer: Any, targets: Sequence[str], ignored: Mapping[str, Any]) -> float:
    """1 - Levenshtein distance / length of the longer text, of the nearest target, after what is ignored.

    Characters count, as one that is inserted, deleted or replaced. None (nothing was extracted) has 0; two empty texts
    are equal: 1.
    """
    if answer is None:
        return 0.0
    said = without_ignored(str(answer), ignored)
    return max(_edit_similarity(said, without_ignored(target, ignored)) for target in targets)


def _edit_similarity(one: str, other: str) -> float:
    longer = max(len(one), len(other))
    if longer == 0:
        return 1.0
    row = list(range(len(other) + 1))  # distances of the beginnings of `other` from what of `one` was read
    for number, character in enumerate(one, start=1):
        before, row = row, [number]
        for place, wanted in enumerate(other):
            row.append(min(row[place] + 1, before[place + 1] + 1, before[place] + (character != wanted)))
    return 1 - row[-1] / longer


def word_f1(answer: str, targets: Sequence[str]) -> float:
    """F1 of the words that an answer shares with a target, the best of the targets.

    Words as SQuAD's scorer takes them: lower case, without punctuation and English articles (Rajpurkar et al. 2016).
    Two texts without words are equal: 1.
    """
    return max(_word_f1(answer, target) for target in targets)


def _word_f1(answer: str, target: str) -> float:
    said, wanted = _words(answer), _words(target)
    if not said or not wanted:
        return float(said == wanted)
    shared = sum((Counter(said) & Counter(wanted)).values())
    return 2 * shared / (len(said) + len(wanted))


def _words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


def corpus_statistics(name: str, answers: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
    """What each document adds to a corpus score: (documents, statistics), to be summed.

    name: of CORPUS_SCORES. references: per document one or more. A corpus score is a function of the sums, so that a
    bootstrap needs each text once. Raises UserError without sacrebleu.
    """
    import numpy as np

    width = max(len(texts) for texts in references)
    # sacrebleu wants one stream per reference, all equally long; None stands for a missing one.
    streams = [[texts[place] if place < len(texts) else None for texts in references] for place in range(width)]
    rows = _scorer(name)._extract_corpus_statistics(list(answers), streams)
    return np.asarray(rows, dtype=np.float64)


def corpus_score(name: str, sums: Floats) -> float:
    """The score of summed statistics, 0 to 100 (ter: 0 and up)."""
    whole = name != "ter"  # counts; ter's reference lengths are means over references
    return float(_scorer(name)._compute_score_from_stats([round(float(x)) if whole else float(x) for x in sums]).score)


def _scorer(name: str) -> Any:
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
        from sacrebleu.metrics.ter import TER
    except ImportError:
        raise UserError(
            f"`{name}` needs sacrebleu: pip install 'gpt-harness[translation]'", place="metric_list"
        ) from None
    made: dict[str, Any] = {
        "bleu": BLEU,
        "chrf": CHRF,
        "chrf++": lambda: CHRF(word_order=2),
        "ter": TER,
    }
    return made[name]()
