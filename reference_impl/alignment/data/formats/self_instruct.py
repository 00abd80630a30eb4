"""Self-instruct (Wang et al. 2023): an `instruction` with `instances`, each with `input` and `output`."""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.alignment.data.excluded import Unusable
from reference_impl.alignment.data.formats.format import Format
from reference_impl.alignment.data.formats.instruction import instructed
from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Demonstration


def _read(row: RawRow) -> Iterator[Demonstration]:
    instances = row.columns["instances"]
    if not isinstance(instances, list | tuple) or not all(isinstance(one, dict) for one in instances):
        raise row.wrong("the column 'instances' must hold a list of objects with input and output")
    if not instances:
        raise Unusable("there is no instance")
    for number, instance in enumerate(instances, start=1):
        part = row.part(f"instance {number}", instance)
        if "output" not in instance:
            raise part.wrong("there is no 'output'")
        prompt = instructed(row.text("instruction"), part.text("input"))
        yield Demonstration(prompt, part.text("output"), f", instance {number}" if len(instances) > 1 else "")


FORMAT = Format(
    name="self-instruct",
    kind=Demonstration,
    columns=("instruction", "instances"),
    read=_read,
    example={"instruction": "Name the color.", "instances": [{"input": "sky", "output": "Blue."}]},
)
