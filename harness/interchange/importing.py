"""Files of other tools -> a run. `harness.import_results` is this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import UserError, WrongArgument, shown
from harness.interchange.content import Benchmark, Content, Format
from harness.interchange.foreign_file import ForeignFile, foreign_file
from harness.interchange.formats import FORMATS
from harness.interchange.names import settings_of
from harness.interchange.run_folder import check_name, write_run
from harness.results.record import Status
from harness.results.run import Run
from harness.spelling import nearest_aside


def import_results(
    *paths: str | Path, format: str | None = None, name: str | None = None, out: str | Path = "results/runs"
) -> Run:
    """Make a run of files that other tools wrote, and return it.

    paths: all of one tool. The same benchmarks in several files are as many launches; a results file of lm-eval takes
    its files of samples beside it. format: which tool's, where its content does not tell. name: of the suite that the
    run counts as, the tool's where it is left out. Raises UserError for what can't be read, with the place in the file;
    then nothing is written.
    """
    if not paths:
        raise WrongArgument("name the files to import", place="paths")
    if name is not None:
        check_name(name)
    files = _different([foreign_file(Path(path)) for path in paths])
    chosen = _named(format) if format is not None else _told_by_content(files)
    try:
        content = _one_run(list(chosen.read(files)))
        return write_run(content, name or chosen.name, Path(out))
    except RecursionError:
        raise UserError("its JSON is nested too deeply", place=files[0].name) from None


def _different(files: list[ForeignFile]) -> list[ForeignFile]:
    """Raise UserError for one file given twice: it would count as two launches."""
    seen: dict[str, str] = {}
    for file in files:
        if (other := seen.setdefault(file.sha256, file.name)) is not file.name:
            raise UserError(f"the same file as {other}: name each once", place=file.name)
    return files


def _named(name: str) -> Format:
    for one in FORMATS:
        if one.name == name:
            return one
    known = [one.name for one in FORMATS]
    raise UserError(
        f"no format '{shown(name)}'{nearest_aside(name, known)}; there are: {', '.join(known)}", place="--as"
    )


def _told_by_content(files: Sequence[ForeignFile]) -> Format:
    """The format of all files. Raises UserError where one is of none, or they are of several."""
    found: dict[str, tuple[Format, str]] = {}
    known = "; ".join(f"{one.name} ({one.about})" for one in FORMATS)
    for file in files:
        if not file.may_be_json:
            raise UserError(f"this is no JSON, and of no tool that is read here. Read are: {known}", place=file.name)
        mine = [one for one in FORMATS if one.is_mine(file)]
        if not mine:
            raise UserError(f"this is of no tool that is read here. Read are: {known}", place=file.name)
        if len(mine) > 1:
            names = " or ".join(one.name for one in mine)
            raise UserError(f"it may be of {names}: say which with --as", place=file.name)
        found.setdefault(mine[0].name, (mine[0], file.name))
    if len(found) > 1:
        (a, of_a), (b, of_b) = list(found.values())[:2]
        raise WrongArgument(
            f"{of_a} is of {a.name} and {of_b} of {b.name}: a run is of one tool, import them one by one", place="paths"
        )
    return next(iter(found.values()))[0]


def _one_run(contents: Sequence[Content]) -> Content:
    """Several files as one run. Raises UserError where they are of two machines or commits, hold nothing, or hold a
    number twice."""
    first = contents[0]
    for other in contents[1:]:
        for what, mine, theirs in (
            ("machines", first.machine, other.machine),
            ("commits", first.git.get("commit"), other.git.get("commit")),
        ):
            if mine != theirs:
                names = " and ".join(one.files[0].name for one in (first, other))
                raise WrongArgument(
                    f"{names} are of two {what} ({_difference(mine, theirs)}): import them one by one", place="paths"
                )
    times = [one.measured for one in contents if one.measured]
    dirty = [one.git["dirty"] for one in contents if one.git.get("dirty") is not None]
    benchmarks = _merged(contents)
    if not benchmarks:
        raise UserError("it holds no benchmark", place=first.files[0].name)
    return replace(
        first,
        files=tuple(file for one in contents for file in one.files),
        beside=tuple({file.sha256: file for one in contents for file in one.beside}.values()),
        benchmarks=benchmarks,
        measured=min(times) if len(times) == len(contents) else None,
        git={**first.git, **({"dirty": any(dirty)} if dirty else {})},
        models={name: facts for one in contents for name, facts in one.models.items()},
        seconds=None if any(one.seconds is None for one in contents) else sum(one.seconds or 0 for one in contents),
    )


def _difference(mine: Any, theirs: Any) -> str:
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
        return "; ".join(f"{name}: {shown(mine.get(name))} and {shown(theirs.get(name))}" for name in names[:3])
    return f"{shown(mine)} and {shown(theirs)}"


def _merged(contents: Sequence[Content]) -> list[Benchmark]:
    """Every benchmark once, with the launches of all files. Raises UserError for two of one name in one file."""
    found: dict[str, Benchmark] = {}
    for content in contents:
        here: dict[str, Benchmark] = {}
        for one in content.benchmarks:
            identity = repr(
                (one.measure, one.model, sorted(one.axes.items()), sorted(settings_of(one.settings).items()))
            )
            if identity in here:
                raise UserError(
                    f"two benchmarks are {shown(_described(one))}, and one number can't be of both: rename one",
                    place=one.place,
                )
            here[identity] = one
        for identity, one in here.items():
            found[identity] = _together(found[identity], one) if identity in found else one
    return list(found.values())


def _described(one: Benchmark) -> str:
    told = ", ".join(f"{name} {value}" for name, value in {**one.axes, **settings_of(one.settings)}.items())
    return f"{one.model} ({told})" if told else one.model


def _together(a: Benchmark, b: Benchmark) -> Benchmark:
    if a.measurements or b.measurements:
        raise UserError(f"two files hold {shown(_described(b))}: import them one by one", place=b.place)
    if b.status is not Status.OK or a.status is not Status.OK:
        bad = b if b.status is not Status.OK else a
        return replace(a, status=bad.status, reason=bad.reason, launches=())
    metrics = tuple(dict.fromkeys([*a.metrics, *b.metrics]))
    notes = tuple(dict.fromkeys([*a.notes, *b.notes]))
    return replace(a, metrics=metrics, launches=(*a.launches, *b.launches), notes=notes)
