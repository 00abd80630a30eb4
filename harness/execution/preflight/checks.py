"""Everything that is looked at before a plan is shown or a run begins: a new check is one file and one line here."""

from __future__ import annotations

from harness.execution.preflight.chat import check_chat
from harness.execution.preflight.check import Check
from harness.execution.preflight.context import check_context
from harness.execution.preflight.disk import disk
from harness.execution.preflight.memory import memory
from harness.execution.preflight.model_files import check_model_files
from harness.execution.preflight.packages import check_packages
from harness.execution.preflight.tasks import check_tasks
from harness.execution.preflight.texts import check_texts
from harness.execution.preflight.warning import Warn

CHECKS: tuple[Check, ...] = (check_packages, check_model_files, check_texts, check_tasks, check_chat, check_context)
"""What makes cells impossible. Names, folders, devices and settings are looked at while the plan is made."""
WARNINGS: tuple[Warn, ...] = (memory, disk)
"""What may end cells, by an estimate."""
