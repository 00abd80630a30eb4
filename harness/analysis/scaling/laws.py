"""Every scaling law by name. A new one is one file and one line here."""

from harness.analysis.scaling.chinchilla import Chinchilla
from harness.analysis.scaling.law import Law

LAWS: dict[str, Law] = {law.name: law for law in (Chinchilla(),)}
