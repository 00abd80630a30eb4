"""Numbers that others published, as data frames: training runs with their losses, scores by size, step and prompting.

`frame("epoch_chinchilla")` gives a set's table; `training_runs` and `fitted_runs` its runs in the columns that laws are
fitted to. `data_set.py` says what a set is, `table.py` lists those that there are, `frame.py` finds, checks and reads
them. Nothing of them travels with the harness: they lie under HARNESS_DATA, or `harness data get NAME` brings them.
"""

from harness.published_data.data_set import Column, Counted, DataSet, Mend, Role, Rows
from harness.published_data.frame import Where, fitted_runs, frame, training_runs, where
from harness.published_data.table import DATA_SETS, data_set

__all__ = [
    "DATA_SETS",
    "Column",
    "Counted",
    "DataSet",
    "Mend",
    "Role",
    "Rows",
    "Where",
    "data_set",
    "fitted_runs",
    "frame",
    "training_runs",
    "where",
]
