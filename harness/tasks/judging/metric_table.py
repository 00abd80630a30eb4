"""The metrics that are built in: unit, direction, definition, and how documents become one number.

As data: measures make their declarations of it, docs print it, and stored runs are summed up by it without the task's
folder.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.results.record import Direction, Metric


@dataclass(frozen=True)
class BuiltIn:
    """One metric, what outputs it judges, and its aggregation unless the task file names another."""

    metric: Metric
    outputs: tuple[str, ...]
    aggregation: str
    options: tuple[str, ...] = ()
    """Arguments that it takes."""
    worth: str = ""
    """Of a rule that takes a choice: what a choice's log-probability is to it, as a heading says it, `per byte`."""


_DETAILS = ("acc_bytes", "acc_tokens", "brier_score", "likelihood", "sample_extraction_failure", "token_accuracy")
_CHOICE, _GENERATE = "multiple_choice", "generate_until"
_LIKELIHOOD, _ROLLING = "loglikelihood", "loglikelihood_rolling"
_IGNORE = ("ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore")
VERSION = 2
"""Of every metric of tasks. 2: values keep their column's type, labels are read over the whole split, few-shot examples
never show the question, all choices of a document are scored from the same token on; written answers end at every
declared end token and are compared in their normal form."""
_VERSIONS = {"pass@k": 3}
"""Of those that changed alone. pass@k 3: tests run in another process than the program, which can't answer for them."""


IN_PASSING: dict[str, tuple[str, ...]] = {
    _CHOICE: (
        "acc",
        "acc_norm",
        "acc_bytes",
        "acc_tokens",
        "acc_mutual_info",
        "brier_score",
        "likelihood",
        "gold_bits_per_byte",
    ),
    _LIKELIHOOD: ("perplexity", "acc", "gold_bits_per_byte", "token_accuracy"),
    _ROLLING: ("word_perplexity", "byte_perplexity", "bits_per_byte"),
    _GENERATE: ("gold_bits_per_byte", "token_accuracy"),
}
"""What one pass gives anyway: reported beside what the task lists, in mode right. Of written answers, what the right
answer's likelihood gives where it is asked for."""


NOT_OF_LM_EVAL = frozenset(
    {
        *("refusal", "over_refusal", "right_refusal", "empty_answers", "toxic_words"),
        *("instructions_strict", "instructions_loose", "instructions_followed"),
        *("stereotype_preference", "overconfidence", "calibration_error", "kappa"),
    }
)
"""Metrics that mode lm-eval has no number of."""

LM_EVAL_HIGHER_IS_BETTER: dict[str, bool] = {
    **dict.fromkeys(("acc", "acc_all", "acc_bytes", "acc_mutual_info", "acc_norm", "bleu", "bypass", "chrf"), True),
    **dict.fromkeys(("chrf++", "exact_match", "f1", "likelihood", "mcc"), True),
    **dict.fromkeys(("bits_per_byte", "brier_score", "byte_perplexity", "perplexity", "ter", "word_perplexity"), False),
}
"""lm-eval 0.4.13's own table (`lm_eval.api.registry.is_higher_better`): of a metric whose task file doesn't say."""


def _declare(
    name: str,
    unit: str,
    better: str,
    outputs: tuple[str, ...],
    aggregation: str,
    definition: str,
    *options: str,
    headline: bool = False,
    right_or_wrong: bool = False,
    worth: str = "",
) -> BuiltIn:
    detail = name in _DETAILS
    metric = Metric(
        name=name,
        version=_VERSIONS.get(name, VERSION),
        unit=unit,
        direction=Direction(better),
        definition=definition,
        detail=detail,
        headline=headline,
        right_or_wrong=right_or_wrong,
    )
    return BuiltIn(metric, outputs, aggregation, options, worth)


_ALL = (
    _declare(
        "acc",
        "share",
        "higher",
        (_CHOICE, _LIKELIHOOD, _GENERATE),
        "mean",
        "Multiple choice: share of documents whose right choice has the highest summed log-probability. "
        "Log-likelihood: share whose whole continuation is what greedy decoding gives. Generation: as exact_match.",
        *_IGNORE,
        "numbers",
        headline=True,
        right_or_wrong=True,
        worth="sum",
    ),
    _declare(
        "acc_norm",
        "share",
        "higher",
        (_CHOICE,),
        "mean",
        "Share of documents whose right choice has the highest log-probability per character (Unicode, without the "
        "delimiter).",
        worth="per character",
    ),
    _declare(
        "acc_bytes",
        "share",
        "higher",
        (_CHOICE,),
        "mean",
        "Share of documents whose right choice has the highest log-probability per byte of UTF-8.",
        worth="per byte",
    ),
    _declare(
        "acc_tokens",
        "share",
        "higher",
        (_CHOICE,),
        "mean",
        "Share of documents whose right choice has the highest log-probability per token.",
        worth="per token",
    ),
    _declare(
        "acc_mutual_info",
        "share",
        "higher",
        (_CHOICE,),
        "mean",
        "Share of documents whose right choice has the highest log P(choice | context) - log P(choice): pointwise "
        "mutual information (Holtzman et al. 2021, arXiv:2104.08315).",
        worth="less without context",
    ),
    _declare(
        "exact_match",
        "share",
        "higher",
        (_GENERATE, _CHOICE),
        "mean",
        "Generation: share of answers that equal a target in their normal form (NFC, stripped), after what the task "
        "ignores (patterns, case, punctuation, digits); as numbers where it declares `numbers`. Multiple choice: share "
        "whose right choice is what greedy decoding gives.",
        *_IGNORE,
        "numbers",
        headline=True,
        right_or_wrong=True,
    ),
    _declare(
        "accuracy",
        "share",
        "higher",
        (_GENERATE,),
        "mean",
        "Share of answers that equal a target: exact_match under another name.",
        *_IGNORE,
        "numbers",
        right_or_wrong=True,
    ),
    _declare(
        "brier_score",
        "squared probability",
        "lower",
        (_CHOICE,),
        "brier_score",
        "Mean over documents of sum_c (p_c - [c is right])^2, p the softmax of the choices' log-probabilities "
        "(Brier 1950).",
    ),
    _declare(
        "likelihood",
        "probability",
        "higher",
        (_CHOICE,),
        "mean",
        "Mean probability of the right choices among the choices: softmax of their log-probabilities.",
    ),
    _declare(
        "gold_bits_per_byte",
        "bits/byte",
        "lower",
        (_CHOICE, _LIKELIHOOD),
        "bits_per_byte",
        "-sum log2 P(right continuation | context) over the sum of its bytes of UTF-8. Moves smoothly with a model's "
        "quality where accuracy still guesses (Schaeffer et al. 2023, arXiv:2304.15004). Generation (`likelihood`): "
        "of the right answer after the prompt.",
    ),
    _declare(
        "token_accuracy",
        "share",
        "higher",
        (_LIKELIHOOD,),
        "mean",
        "Mean over documents of the share of the right continuation's tokens that are the likeliest, each given the "
        "right ones before it (teacher-forced). Generation, with `likelihood`: of the right answer after the prompt.",
    ),
    _declare(
        "edit_similarity",
        "share",
        "higher",
        (_GENERATE,),
        "mean",
        "Mean over documents of 1 - Levenshtein distance / length of the longer text, between the answer and the "
        "nearest target, in characters of their normal forms, after what the task ignores. No answer has 0.",
        *_IGNORE,
    ),
    _declare(
        "f1",
        "share",
        "higher",
        (_CHOICE, _GENERATE),
        "f1",
        "Multiple choice: F1 of class 1 over the whole set (two classes). Generation: mean over documents of F1 of "
        "words shared with a target (Rajpurkar et al. 2016, arXiv:1606.05250), characters of Chinese and Japanese "
        "(Lewis et al. 2020, arXiv:1910.07475).",
    ),
    _declare(
        "mcc",
        "correlation",
        "higher",
        (_CHOICE,),
        "matthews_corrcoef",
        "Matthews' correlation of predicted and right classes over the whole set; of more than two classes "
        "Gorodkin's R_K.",
    ),
    _declare(
        "perplexity",
        "per document",
        "lower",
        (_LIKELIHOOD,),
        "perplexity",
        "exp(-mean over documents of log P(continuation | context)).",
        headline=True,
    ),
    _declare(
        "word_perplexity",
        "per word",
        "lower",
        (_ROLLING,),
        "weighted_perplexity",
        r"exp(-sum log P(text) / sum words), words = pieces of a text cut at \s+, empty ones at its ends counted.",
    ),
    _declare(
        "byte_perplexity",
        "per byte",
        "lower",
        (_ROLLING,),
        "weighted_perplexity",
        "exp(-sum log P(text) / sum bytes of UTF-8).",
    ),
    _declare(
        "bits_per_byte",
        "bits/byte",
        "lower",
        (_ROLLING,),
        "bits_per_byte",
        "-sum log2 P(text) / sum bytes of UTF-8.",
        headline=True,
    ),
    _declare(
        "bleu",
        "points",
        "higher",
        (_GENERATE,),
        "bleu",
        "Corpus BLEU of 0 to 100, sacrebleu's defaults (Post 2018, arXiv:1804.08771).",
    ),
    _declare(
        "chrf",
        "points",
        "higher",
        (_GENERATE,),
        "chrf",
        "Corpus chrF2 of 0 to 100, sacrebleu's defaults (Popovic 2015, aclanthology.org/W15-3049).",
    ),
    _declare(
        "chrf++",
        "points",
        "higher",
        (_GENERATE,),
        "chrf++",
        "Corpus chrF2++ of 0 to 100: chrF with words and pairs of words (Popovic 2017, aclanthology.org/W17-4770).",
    ),
    _declare(
        "ter",
        "points",
        "lower",
        (_GENERATE,),
        "ter",
        "Translation edit rate: edits per 100 words of the reference, sacrebleu's defaults (Snover et al. 2006).",
    ),
    _declare(
        "pass@k",
        "share",
        "higher",
        (_GENERATE,),
        "mean",
        "Mean over documents of the chance that one of k samples passes the tests, without bias from n >= k samples "
        "(Chen et al. 2021, arXiv:2107.03374).",
        "k",
        "timeout",
        "memory_mb",
        "given",
        right_or_wrong=True,
    ),
    _declare(
        "extraction_failure",
        "share",
        "lower",
        (_GENERATE,),
        "mean",
        "Share of documents in whose judged answer a filter found nothing to extract.",
    ),
    _declare(
        "sample_extraction_failure",
        "share",
        "lower",
        (_GENERATE,),
        "mean",
        "Share of all samples in which a filter found nothing to extract, also of those that a vote passed over.",
    ),
    _declare(
        "refusal",
        "share",
        "higher",
        (_GENERATE,),
        "corrected_share",
        "Share of answers that refuse, of prompts that should be refused: by rules whose errors on answers labeled by "
        "hand are taken out and carried into the interval (Rogan & Gladen 1978; Lang & Reiczigel 2014).",
        headline=True,
    ),
    _declare(
        "over_refusal",
        "share",
        "lower",
        (_GENERATE,),
        "corrected_share",
        "Share of answers that refuse, of prompts that should be answered: by the rules of `refusal`, with their "
        "errors.",
        headline=True,
    ),
    _declare(
        "right_refusal",
        "share",
        "higher",
        (_GENERATE,),
        "mean",
        "Share of answers that refuse where the target is `refusal`, and that say something else than a refusal "
        "where it "
        "is `answer`; one without a letter or digit is neither. By the rules of `refusal`, as they judge.",
    ),
    _declare(
        "empty_answers",
        "share",
        "lower",
        (_GENERATE,),
        "mean",
        "Share of answers without a letter or digit.",
    ),
    _declare(
        "instructions_strict",
        "share",
        "higher",
        (_GENERATE,),
        "mean",
        "Share of answers that follow every instruction of their prompt, each checked by a rule (as IFEval's, Zhou et "
        "al. 2023, arXiv:2311.07911). The target is the list of checks, as JSON.",
        headline=True,
    ),
    _declare(
        "instructions_loose",
        "share",
        "higher",
        (_GENERATE,),
        "mean",
        "The same, where an answer may also follow them without its first line, its last line, or the marks of "
        "Markdown "
        "(the loose criterion of IFEval).",
    ),
    _declare(
        "instructions_followed",
        "share",
        "higher",
        (_GENERATE,),
        "mean",
        "Mean over answers of the share of their prompt's instructions that they follow, strictly.",
    ),
    _declare(
        "toxic_words",
        "share",
        "lower",
        (_GENERATE,),
        "mean",
        "Share of answers with a word of a list of insults, slurs and obscenities. Weak: it misses hatred in clean "
        "words, "
        "and counts a word that is quoted.",
    ),
    _declare(
        "stereotype_preference",
        "share",
        "none",
        (_CHOICE,),
        "mean",
        "Share of pairs whose first sentence, the one with the stereotype, has the higher log-probability (as "
        "CrowS-Pairs, "
        "Nangia et al. 2020, arXiv:2010.00133, with whole sentences). A model without preference has 50 %.",
        headline=True,
    ),
    _declare(
        "overconfidence",
        "share",
        "none",
        (_CHOICE,),
        "mean",
        "Mean over documents of the probability of the choice that is taken (softmax over the choices) less 1 "
        "where it is "
        "right: above 0 a model is surer than it is right.",
    ),
    _declare(
        "calibration_error",
        "share",
        "lower",
        (_CHOICE,),
        "calibration_error",
        "Expected calibration error: sum over ten equal bins of the probability of the choice that is taken, of "
        "the bin's "
        "share of documents times |mean probability - accuracy| (Naeini et al. 2015; Guo et al. 2017, "
        "arXiv:1706.04599). "
        "Above 0 by chance alone, the more the fewer documents.",
    ),
    _declare(
        "kappa",
        "agreement",
        "higher",
        (_CHOICE,),
        "cohen_kappa",
        "Cohen's kappa of predicted and right classes (Cohen 1960): agreement beyond what both would have by "
        "chance; 0 where "
        "one of them has one class.",
    ),
)

BUILT_IN: dict[str, BuiltIn] = {declared.metric.name: declared for declared in _ALL}
"""By name."""

_RIGHT_OR_WRONG = [name for name, declared in BUILT_IN.items() if declared.metric.right_or_wrong]


def built_in(name: str) -> BuiltIn | None:
    """The declaration of a metric of a record or a document, such as `pass@1` of `pass@k`; None of a task's own."""
    return BUILT_IN.get("pass@k" if name.startswith("pass@") else name)


def place_of_right(name: str) -> int | None:
    """Where a metric stands among those that a task means by a right answer, in the order of their declarations; None
    where it is none of them."""
    declared = built_in(name)
    return _RIGHT_OR_WRONG.index(declared.metric.name) if declared and declared.metric.right_or_wrong else None


DEFAULTS: dict[str, tuple[str, ...]] = {
    _CHOICE: ("acc", "acc_norm"),
    _LIKELIHOOD: ("perplexity", "acc"),
    _ROLLING: ("word_perplexity", "byte_perplexity", "bits_per_byte"),
    _GENERATE: ("exact_match",),
}
"""What a task without `metric_list` reports, as in lm-eval."""

AGGREGATIONS = (
    "mean",
    "nanmean",
    "median",
    "perplexity",
    "weighted_perplexity",
    "bits_per_byte",
    "brier_score",
    "f1",
    "matthews_corrcoef",
    "bleu",
    "chrf",
    "chrf++",
    "ter",
    "bypass",
    "corrected_share",
    "calibration_error",
    "cohen_kappa",
)
"""Ways in which documents become one number."""
