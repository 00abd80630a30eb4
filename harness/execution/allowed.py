"""What the user of a run allows beyond what its suite says: a suite is a file that anybody may have written."""

from __future__ import annotations

from dataclasses import dataclass

from harness.suite.schema import Suite
from harness.tasks.files.library import TaskLibrary


@dataclass(frozen=True)
class Allowed:
    """Code that may run, and folders where tasks are looked for. Nothing of it can be turned on in a suite."""

    trust_remote_code: bool = False
    """Python code that comes with a hub model."""
    task_code: bool = False
    """Functions of task files that score, aggregate or fetch (those that only read documents need no permission)."""
    code_execution: bool = False
    """Programs that a model wrote, for pass@k."""
    task_paths: tuple[str, ...] = ()
    """Folders of task files beside those that the suite names."""

    def library(self, suite: Suite) -> TaskLibrary:
        """Where the tasks of a suite are found."""
        return TaskLibrary(
            paths=(*suite.tasks.paths, *self.task_paths),
            data=suite.tasks.data,
            allow_task_code=self.task_code,
            allow_code_execution=self.code_execution,
        )


NOTHING_MORE = Allowed()
"""Suites that ship need no permission."""
