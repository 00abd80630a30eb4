"""Which parameters N counts, and how to get from one count to the other.

Kaplan et al. counted no embeddings, Hoffmann et al. all parameters, and C = 6ND goes with the count. For small models
most parameters are embeddings, so that a law in one count is another law in the other: that alone turns Hoffmann et
al.'s N ∝ C^.5 into Kaplan et al.'s N ∝ C^.73 (Pearce & Song 2024, arXiv 2406.12907). A conversion has a name, and
`Runs` carry it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.analysis.scaling.laws.law import Floats, Law
from harness.analysis.scaling.runs import FLOPS_PER_TOKEN, ParameterCount, Runs, six_nd
from harness.errors import UserError

PEARCE_SONG_GAMMA = 47491.0
"""Of N_all = N + gamma N^(1/3), fitted to the models of Hoffmann et al. (a vocabulary of 32,000, all about as deep for
their width): Pearce & Song 2024."""
HALVINGS = 200


@dataclass(frozen=True)
class Conversion:
    """A relation between the parameters that are not embeddings and all of them, which rises and so has an inverse."""

    name: str
    """The words that a result names it by."""
    all_of: Callable[[Floats], Floats]
    """Parameters without embeddings -> all parameters."""

    def without_embeddings(self, parameters: Floats) -> Floats:
        """All parameters -> parameters without embeddings, by bisection: (n,). Not a number where there are fewer than
        the embeddings of the smallest model."""
        wanted = np.asarray(parameters, dtype=np.float64)
        low, high = np.zeros_like(wanted), np.log(wanted)
        impossible = self.all_of(np.exp(low)) > wanted
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            below = self.all_of(np.exp(middle)) < wanted
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.where(impossible, np.nan, np.exp((low + high) / 2))


def pearce_song(gamma: float = PEARCE_SONG_GAMMA) -> Conversion:
    """N_all = N + gamma N^(1/3), for models of one aspect ratio and vocabulary.

    N = 12 l d^2 and embeddings V d give gamma = V (r / 12)^(1/3) for a width of r times the depth.
    """
    return Conversion(
        f"N_all = N + {gamma:g} N^(1/3) (Pearce & Song 2024, arXiv 2406.12907)",
        lambda parameters: np.asarray(parameters + gamma * np.cbrt(parameters)),
    )


def same_shape(width_per_layer: float, vocabulary: int, positions: int = 0, *, tied: bool = True) -> Conversion:
    """All parameters of a ladder of GPTs that keep their width per layer.

    N = 12 l d^2, embeddings d (V + positions), and V d more where the output layer has weights of its own. Biases and
    normalizations, a few thousandths of the smallest, are left out.
    """
    rows = vocabulary * (1 if tied else 2) + positions
    gamma = rows * (width_per_layer / 12) ** (1 / 3)
    head = "" if tied else ", an output layer of its own"
    place = f", {positions} positions" if positions else ""
    return Conversion(
        f"N_all = N + {gamma:.0f} N^(1/3) (GPTs {width_per_layer:g} wide per layer, {vocabulary} tokens{place}{head})",
        lambda parameters: np.asarray(parameters + gamma * np.cbrt(parameters)),
    )


@dataclass(frozen=True)
class Counts:
    """Parameters of one GPT by both counts."""

    all: int
    non_embedding: int


def counts_of_shape(layers: int, width: int, vocabulary: int, positions: int = 0, *, tied: bool = True) -> Counts:
    """Both counts of a GPT: 12 l d^2 (Kaplan et al. 2020, table 1), and its embeddings, without biases and norms."""
    non_embedding = 12 * layers * width**2
    return Counts(non_embedding + width * (vocabulary * (1 if tied else 2) + positions), non_embedding)


def counting(runs: Runs, counted: ParameterCount, conversion: Conversion) -> Runs:
    """The same runs with N counted otherwise, and C = 6ND of that N.

    Raises UserError where the runs don't say what their N counts, or where an N is less than its embeddings.
    """
    if runs.counted == "unstated" or counted == "unstated":
        raise UserError("whether N counts embeddings is not said: say so (--counted all or non_embedding)")
    if runs.counted == counted:
        return runs
    turned = conversion.all_of if counted == "all" else conversion.without_embeddings
    parameters = turned(runs.parameters)
    wrong = np.flatnonzero(~np.isfinite(parameters))
    if len(wrong):
        raise UserError(
            f"N = {runs.parameters[wrong[0]]:g} is less than the embeddings by {conversion.name}: the relation is not "
            "one of these models"
        )
    return replace(
        runs,
        parameters=parameters,
        compute=six_nd(parameters, runs.tokens),
        compute_is="6ND",
        counted=counted,
        converted=conversion.name,
    )


def frontier_exponent(
    law: Law, natural: Floats, conversion: Conversion, sizes: Floats, compute: Floats
) -> tuple[float, str]:
    """The a of N ∝ C^a that a study finds which counts no embeddings, in N and in C, where the law is one of all.

    law: of all parameters and tokens; natural: (p,). sizes: (sizes,) without embeddings, compute: (n,) budgets of 6 N D
    with that N. At each budget the best of the sizes is taken, as in a study with so many models, and a line is laid
    through the logs (Pearce & Song 2024). Returns the exponent and the conversion's name.
    """
    tokens = compute[:, None] / FLOPS_PER_TOKEN / sizes
    loss = law.predict(natural, np.tile(conversion.all_of(sizes), len(compute)), tokens.ravel()).reshape(tokens.shape)
    best = sizes[np.argmin(loss, axis=1)]
    return float(np.polyfit(np.log(compute), np.log(best), 1)[0]), conversion.name
