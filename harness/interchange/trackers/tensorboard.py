"""A run as an event file that TensorBoard shows. Neither torch nor TensorFlow is needed to write one."""

from __future__ import annotations

import time
from pathlib import Path

from harness.errors import UserError
from harness.interchange.trackers.told import Told

FOLDER = "results/tensorboard"
"""Where nobody names a folder."""


def tensorboard_folder(place: str) -> Path:
    """Where event files of runs go."""
    return Path(place or FOLDER)


def log_to_tensorboard(told: Told, place: str) -> str:
    """Numbers as scalars at step 0, curves as scalars over their steps, settings and the report as texts, in a folder
    with the run's name. place: the folder that `tensorboard --logdir` shows."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.plugins.text.metadata import create_summary_metadata
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    folder = tensorboard_folder(place) / told.name
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name another folder", place="tensorboard")
    writer = EventFileWriter(str(folder))
    now = time.time()

    def add(step: int, *values: Summary.Value) -> None:
        writer.add_event(Event(wall_time=now, step=step, summary=Summary(value=values)))

    def text(tag: str, words: str) -> Summary.Value:
        tensor = TensorProto(dtype="DT_STRING", string_val=[words.encode()])
        metadata = create_summary_metadata(display_name=tag, description="")
        return Summary.Value(tag=tag, tensor=tensor, metadata=metadata)

    try:
        for name, value in told.flat().items():
            add(0, Summary.Value(tag=name, simple_value=value))
        for curve in told.curves:
            for step, value in curve.points:
                add(step, Summary.Value(tag=curve.name, simple_value=value))
        rows = "\n".join(f"| {name} | {value.replace('|', chr(92) + '|')} |" for name, value in told.settings.items())
        add(0, text("settings", f"| setting | value |\n|---|---|\n{rows}"))
        add(0, text("report", told.report))
    finally:
        writer.close()
    return str(folder)
