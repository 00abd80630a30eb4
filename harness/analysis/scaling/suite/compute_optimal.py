"""What a published law says to do: tokens for a size, the best use of a budget, and how far off a training was.

The coefficients are published ones, or a law is fitted here to published runs, which gives intervals.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.analysis.scaling.suite.settings import FEWEST_REPLICATES
from harness.errors import UserError
from harness.limits import Positive
from harness.results.finding import Finding
from harness.results.record import Scalar
from harness.results.run import Run

if TYPE_CHECKING:
    from harness.analysis.scaling.fitting.uncertainty import DrawnInterval, Quantity
    from harness.analysis.scaling.laws.law import Floats, Law

Coefficients = Literal["hoffmann-2022", "besiroglu-2024"]

PUBLISHED: dict[str, tuple[tuple[float, float, float, float, float], str]] = {
    "hoffmann-2022": (
        (1.69, 406.4, 410.7, 0.34, 0.28),
        "Hoffmann et al. 2022, arXiv 2203.15556, equation 10: rounded as printed, so that tokens come out too many",
    ),
    "besiroglu-2024": (
        (1.81686, 482.00572, 2085.43420, 0.34781, 0.36585),
        "Besiroglu et al. 2024, arXiv 2404.10102, table 1: the same runs, fitted again",
    ),
}
"""E, A, B, alpha, beta of L = E + A/N^alpha + B/D^beta, and where they stand."""


class Model(AnalysisSettings):
    """A model that was trained, or would be."""

    name: str
    """For the tables."""
    parameters: Positive
    """N, all parameters."""
    tokens: Positive | None = None
    """D, where it was trained."""
    claimed_tokens: Positive | None = None
    """What somebody says it should have been trained on."""


class ComputeOptimalSettings(AnalysisSettings):
    """Which law, and what is asked of it."""

    coefficients: Coefficients | None = None
    """Published coefficients; intervals there are none."""
    data: str | None = None
    """In place of coefficients, a published data set to fit (`harness data`), with intervals by the bootstrap."""
    replicates: int = Field(default=1000, ge=FEWEST_REPLICATES, le=100_000)
    """Bootstrap replicates where a law is fitted."""
    models: list[Model] = Field(min_length=1)
    """The models that are asked about."""


def run(run: Run, settings: ComputeOptimalSettings) -> list[Finding]:
    """Findings for each model; one that says why, where there can be none."""
    try:
        return compute_optimal(settings)
    except UserError as error:
        about: dict[str, Scalar] = {"law": settings.coefficients or settings.data or ""}
        return [Finding(analysis="compute_optimal", name="law", subject=about, note=f"no law: {error}")]


def compute_optimal(settings: ComputeOptimalSettings) -> list[Finding]:
    """What the law says of each model. Raises UserError where there is no law to ask."""
    if (settings.coefficients is None) == (settings.data is None):
        raise UserError("it takes `coefficients` or `data`, and one of them", place="compute_optimal")
    asked = _Asked(settings)
    findings = [asked.finding("size_exponent", "", _exponent, {}, f"a of N* proportional to C^a; {asked.source}")]
    for model in settings.models:
        findings += _of_model(asked, model)
    trained = [model for model in settings.models if model.tokens is not None]
    for first, second in pairwise(trained):
        gap = partial(_gap, asked.law, first, second)
        note = f"loss of {first.name} less that of {second.name}: below 0, the first one is better"
        about: dict[str, Scalar] = {"model": f"{first.name} and {second.name}"}
        findings.append(asked.finding("loss_difference", "nats/token", gap, about, note))
    return findings


class _Asked:
    """A law with published coefficients, or with draws of fitted ones."""

    def __init__(self, settings: ComputeOptimalSettings) -> None:
        import numpy as np

        from harness.analysis.scaling.fitting.fit import fit
        from harness.analysis.scaling.fitting.uncertainty import bootstrap
        from harness.analysis.scaling.laws.chinchilla import Chinchilla
        from harness.analysis.scaling.runs import runs_from_frame
        from harness.published_data import data_set, fitted_runs

        self.law = Chinchilla()
        self.draws = None
        if settings.coefficients is not None:
            values, self.source = PUBLISHED[settings.coefficients]
            self.natural = np.array(values)
            self.name: str = settings.coefficients
        else:
            assert settings.data is not None
            self.name = settings.data
            frame = fitted_runs(settings.data).rename(columns={"run": "name"})
            fitted = fit(self.law, runs_from_frame(frame, counted=data_set(settings.data).counted or "unstated"))
            self.draws, self.natural = bootstrap(fitted, settings.replicates), fitted.natural
            problems = "; ".join(fitted.certificate.problems)
            trust = f"NOT TO BE TRUSTED: {problems}" if problems else "certified optimum"
            self.source = f"{len(fitted.runs)} runs of {settings.data}, fitted here ({trust})"

    def finding(self, name: str, unit: str, quantity: Quantity, at: dict[str, Scalar], note: str) -> Finding:
        """A quantity of the law's parameters with its interval, where there are draws."""
        import numpy as np

        from harness.analysis.scaling.fitting.uncertainty import interval

        found: DrawnInterval | None = interval(self.draws, quantity) if self.draws is not None else None
        value = float(np.ravel(quantity(self.natural[None]))[0])
        return Finding(
            analysis="compute_optimal",
            name=name,
            value=value,
            unit=unit,
            low=float(found.low) if found else None,
            high=float(found.high) if found else None,
            interval=found.how if found else "published coefficients have none here",
            subject={"law": self.name, **at},
            note=note,
        )


def _gap(law: Law, first: Model, second: Model, natural: Floats) -> Floats:
    """Loss of one training less that of another, under each draw."""
    import numpy as np

    sizes = np.array([first.parameters, second.parameters])
    losses = law.predict(natural, sizes, np.array([first.tokens, second.tokens], dtype=float))
    return losses[..., 0] - losses[..., 1]


def _exponent(natural: Floats) -> Floats:
    return natural[..., 4] / (natural[..., 3] + natural[..., 4])


def _of_model(asked: _Asked, model: Model) -> list[Finding]:
    import numpy as np

    from harness.analysis.scaling.allocation import optimum

    law, size, at = asked.law, model.parameters, {"model": model.name}

    def tokens(natural: Floats) -> Floats:
        """D* of the budget at which this size is the best: 1/N* ∝ C^-a solved for C."""
        reference = np.array([1e24])
        best, _ = optimum(law, natural, reference)
        compute = reference * (size / best) ** (1 / _exponent(natural)[..., None])
        return (compute / 6 / size)[..., 0]

    best = asked.finding(
        "optimal_tokens", "tokens", tokens, dict(at), f"for which {size:.3g} parameters are the best size"
    )
    findings = [best]
    if model.claimed_tokens is not None and best.value is not None:
        claim = float(model.claimed_tokens)
        note = f"claimed {claim:.4g} tokens, over what the law says"
        findings.append(asked.finding("tokens_claim", "ratio", lambda p: claim / tokens(p), dict(at), note))
    if model.tokens is not None:
        trained = float(model.tokens)
        note = f"tokens that its size asks for, over the {trained:.3g} that it was trained on"
        findings.append(asked.finding("undertraining", "ratio", lambda p: tokens(p) / trained, dict(at), note))
        here = (np.array([size]), np.array([trained]))
        findings.append(
            asked.finding("loss", "nats/token", lambda p: law.predict(p, *here)[..., 0], dict(at), "as the law has it")
        )
    return findings


COMPUTE_OPTIMAL = Analysis(
    name="compute_optimal",
    about="What a published law says: tokens for a size, undertraining, and which of two trainings is better",
    settings=ComputeOptimalSettings,
    run=run,
)
