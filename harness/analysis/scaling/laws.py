"""Every scaling law by name. A new one is one file and one line here."""

from harness.analysis.scaling.broken import Broken
from harness.analysis.scaling.chinchilla import Chinchilla
from harness.analysis.scaling.downstream import ExponentialError, SigmoidError
from harness.analysis.scaling.kaplan import Kaplan
from harness.analysis.scaling.law import Law
from harness.analysis.scaling.over_training import OverTraining
from harness.analysis.scaling.power_law import PowerLaw, PowerLawWithFloor
from harness.analysis.scaling.repeated_data import RepeatedData

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
