"""A run in Weights & Biases; offline where WANDB_MODE=offline says so, or where nobody is logged in."""

from __future__ import annotations

from harness.interchange.trackers.told import Told

PROJECT = "harness"
"""Where nobody names a project."""


def log_to_wandb(told: Told, project: str) -> str:
    """Numbers as the run's summary, settings as its config, curves over their steps, files as one artifact. project:
    `PROJECT` or `ENTITY/PROJECT`."""
    import os

    import wandb

    entity, _, name = project.rpartition("/")
    is_told = any(os.environ.get(key) for key in ("WANDB_MODE", "WANDB_API_KEY"))
    is_told = is_told or wandb.login(prompt=False, verify=False)
    run = wandb.init(
        project=name or PROJECT,
        entity=entity or None,
        name=told.name,
        notes=told.about or None,
        config=dict(told.settings),
        mode=None if is_told else "offline",  # it would ask for a key, in the middle of a job
        settings=wandb.Settings(silent=True, console="off", disable_git=True, x_disable_stats=True),
    )
    failed, where = True, str(run.dir).removesuffix("/files") if run.offline else str(run.url)
    try:
        for curve in told.curves:
            step = f"{curve.name}/step"
            run.define_metric(step, hidden=True)
            run.define_metric(curve.name, step_metric=step)
            for at, value in curve.points:
                run.log({curve.name: value, step: at})
        run.summary.update(told.flat())
        artifact = wandb.Artifact(f"harness-{run.id}", type="harness-run", description=told.about or None)
        for path in told.files:
            artifact.add_file(str(path), name=path.name)
        run.log_artifact(artifact)
        failed = False
    finally:
        run.finish(exit_code=int(failed))
    return where
