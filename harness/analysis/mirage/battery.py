"""The same answers under several metrics over a ladder of models: is a jump in one of them a jump in all?

Schaeffer et al. 2023 (arXiv:2304.15004): exact match is about the K-th power of the accuracy per token, so that smooth
progress looks like a jump, and few documents round small accuracies down to 0. So the question is put to every metric
(`mirage_curves`), and beside it stands what each size's documents can see (`mirage_sizes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.analysis.mirage.answers_table import read_answers
from harness.analysis.mirage.curves import LEAST_SIZES, Curve, Standstill, curve_of_right, smooth_curves, standstill
from harness.analysis.mirage.sizes import LengthTest, Resolution, length_tests, resolutions

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["the jump is there under every metric", "only under exact match", "no jump", "not decided"]


@dataclass(frozen=True)
class Battery:
    """What the metrics say together."""

    verdict: Verdict
    why: str
    sizes: tuple[float, ...]
    curves: tuple[Curve, ...]
    """Exact match (or the accuracy that `right` is) first."""
    lengths: tuple[LengthTest, ...] = ()
    resolution: tuple[Resolution, ...] = ()
    documents: int = 0
    straight: float | None = None
    """Progress that a line in log size has where exact match still stands."""
    clusters: int = 0


def battery(frame: pd.DataFrame, chance: float = 0.0, name: str = "exact_match") -> Battery:
    """The battery of one task.

    frame: a row per model and document with `parameters`, `document` and `right` (0 or 1; a share where several answers
    were drawn), and what there is of `token_accuracy`, `edit_similarity`, `brier_score`, `likelihood`, `gold_log_prob`
    (nats) with `gold_bytes`, `tokens` with `hits` (of the right answer), `cluster`. Documents that not every model has
    are left out. chance: what guessing gets. name: of the metric that `right` is. Raises UserError without the columns,
    for two rows of one document and size, for numbers that are none, and for fewer than ten documents in common.
    """
    from harness.statistics.paired_means import paired_means

    answers = read_answers(frame, "mirage")
    sizes, right = answers.sizes, paired_means(answers.columns["right"], None, answers.clusters)
    still = standstill(right, sizes)
    curves = [curve_of_right(right, answers, name, chance, still), *smooth_curves(answers, still)]
    resolution = resolutions(answers)
    verdict, why = _verdict(curves, sizes, still, resolution[-1])
    return Battery(
        verdict=verdict,
        why=why,
        sizes=sizes,
        curves=tuple(curves),
        lengths=tuple(length_tests(answers)),
        resolution=tuple(resolution),
        documents=len(answers.clusters),
        straight=still.straight,
        clusters=len(set(answers.clusters)),
    )


def _verdict(
    curves: Sequence[Curve], sizes: Sequence[float], still: Standstill, largest: Resolution
) -> tuple[Verdict, str]:
    smooth, named = curves[1:], curves[0].metric.replace("_", " ")
    if len(sizes) < LEAST_SIZES:
        return "not decided", f"{len(sizes)} sizes show no shape: at least {LEAST_SIZES} are needed"
    if not still.rises:
        why = f"{named} is not told better at the largest size than at the smallest"
        if largest.right == 0:
            why += f" (none right of {largest.n}, which shows nothing up to {largest.least:.1%})"
        better = " and ".join(c.metric for c in smooth if c.state != "does not rise").replace("_", " ")
        return "no jump", why + (f", though {better} improve" if better else "")
    if still.flat < 2:
        return "no jump", f"{named} is better from the second size on"
    if curves[0].state != "jumps":
        return (
            "not decided",
            f"{named} rises, but that it stands still before can't be told: more documents are needed",
        )
    stood = f"{named} stands still up to {sizes[still.flat - 1]:.3g} parameters"
    if not smooth:
        return "not decided", f"{stood}, and there is no smooth metric: ask with `likelihood: true`"
    by_state = {state: [c.metric for c in smooth if c.state == state] for state in ("jumps", "moves")}
    jumping, moving = (" and ".join(by_state[state]).replace("_", " ") for state in ("jumps", "moves"))
    if jumping and moving:
        return "not decided", f"{stood}; {jumping} jump, and {moving} move before"
    if jumping and len(by_state["jumps"]) == len(smooth):
        return "the jump is there under every metric", f"{stood}; so do {jumping}, which break as well"
    if jumping:
        rest = " and ".join(c.metric for c in smooth if c.state != "jumps").replace("_", " ")
        return "not decided", f"{stood}; {jumping} jump, and {rest} can't be told"
    if moving:
        return "only under exact match", f"{stood}, while {moving} improve"
    return "not decided", f"{stood}, and no smooth metric is told to move or to break there: more documents are needed"
