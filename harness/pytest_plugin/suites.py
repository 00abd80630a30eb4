"""The suites of a session: they join what pytest collects, and what they ran is told at the end.

Registered only where a suite was given, so that nobody else pays for it. A file that was not given is never collected,
whatever it is called.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.pytest_plugin.options import Settings
from harness.pytest_plugin.suite_file import RUN, SuiteFile
from harness.results.run_folder import HTML
from harness.spelling import nearest
from harness.suite.shipped import shipped_suites

SHARED = "harness_shared"
"""What a worker of xdist is told: the folder that all of them have."""


class Suites:
    """Hooks of pytest for a session with suites."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        """Raises pytest.UsageError for a suite that is no file."""
        self._config, self._settings = config, settings
        self._made_here: Path | None = None
        self._paths = [Path(name) for name in settings.suites if Path(name).is_file()]
        self._joining: list[Path] = []
        if settings.given or getattr(config.args_source, "name", "") != "ARGS":
            for name in settings.suites:
                _check(name)
            named = list(self._named_already())
            self._joining = [path for path in self._paths if path not in named]

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> SuiteFile | None:
        """A suite that is named among pytest's own arguments, or lies in a folder that is."""
        met = file_path in self._paths and file_path not in self._joining
        return self._suite(file_path, parent) if met else None

    @pytest.hookimpl(hookwrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, None]:
        """Suites join the session as it is: as arguments they would take the place of others (pytest 8 collects nothing
        of a folder beside a file in it)."""
        done = yield
        if isinstance(collector, pytest.Session):
            report: pytest.CollectReport = done.get_result()
            report.result = [*report.result, *(self._suite(path, collector) for path in self._joining)]

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give all workers of xdist one folder."""
        if self._made_here is None:
            self._made_here = Path(tempfile.mkdtemp(prefix="harness-pytest-"))
        node.workerinput[SHARED] = str(self._made_here)

    def pytest_unconfigure(self) -> None:
        """Remove that."""
        if self._made_here is not None:
            shutil.rmtree(self._made_here, ignore_errors=True)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Where the runs lie."""
        for folder in dict.fromkeys(self._folders(terminalreporter)):
            report = Path(folder) / HTML
            terminalreporter.write_line(f"harness: {report if report.is_file() else folder}")

    def _folders(self, terminalreporter: pytest.TerminalReporter) -> Iterator[str]:
        for outcome in ("passed", "failed", "skipped"):
            for report in terminalreporter.stats.get(outcome, ()):
                yield from (str(value) for name, value in getattr(report, "user_properties", ()) if name == RUN)

    def _suite(self, path: Path, parent: pytest.Collector) -> SuiteFile:
        shared = getattr(self._config, "workerinput", {}).get(SHARED)
        return SuiteFile.given(parent, path, self._settings, None if shared is None else Path(shared), self._tell)

    def _tell(self, line: str) -> None:
        """A line of progress, past what captures the test's output; only where somebody asked to see more."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        if reporter is None or (reporter.verbosity < 1 and self._config.getoption("capture") != "no"):
            return
        if capture is None:
            reporter.write_line(line)
            return
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)

    def _named_already(self) -> Iterator[Path]:
        """What the session's arguments name: a suite that is named, or a part of it, is not added as a whole."""
        for argument in self._config.args:
            path = argument.partition("[")[0].split("::")[0]
            yield Path(os.path.abspath(self._config.invocation_params.dir / path))  # noqa: PTH100


def _check(name: str) -> None:
    """Raises pytest.UsageError for what is no file."""
    path, ships = Path(name), shipped_suites()
    if path.is_file():
        return
    plain = name.removeprefix("suites/").removesuffix(".yaml")
    if path.is_dir():
        why = "this is a folder; name a suite file in it"
    elif plain in ships:
        why = f"no such file, and a suite that ships has to be copied: cp {ships[plain]} ."
    else:
        why = f"no such suite file{nearest(path.name, [file.name for file in path.parent.glob('*.y*ml')])}"
    raise pytest.UsageError(f"--harness-suite: {name[:200]}: {why}")
