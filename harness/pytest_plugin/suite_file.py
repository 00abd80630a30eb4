"""A suite as pytest collects it: a file with an item for each expectation, and for each entry of its gate where there
is a baseline. Collecting loads and checks it; the first item that runs has it run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.comparison.expectation import Expectation
from harness.errors import UserError, inert, printable, unexpected
from harness.pytest_plugin.options import Settings
from harness.pytest_plugin.said import Said, end, fail
from harness.pytest_plugin.suite_run import SuiteRun, Tell, as_seen
from harness.results.record import Status
from harness.results.run import Run
from harness.suite.document import read_suite_file
from harness.suite.include import with_includes
from harness.suite.load import load_suite
from harness.suite.schema import Suite
from harness.yaml_files.document import Document

if TYPE_CHECKING:
    from harness.pytest_plugin.gated import Gate

RUN = "harness_run"
"""The property of a test that names the run folder."""


class SuiteFile(pytest.File):
    """A suite that was given."""

    settings: Settings
    shared: Path | None
    tell: Tell

    @classmethod
    def given(cls, parent: Any, path: Path, settings: Settings, shared: Path | None, tell: Tell) -> SuiteFile:
        """The suite at this path. shared, tell: see `SuiteRun`."""
        made: SuiteFile = cls.from_parent(parent, path=path)
        made.settings, made.shared, made.tell = settings, shared, tell
        made.add_marker("harness")
        return made

    @property
    def named(self) -> str:
        """The suite as a person would write it."""
        return str(as_seen(self.path))

    def collect(self) -> Iterator[pytest.Item]:
        """An item for each expectation and gate. Raises CollectError with what is wrong with the suite."""
        try:
            yield from list(self._items())
        except UserError as error:
            raise self.CollectError(inert(printable(str(error)))) from None
        except Exception as error:
            why = unexpected("loading the suite", error, "see it with `harness plan`")
            raise self.CollectError(f"{self.named}: {why}") from error

    @cached_property
    def run_of_session(self) -> SuiteRun:
        """Its run, which is made when it is asked for."""
        fresh = self.settings.fresh or self.baseline is not None  # what comes from the cache proves nothing of the code
        return SuiteRun(self.named, self.settings, fresh=fresh, shared=self.shared, tell=self.tell)

    @cached_property
    def baseline(self) -> Run | None:
        """What it is gated against, found once: `latest` is the last run before this one. Raises UserError."""
        suite = self.suite.name
        if not self.settings.baselines:
            return None
        from harness.pytest_plugin.gated import baseline_of

        out, root = as_seen(self.settings.out), as_seen(self.settings.root)
        found = [baseline_of(name, out, self.named, root) for name in self.settings.baselines]
        if len(self.settings.suites) == 1 and len(found) == 1:
            return found[0]
        mine = [run for run in found if run.manifest.suite == suite]
        names = [suite, *(name for path in self.settings.suites if (name := _name_of(Path(path))) is not None)]
        for run in found:
            if run.manifest.suite not in names:
                of = f"the run '{run.name}' is of the suite '{run.manifest.suite}', and none of that name is given"
                raise UserError(of, place="--harness-baseline")
        if len(mine) > 1:
            told = ", ".join(run.name for run in mine)
            raise UserError(f"several baselines are runs of the suite '{suite}': {told}", place="--harness-baseline")
        return mine[0] if mine else None

    @cached_property
    def suite(self) -> Suite:
        """What it says. Raises UserError for every mistake in it."""
        return load_suite(self.named).suite

    @cached_property
    def gate(self) -> Gate:
        """The run of this session, judged. Raises UserError."""
        from harness.pytest_plugin.gated import judged

        assert self.baseline is not None
        return judged(self.baseline, self.run_of_session.get(), self.suite.gate, self.settings.root)

    def _items(self) -> Iterator[pytest.Item]:
        suite, gated = self.suite, self.baseline is not None
        document = with_includes(read_suite_file(self.path), (self.path.resolve(),))
        alike: dict[str, list[tuple[int, Expectation]]] = {}
        for place, expectation in enumerate(suite.expect):
            alike.setdefault(expectation.sentence, []).append((place, expectation))
        for sentence, several in alike.items():
            where = _place(document, ("expect", several[0][0]), self.path)
            yield SuiteItem.saying(self, f"expect[{_word(sentence)}]", where, _expected([one for _, one in several]))
        if gated:
            from harness.pytest_plugin.gated import AS_CHOSEN, NOTHING_ELSE

            entries = [(place, entry.sentence) for place, entry in enumerate(suite.gate)] or [(0, AS_CHOSEN)]
            for place, sentence in (*_told_apart(entries), (-1, NOTHING_ELSE)):
                where = _place(document, ("gate", place), self.path)
                yield SuiteItem.saying(self, f"gate[{_word(sentence)}]", where, _gated(place, sentence))
        elif not suite.expect:
            more = ", and its `gate:` needs a baseline (--harness-baseline)" if suite.gate else ""
            raise UserError(f"this suite has no `expect:`, so there is nothing to test{more}", place=self.named)


Says = Callable[[SuiteFile], Said]


class SuiteItem(pytest.Item):
    """An expectation, or an entry of the gate."""

    says: Says
    place: tuple[Path, int]

    @classmethod
    def saying(cls, parent: SuiteFile, name: str, place: tuple[Path, int], says: Says) -> SuiteItem:
        """An item of this name. place: its file and line. says: what the suite's run says of it."""
        # as text: pytest reads what is in brackets apart, as it does in the ids that its cache keeps
        made: SuiteItem = cls.from_parent(parent, name=name, nodeid=f"{parent.nodeid}::{name}")
        made.place, made.says = place, says
        return made

    def runtest(self) -> None:
        """Have the suite run, if it was not yet, and end as the run says."""
        suite = self.parent
        assert isinstance(suite, SuiteFile)
        try:
            run = suite.run_of_session.get()
            self.user_properties.append((RUN, str(as_seen(run.folder))))
            said = self.says(suite)
            unasked = list(_unasked(run))
        except UserError as error:
            fail(str(error))
        self.user_properties += said.properties
        for sentence in unasked:
            self.warn(pytest.PytestWarning(sentence))
        end(said, suite.settings.on_inconclusive)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The file, its line (from 0) and the name."""
        return (*self.place, self.name)


def _expected(expectations: list[Expectation]) -> Says:
    def says(suite: SuiteFile) -> Said:
        from harness.pytest_plugin.expected import said_of

        return said_of(expectations, suite.run_of_session.get())

    return says


def _gated(place: int, sentence: str) -> Says:
    return lambda suite: suite.gate.said_of(place, sentence)


def _unasked(run: Run) -> Iterator[str]:
    """What went wrong in a run, whether or not a test is about it: a sentence each."""
    for cell in run.cells:
        if not cell.whole and cell.status is not Status.SKIPPED:
            title = " ".join(map(str, (cell.model, *cell.axes.values(), cell.measure)))
            yield f"{title}: {cell.status.value}: {cell.reason or '; '.join(str(one.reason) for one in cell.missing)}"
    yield from (f"the analysis {one.analysis} failed: {one.note}" for one in run.findings if one.failed)
    yield from (*run.manifest.problems, *run.damage)


def _name_of(path: Path) -> str | None:
    """What a suite calls itself; None of one that can't be read, which is told of where it is collected."""
    try:
        return load_suite(str(as_seen(path))).suite.name
    except UserError:
        return None


def _told_apart(entries: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Entries with their sentences, a number behind each that stood before."""
    seen: dict[str, int] = {}
    for place, sentence in entries:
        seen[sentence] = seen.get(sentence, 0) + 1
        yield place, sentence if seen[sentence] == 1 else f"{sentence} #{seen[sentence]}"


def _word(sentence: str) -> str:
    """A sentence as a node id has it: one line, and nothing that pytest would take it apart at."""
    return re.sub(r":{2,}", ":", " ".join(inert(printable(sentence)).split()))


def _place(document: Document, path: tuple[str | int, ...], file: Path) -> tuple[Path, int]:
    """File and line (from 0) of a part of the suite, which may be in a file that it includes."""
    name, _, line = document.place(path).rpartition(":")
    return (Path(name).absolute(), int(line) - 1) if name and line.isdigit() else (file, 0)
