"""What may be said of suites and fixtures, on pytest's command line or in its ini file. Imports the standard library
alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

if TYPE_CHECKING:
    import pytest

    from harness.execution.allowed import Allowed

OnInconclusive = Literal["skip", "pass", "fail"]
"""What becomes of a test that nothing decides."""
LISTED = {
    "harness_suite": ("FILE", "a suite whose expectations are tests; may be given again"),
    "harness_baseline": (
        "RUN",
        "a run to gate against: a folder, a name, baseline:NAME or latest; one for each suite",
    ),
    "harness_tasks_path": ("DIR", "a folder of task files; may be given again"),
}
TEXTS = {
    "harness_out": ("DIR", "the folder that holds the runs (results/runs below the rootdir)"),
    "harness_on_inconclusive": ("|".join(get_args(OnInconclusive)), "what an undecided test does (skip)"),
}
SWITCHES = {
    "harness_fresh": "measure again what is known from earlier runs (with a baseline that is so anyway)",
    "harness_allow_task_code": "run functions of task files that score or fetch; read them first",
    "harness_allow_code_execution": "run programs that a model writes (pass@k), in a limited subprocess",
    "harness_trust_remote_code": "run Python code that comes with a hub model; read it first",
}


@dataclass(frozen=True)
class Settings:
    """What was said, with paths that no longer depend on the working folder."""

    suites: tuple[str, ...]
    """Paths, or names of suites that ship."""
    given: bool
    """Whether the suites were given on the command line: those of the ini file join a session that names no tests."""
    baselines: tuple[str, ...]
    out: Path
    comparisons: Path
    """Where `harness_ab` keeps what it measures."""
    on_inconclusive: OnInconclusive
    fresh: bool
    tasks_paths: tuple[str, ...]
    allow_task_code: bool
    allow_code_execution: bool
    trust_remote_code: bool
    root: Path
    """pytest's rootdir, where the file of what was agreed to lies."""

    @property
    def allowed(self) -> Allowed:
        """What a run may do."""
        from harness.execution.allowed import Allowed

        return Allowed(self.trust_remote_code, self.allow_task_code, self.allow_code_execution, self.tasks_paths)


def add_options(parser: pytest.Parser) -> None:
    """Declare every option and the ini key of the same name."""
    group = parser.getgroup("harness", "expectations and gates of the harness's suites")
    for name, (metavar, about) in LISTED.items():
        group.addoption(_option(name), dest=name, action="append", default=None, metavar=metavar, help=about)
        parser.addini(name, f"{about} ({_option(name)})", type="args", default=[])
    for name, (metavar, about) in TEXTS.items():
        group.addoption(_option(name), dest=name, default=None, metavar=metavar, help=about)
        parser.addini(name, f"{about} ({_option(name)})", default="")
    for name, about in SWITCHES.items():
        group.addoption(_option(name), dest=name, action="store_true", default=None, help=about)
        parser.addini(name, f"{about} ({_option(name)})", type="bool", default=False)


def settings_of(config: pytest.Config) -> Settings:
    """What was said. Raises pytest.UsageError for a word that is none."""
    here = Path(config.invocation_params.dir)
    ini = config.inipath.parent if config.inipath is not None else config.rootpath
    found: dict[str, Any] = {}
    base: dict[str, Path] = {}
    for name in (*LISTED, *TEXTS, *SWITCHES):
        said = config.getoption(name)
        found[name], base[name] = (config.getini(name), ini) if said is None else (said, here)
    out = base["harness_out"] / found["harness_out"] if found["harness_out"] else config.rootpath / "results/runs"
    return Settings(
        suites=tuple(dict.fromkeys(_found(name, base["harness_suite"]) for name in found["harness_suite"])),
        given=config.getoption("harness_suite") is not None,
        baselines=tuple(_found(name, base["harness_baseline"]) for name in found["harness_baseline"]),
        out=out,
        comparisons=out / "ab" if found["harness_out"] else config.rootpath / "results/ab",
        on_inconclusive=on_inconclusive(found["harness_on_inconclusive"] or "skip", "--harness-on-inconclusive"),
        fresh=bool(found["harness_fresh"]),
        tasks_paths=tuple(str(base["harness_tasks_path"] / name) for name in found["harness_tasks_path"]),
        allow_task_code=bool(found["harness_allow_task_code"]),
        allow_code_execution=bool(found["harness_allow_code_execution"]),
        trust_remote_code=bool(found["harness_trust_remote_code"]),
        root=config.rootpath,
    )


def on_inconclusive(word: str, place: str) -> OnInconclusive:
    """The word that was given. Raises pytest.UsageError for another."""
    if word not in get_args(OnInconclusive):
        import pytest

        raise pytest.UsageError(f"{place}: is skip, pass or fail, not '{word[:80]}'")
    return cast(OnInconclusive, word)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _found(name: str, base: Path) -> str:
    """A path that is there, made absolute; any other name as it is."""
    path = os.path.abspath(base / name)  # noqa: PTH100 - links stay as they are named
    return path if name and Path(path).exists() else name
