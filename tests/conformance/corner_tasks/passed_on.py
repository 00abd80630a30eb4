"""What the corner tasks sum up themselves, and a filter that they register."""

from lm_eval.api.registry import register_filter
from lm_eval.filters.extraction import RegexFilter


@register_filter("last_word_backwards")
class Backwards(RegexFilter):
    """The pattern's match, turned around."""

    def __init__(self, mark: str = "", **options: str) -> None:
        super().__init__(regex_pattern=r"(\w+)\W*$", **options)
        self.mark = mark

    def apply(self, resps, docs):
        return [[found[::-1] + self.mark for found in texts] for texts in super().apply(resps, docs)]


def characters_shared(items):
    """Of (target, answer) pairs: the mean share of an answer's characters that the target has."""
    shares = []
    for item in items:
        if not isinstance(item, list | tuple):
            shares.append(item)
            continue
        target, answer = item
        answer = answer if isinstance(answer, str) else "".join(answer)
        shares.append(sum(character in target for character in answer) / max(len(answer), 1))
    return sum(shares) / len(shares)


def gap(items):
    """Of (right choice, log-likelihoods) pairs: how far the right one is above the mean."""
    return sum(said[right] - sum(said) / len(said) for right, said in items) / len(items)


def hits(items):
    """Of (right choice, prediction) pairs: the share that are equal."""
    return sum(right == given for right, given in items) / len(items)
