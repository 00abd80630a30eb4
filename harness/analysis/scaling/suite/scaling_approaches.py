"""The three approaches of Hoffmann et al. side by side on the models that the suite trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from harness.analysis.analysis import Analysis
from harness.analysis.scaling.suite.scaling_fit import RunsSettings, runs_of
from harness.analysis.scaling.suite.settings import FEWEST_REPLICATES
from harness.errors import UserError
from harness.limits import Positive
from harness.results.finding import Finding
from harness.results.record import Scalar
from harness.results.run import Run

if TYPE_CHECKING:
    from harness.analysis.scaling.runs import Runs

ANALYSIS = "scaling_approaches"


class ScalingApproachesSettings(RunsSettings):
    """Which runs, and at which budgets the approaches are compared."""

    compute: list[Positive] = Field(default=[])
    """Budgets in FLOPs; left out, the highest one and ten times it."""
    replicates: int = Field(default=1000, ge=FEWEST_REPLICATES, le=100_000)
    """Bootstrap replicates of each approach."""


def run(run: Run, settings: ScalingApproachesSettings) -> list[Finding]:
    """A finding per approach, budget and quantity; one that says why, where there can be none."""
    about: dict[str, Scalar] = {"of": settings.of}
    try:
        return approaches(runs_of(run, settings), settings.compute, settings.replicates, about)
    except UserError as error:
        return [Finding(analysis=ANALYSIS, name="agreement", subject=about, note=f"nothing was compared: {error}")]


def approaches(runs: Runs, compute: list[float], replicates: int, about: dict[str, Scalar]) -> list[Finding]:
    """Approaches 1, 2 and 3 as findings, first the sentence on whether they agree. Raises UserError where none can."""
    from harness.analysis.scaling.approaches.agreement import agreement
    from harness.analysis.scaling.findings import ahead

    highest = float(runs.compute.max())
    found = agreement(runs, compute or [float(f"{highest:.1e}"), ahead(highest)], replicates=replicates)
    notes = [found.sentence, *(f"approach {name} was left out: {why}" for name, why in found.left_out.items())]
    findings = [Finding(analysis=ANALYSIS, name="agreement", subject=about, note="; ".join(notes), n=len(runs))]
    for row in found.table.to_dict("records"):
        warned = "; ".join(found.warnings.get(str(row["approach"]), ()))
        for name, unit in (("a", ""), ("parameters", "parameters"), ("tokens", "tokens"), ("tokens_per_parameter", "")):
            findings.append(
                Finding(
                    analysis=ANALYSIS,
                    name=name,
                    value=float(row[name]),
                    unit=unit,
                    low=float(row[f"{name}_low"]),
                    high=float(row[f"{name}_high"]),
                    interval=str(row["how"]),
                    note=f"WARNING: {warned}" if warned and name == "a" else "",
                    subject={**about, "approach": str(row["approach"]), "compute": float(row["compute"])},
                    n=len(runs),
                )
            )
    return findings


SCALING_APPROACHES = Analysis(
    name=ANALYSIS,
    about="Envelope, isoFLOP parabolas and the parametric law on the same runs: do they agree on the best size",
    settings=ScalingApproachesSettings,
    run=run,
)
