"""A run in MLflow: a tracking server's, a database's or a folder's."""

from __future__ import annotations

import time
from pathlib import Path

from harness.interchange.trackers.told import Told

EXPERIMENT = "harness"
"""Where MLFLOW_EXPERIMENT_NAME names none."""
ENDS = "."
"""Between a metric and `low`: where metrics are files, one can't be a folder, too."""
_AT_ONCE = 1000
"""Numbers that a server takes in one request; of settings 100."""
_LONGEST = 6000
"""Characters of a setting."""


def why_no_mlflow(place: str) -> str | None:
    """Why nothing can be told to MLflow; None where it can be tried."""
    import os

    if place or os.environ.get("MLFLOW_TRACKING_URI"):
        return None
    return "where? name a folder or a server, such as mlflow:http://localhost:5000, or set MLFLOW_TRACKING_URI"


def _is_address(place: str) -> bool:
    return "://" in place or place in ("databricks", "databricks-uc")


def mlflow_folder(place: str) -> Path | None:
    """The folder that a place names; None where it is an address, or names none."""
    return Path(place) if place and not _is_address(place) else None


def log_to_mlflow(told: Told, place: str) -> str:
    """Numbers and curves as metrics, settings as parameters, files as artifacts.

    place: a folder, or the address of a server or a database (`http://…`, `sqlite:///…`, which needs the whole package
    mlflow); empty: what MLFLOW_TRACKING_URI says.
    """
    import os

    import mlflow
    from mlflow.entities import Metric, Param

    uri = place or None
    if (folder := mlflow_folder(place)) is not None:
        uri = folder.resolve().as_uri()
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # who names a folder wants one
    client = mlflow.MlflowClient(tracking_uri=uri)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    there = client.get_experiment_by_name(name)
    experiment = client.create_experiment(name) if there is None else there.experiment_id
    run = client.create_run(experiment, run_name=told.name, tags={"mlflow.note.content": told.about})
    at, ended = int(time.time() * 1000), "FAILED"
    try:
        numbers = [Metric(name, value, at, 0) for name, value in told.flat(ENDS).items()]
        numbers += [Metric(curve.name, value, at, step) for curve in told.curves for step, value in curve.points]
        for start in range(0, len(numbers), _AT_ONCE):
            client.log_batch(run.info.run_id, metrics=numbers[start : start + _AT_ONCE])
        settings = [Param(name, value[:_LONGEST]) for name, value in told.settings.items()]
        for start in range(0, len(settings), 100):
            client.log_batch(run.info.run_id, params=settings[start : start + 100])
        for path in told.files:
            client.log_artifact(run.info.run_id, str(path))
        ended = "FINISHED"
    finally:
        client.set_terminated(run.info.run_id, ended)
    return f"run {run.info.run_id} of the experiment {name}, {uri or mlflow.get_tracking_uri()}"
