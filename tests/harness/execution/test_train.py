"""Models trained side by side: as many as there is room for, each alone in its failure, none outliving its parent."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import harness
from harness.execution import prepared
from harness.execution.events import CellStarted, Event, Preparing
from harness.execution.prepare import prepare_trainings
from harness.execution.serve import pin_threads
from harness.execution.train import shares, train_side_by_side
from harness.execution.worker import preload
from harness.models.contract import ModelSource
from harness.models.resolved import Resolved
from harness.models.training import Training
from harness.models.training_evidence import is_trained
from harness.results.fingerprint import fingerprint
from harness.results.record import Status


@pytest.fixture(autouse=True, scope="module")
def libraries_are_imported_once() -> None:
    preload(["harness.execution.serve", "harness.models.reference", "torch._dynamo"])


def model(name: str, folder: Path, corpus: Path, **recipe: Any) -> Resolved:
    training = Training("nano", str(corpus), 300, 32, 0, shape={"layers": 1, "width": 8, "heads": 1}, recipe=recipe)
    return Resolved(ModelSource(name, "reference", str(folder / name), name), training=training, title=name)


def test_all_are_trained_the_longest_first_and_a_failing_one_costs_only_itself(tmp_path: Path, story: Path) -> None:
    models = [
        model("short", tmp_path, story, steps=2),
        model("wild", tmp_path, story, steps=20, learning_rate=1e5, gradient_clip=1e9, warmup=0.0),
        model("long", tmp_path, story, steps=30),
    ]
    events: list[Preparing] = []
    reasons = train_side_by_side(models, 1, 2, tmp_path / "log", events.append)  # type: ignore[arg-type]
    assert reasons["short"] is None and reasons["long"] is None
    assert reasons["wild"] is not None and "the training of wild failed: the gradient was not finite" in reasons["wild"]
    assert [is_trained(tmp_path / name) for name in ("short", "long", "wild")] == [True, True, False]
    begun = list(dict.fromkeys(event.what.partition(":")[0] for event in events))
    assert set(begun[:2]) == {"long", "wild"} and begun[2] == "short"
    assert {event.what.partition(":")[0] for event in events if event.done == 1} == {"short", "long", "wild"}
    both = [event.what.partition(":")[0] for event in events]
    assert both.index("wild") < len(both) - 1 - both[::-1].index("long") and both.index("long") < both.index("short")


def test_a_worker_that_is_killed_costs_its_training_alone(tmp_path: Path, story: Path) -> None:
    models = [model("victim", tmp_path, story, steps=100_000), model("other", tmp_path, story, steps=5)]
    killed: list[int] = []
    before = workers()  # those of other tests that have not ended yet

    def on_event(event: Event) -> None:
        assert isinstance(event, Preparing)
        if event.what.startswith("other") and event.done == 1 and not killed:
            mine = [process for process in workers() if process not in before]
            victim = min(mine, key=lambda process: process.create_time())  # the longest training began first
            killed.append(victim.pid)
            victim.kill()

    reasons = train_side_by_side(models, 1, 2, tmp_path / "log", on_event)
    assert reasons["other"] is None
    assert reasons["victim"] is not None and "SIGKILL" in reasons["victim"]
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_interrupts_it_ends_every_worker(tmp_path: Path, story: Path, error: type[BaseException]) -> None:
    models = [model(name, tmp_path, story, steps=100_000) for name in ("a", "b")]
    heard: set[str] = set()

    def on_event(event: Event) -> None:
        assert isinstance(event, Preparing)
        heard.add(event.what)
        if len(heard) == 2:
            raise error

    began = time.monotonic()
    with pytest.raises(error):
        train_side_by_side(models, 1, 2, tmp_path / "log", on_event)
    assert workers() == []
    assert time.monotonic() - began < 300, "long before a training ends"
    assert not list(tmp_path.glob("a")) + list(tmp_path.glob("b"))


SCRIPT = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from harness.models.resolved import Resolved
    from harness.execution.train import shares, train_side_by_side
    from harness.models.contract import ModelSource
    from harness.models.training import Training

    folder, corpus = Path(sys.argv[1]), sys.argv[2]
    training = Training("nano", corpus, 300, 32, 0, recipe={"steps": 100_000})
    models = [
        Resolved(ModelSource(name, "reference", str(folder / name), name), training=training, title=name)
        for name in ("a", "b")
    ]
    train_side_by_side(models, 1, 2, folder / "log", lambda event: print(event.what, flush=True))
    """
)


def test_workers_die_with_a_parent_that_is_killed(tmp_path: Path, story: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), str(tmp_path), str(story)], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert parent.stdout is not None
    heard: set[str] = set()
    while len(heard) < 2:
        heard.add(parent.stdout.readline())
    children = psutil.Process(parent.pid).children(recursive=True)
    assert len(children) >= 2
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=120)
    assert alive == []


def workers() -> list[psutil.Process]:
    """The worker processes of this process: children of its fork server."""
    alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    servers = [child for child in alive if "multiprocessing.forkserver" in " ".join(child.cmdline())]
    found = [worker for server in servers for worker in server.children()]
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads are pinned on Linux alone")
@pytest.mark.parametrize(
    ("steps", "threads", "room", "expected"),
    [
        ([5, 6, 7], 2, 2, (1, 2)),
        ([5, 6, 7], 1, 2, (1, 2)),
        ([5], 2, 2, (2, 1)),
        ([5, 5], 8, 8, (4, 2)),
        ([5, 5], 2, 8, (2, 4)),
        ([5, 5, 5], 8, 8, (2, 4)),
        ([5, 100], 8, 8, (8, 1)),  # one is nearly all of the work
        ([5, 5], 4, 1, (2, 2)),  # a suite's threads go before OMP_NUM_THREADS
        ([5, 5], 1, 1, (1, 1)),
    ],
)
def test_models_share_the_threads(
    tmp_path: Path, story: Path, steps: list[int], threads: int, room: int, expected: tuple[int, int]
) -> None:
    models = [model(str(number), tmp_path, story, steps=count) for number, count in enumerate(steps)]
    assert shares(models, threads, room) == expected


def test_lanes_have_cores_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[int]] = []
    fingerprint()  # of the machine as it is: it is remembered, and later tests would be planned for one of five cores
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 4, 6, 7, 9})
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cores: given.append(cores))
    monkeypatch.setattr("torch.set_num_threads", lambda threads: None)
    for lane in (0, 1, 2):
        pin_threads(2, lane)
    pin_threads(2, None)  # without a lane the system chooses the cores
    assert given == [[3, 4], [6, 7], [3, 4]]


GRID = """
name: grid
models:
  a: {{reference: nano, shape: {{width: 8, heads: 1}}, train: {{corpus: {story}, vocabulary: 300, context: 32}}}}
  b: {{reference: nano, shape: {{width: 16}}, train: {{corpus: {story}, vocabulary: 300, context: 32}}}}
matrix: {{compute: [1e8, 2e8], device: cpu, threads: 1}}
measures:
  - training: {{}}
"""


def test_a_grid_of_sizes_and_budgets(tmp_path: Path, story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "default_threads", lambda: 2)
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.format(story=story))
    plan = harness.plan(str(path))
    assert plan.loc[plan["measure"] == "train", "compute"].tolist() == [1e8, 2e8, 1e8, 2e8]
    events: list[Event] = []
    run = harness.run(str(path), out=tmp_path / "runs", on_event=events.append)
    first = next(number for number, event in enumerate(events) if isinstance(event, CellStarted))
    trained = [event.what for event in events[:first] if isinstance(event, Preparing) and event.done == 1]
    assert sum("train nano" in what for what in trained) == 4
    frame = run.records.pivot_table(index=["model", "compute", "parameters"], columns="metric", values="value")
    assert len(frame) == 4
    rows = frame.reset_index()
    assert (rows["six_nd_flops"] == 6 * rows["parameters"] * rows["trained_tokens"]).all()
    assert ((rows["six_nd_flops"] - rows["compute"]).abs() <= 6 * rows["parameters"] * 4 * 32 / 2).all()
    assert (rows["epochs"] > 0).all()
    assert set(run.manifest.models) == {f"{name} compute={c}" for name in "ab" for c in ("1e8", "2e8")}
    again = harness.run(str(path), out=tmp_path / "runs")
    assert {cell.source for cell in again.cells} == {"cache"}


def test_a_training_that_is_timed_is_done_alone(tmp_path: Path, story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "default_threads", lambda: 2)
    together: list[int] = []
    real = prepare_trainings

    def counted(models: Any, threads: int, at_once: int, *rest: Any, **named: Any) -> dict[str, str | None]:
        together.append(len(models))
        return real(models, threads, at_once, *rest, **named)

    monkeypatch.setattr(prepared, "prepare_trainings", counted)
    path = tmp_path / "timed.yaml"
    seeds = GRID.format(story=story).replace("device: cpu", "seed: 7, device: cpu")
    path.write_text(seeds + "  - training_speed: {}\n    models: [b]\n")
    run = harness.run(str(path), out=tmp_path / "runs")
    assert {cell.status for cell in run.cells} == {Status.OK}
    assert together == [2]  # a's; b's were trained when their cells were due


def test_what_goes_on_from_a_training_that_is_timed_trains_it_beside_no_other(
    tmp_path: Path, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "default_threads", lambda: 2)
    together: list[str] = []
    real = prepare_trainings

    def counted(models: Any, threads: int, at_once: int, *rest: Any, **named: Any) -> dict[str, str | None]:
        together.extend(model.source.name for model in models)
        return real(models, threads, at_once, *rest, **named)

    monkeypatch.setattr(prepared, "prepare_trainings", counted)
    stage = f"{{corpus: {story}, steps: 4, batch: 2, context: 32, vocabulary: 300, seed: 3}}"
    path = tmp_path / "timed.yaml"
    path.write_text(
        "name: timed\nabout: A training that another goes on from.\nmodels:\n"
        f"  a: {{reference: nano, train: {stage.replace('seed: 3', 'seed: 4')}}}\n"
        f"  b: {{reference: nano, train: {stage}}}\n"
        f"  c: {{reference: nano, train: [{stage}, {{corpus: {story}, steps: 2, batch: 2}}]}}\n"
        "matrix: {device: cpu, threads: 1}\nmeasures:\n"
        f"  - perplexity: {{text: {story}, documents: 2}}\n    models: [a, c]\n"
        "  - training_speed: {}\n    models: [b]\n"
    )
    run = harness.run(str(path), out=tmp_path / "runs")
    assert {cell.status for cell in run.cells} == {Status.OK}, [cell.reason for cell in run.cells]
    assert together == ["a"]
