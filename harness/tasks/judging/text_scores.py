"""How alike two texts are: equality and edits after what a task ignores, shared words, and sacrebleu's corpus scores.

All compare texts in their normal form (`normal_form`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.mode import Mode
from harness.tasks.judging.normal_form import CJK, NOTHING, Ignored, comparable, normal_form, written

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CORPUS_SCORES = ("bleu", "chrf", "chrf++", "ter")
"""Scores of whole corpora, by sacrebleu."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_UNIT = re.compile(rf"[{CJK}]|[^\s{CJK}]+")
_CASE_AND_PUNCTUATION = {"ignore_case": True, "ignore_punctuation": True}


def is_match(answer: Any, targets: Sequence[str], ignored: Ignored = NOTHING, mode: Mode = "right") -> bool:
    """Whether an answer is the same as any target (`comparable`). None (nothing was extracted) equals nothing."""
    if answer is None:
        return False
    said = comparable(str(answer) if isinstance(answer, list | tuple) else answer, mode, ignored)
    return any(said == comparable(target, mode, ignored) for target in targets)


def is_match_but_for_space(answer: Any, targets: Sequence[str], ignored: Ignored = NOTHING) -> bool:
    """Whether white space at the ends alone makes an answer wrong as lm-eval compares it."""
    if answer is None or is_match(answer, targets, ignored, "lm-eval"):
        return False

    def close(text: str) -> str:
        return normal_form(text.strip(), "lm-eval", ignored).strip()

    return any(close(str(answer)) == close(target) for target in targets)


def edit_similarity(answer: Any, targets: Sequence[str], ignored: Ignored = NOTHING, mode: Mode = "right") -> float:
    """1 - Levenshtein distance / length of the longer text, of the nearest target, in their normal forms.

    Characters (code points) count, as one that is inserted, deleted or replaced. None (nothing was extracted) has 0;
    two empty texts are equal: 1.
    """
    if answer is None:
        return 0.0
    said = normal_form(written(answer, mode), mode, ignored)
    return max(_edit_similarity(said, normal_form(target, mode, ignored)) for target in targets)


def _edit_similarity(one: str, other: str) -> float:
    longer = max(len(one), len(other))
    if longer == 0:
        return 1.0
    from rapidfuzz.distance import Levenshtein  # 20 ms that a plan need not wait for

    return 1 - Levenshtein.distance(one, other) / longer


def word_f1(answer: str, targets: Sequence[str]) -> float:
    """F1 of the words that an answer shares with a target, the best of the targets.

    Words as SQuAD's scorer takes them: without case, punctuation and English articles (Rajpurkar et al. 2016). Of
    Chinese and Japanese each character is one, as in MLQA's (Lewis et al. 2020, arXiv:1910.07475), whatever else
    stands in the text; Korean and all others have words between blanks. A text of nothing but articles has these as
    its words. Two empty texts are equal: 1.
    """
    return max(_word_f1(answer, target) for target in targets)


def _word_f1(answer: str, target: str) -> float:
    said, wanted = words(answer), words(target)
    if not said or not wanted:
        return float(said == wanted)
    shared = sum((Counter(said) & Counter(wanted)).values())
    return 2 * shared / (len(said) + len(wanted))


def words(text: str) -> list[str]:
    """The units that `word_f1` counts."""
    plain = normal_form(text, "right", _CASE_AND_PUNCTUATION)
    return _UNIT.findall(_ARTICLES.sub(" ", plain)) or _UNIT.findall(plain)


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
