"""Every scaling law by name. A new one is one file and one line here."""

from collections.abc import Callable

from harness.analysis.scaling.laws.broken import Broken
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.laws.downstream import ExponentialError, SigmoidError
from harness.analysis.scaling.laws.kaplan import Kaplan
from harness.analysis.scaling.laws.law import Law
from harness.analysis.scaling.laws.over_training import OverTraining
from harness.analysis.scaling.laws.power_law import PowerLaw, PowerLawWithFloor
from harness.analysis.scaling.laws.repeated_data import RepeatedData

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Chinchilla(),
        Kaplan(),
        PowerLaw(),
        PowerLawWithFloor(),
        Broken(),
        OverTraining(),
        RepeatedData(),
        ExponentialError(),
        SigmoidError(),
    )
}

OF_ONE_QUANTITY: dict[str, Callable[[str], Law]] = {
    PowerLaw.name: PowerLaw,
    PowerLawWithFloor.name: PowerLawWithFloor,
    Broken.name: Broken,
}


def law_named(name: str, over: str = "compute") -> Law:
    """A law by name, over that quantity where it is one of a single quantity."""
    return OF_ONE_QUANTITY[name](over) if name in OF_ONE_QUANTITY else LAWS[name]
