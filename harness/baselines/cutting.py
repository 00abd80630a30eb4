"""What of a run a baseline keeps: all that comparing, pairing and gating read, in a hundredth of the bytes.

Every record, and of the samples what pairs documents. Lists that no pairing reads (tokens, windows) are taken out, with
a digest of the whole row, which still tells whether a head put out the same to the bit. Of a probe's distributions all
64 tokens are kept where the suite's gate bounds their divergence (`kl_margin`), which is then judged as in the whole
run; elsewhere the likeliest 4 and the mass of all others, of which the divergence that is shown is a lower bound too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.comparison.gate_entry import GateEntry
from harness.evidence.row_digest import DISTRIBUTION, DISTRIBUTION_DIGEST, ROW_DIGEST, distribution_digest, row_digests
from harness.evidence.selection import selects
from harness.measures.registry import declared
from harness.measures.task.samples import columns
from harness.measures.task.samples.frames import has_documents
from harness.results.record import CellResult

if TYPE_CHECKING:
    import pandas as pd

UNREAD_LISTS = "of texts: lists that no comparison reads, such as tokens and windows"
TOP = 4
"""Tokens of a position that are kept of a probe whose divergence nobody bounds."""
UNREAD_OF_TASKS = (columns.ROW, columns.SHOWN_TARGET, columns.THOUGHTS, columns.PROGRAMS)
"""Of tasks what neither pairing nor the reason of a flip looks at."""
READ_LISTS = ("top_ids", "top_log_probs", "rest_log_prob", "prompt", "continuation", "end_ids", "step_s")
"""Lists in other samples that are read when two runs are compared."""
WRITTEN = ("step_s", "continuation")
"""Columns that say how much a model wrote: speeds count only where that is alike."""


def cut(cell: CellResult, samples: pd.DataFrame, gate: Sequence[GateEntry]) -> tuple[pd.DataFrame | None, list[str]]:
    """The samples that a baseline keeps of a cell, None where no comparison reads any; and what was left out, a few
    words each. gate: of the run's suite."""
    if has_documents(samples):
        names = [column.name for column in UNREAD_OF_TASKS if column.name in samples]
        return samples.drop(columns=names), ["of tasks: documents as rows, thoughts, programs"] if names else []
    metrics = [declared(record) for record in cell.records if record.metric]
    if None in metrics or samples.empty:  # of a measure that is not here: nobody knows what is read of it
        return samples, []
    has_evidence = any(metric is not None and metric.sums is not None and metric.sums.over for metric in metrics)
    if not has_evidence and not any(name in samples for name in WRITTEN):
        return None, [f"all samples of {cell.measure}"]
    return _without_lists(samples, is_bounded=_bounds_divergence(gate, cell))


def _without_lists(samples: pd.DataFrame, *, is_bounded: bool) -> tuple[pd.DataFrame, list[str]]:
    told = []
    digests = row_digests(samples)
    is_probe = all(name in samples for name in DISTRIBUTION)
    keep = (*READ_LISTS, *(DISTRIBUTION if is_bounded else ()))
    lists = [str(name) for name in samples if name not in keep and _has_lists(samples[name])]
    kept = samples.drop(columns=lists).assign(**{ROW_DIGEST: digests})
    if lists:
        told.append(UNREAD_LISTS)
    if is_probe and not is_bounded:
        rows = [_fewer(row) for row in samples.to_dict("records")]
        kept = kept.assign(**{name: [row[name] for row in rows] for name in (*_CUT, DISTRIBUTION_DIGEST)})
        told.append(f"of probes without a `kl_margin`: all but the {TOP} likeliest tokens of a position")
    return kept, told


_CUT = DISTRIBUTION[1:]


def _fewer(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Of a probe's row the likeliest tokens, the others put into the mass of the rest."""
    rest = row["rest_log_prob"]
    if not isinstance(rest, np.ndarray) or not len(rest):
        return {name: row[name] for name in _CUT} | {DISTRIBUTION_DIGEST: None}
    ids, log_probs = (np.asarray(row[name]).reshape(len(rest), -1) for name in ("top_ids", "top_log_probs"))
    left = np.logaddexp.reduce(log_probs[:, TOP:], axis=1, initial=-np.inf)
    return {
        "top_ids": ids[:, :TOP].ravel(),
        "top_log_probs": log_probs[:, :TOP].ravel(),
        "rest_log_prob": np.logaddexp(rest, left).astype(rest.dtype),
        DISTRIBUTION_DIGEST: distribution_digest(row),
    }


def _has_lists(column: pd.Series[Any]) -> bool:
    return column.dtype == object and any(isinstance(value, list | np.ndarray) for value in column)


def _bounds_divergence(gate: Sequence[GateEntry], cell: CellResult) -> bool:
    return any(
        entry.kl_margin is not None
        and selects(entry.where, cell)
        and any(entry.metric in (record.metric, record.metric_id) for record in cell.records)
        for entry in gate
    )
