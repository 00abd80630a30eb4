"""Whether the arms run what they were meant to run: not the same code twice, what was built for them, to the end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.errors import ExitCode, UserError, shown
from harness.gate.arms.arm import Arm
from harness.gate.lockstep.launch import SIDES, Launch, Side, digests


class SameCode(UserError):
    """Both arms are one."""

    exit_code = ExitCode.NOT_COMPARABLE


def what_differs(launch: Launch, arms: Mapping[Side, Arm]) -> list[str]:
    """What is not the same in both arms: settings, Python, packages. Empty where nothing is. launch: the first one."""
    a, b = arms["a"], arms["b"]
    found = [name for name in a.settings if a.settings[name] != b.settings[name]]
    if launch.opened["a"]["built"] != launch.opened["b"]["built"]:
        found.append("Python")
    if a.choice.command and (a.built or a.python) != (b.built or b.python):
        found.append("environment")  # what a command loads is not seen
    of_a, of_b = digests(launch.code["a"]), digests(launch.code["b"])
    found += sorted(name for name in of_a.keys() | of_b.keys() if of_a.get(name) != of_b.get(name))
    return found


def check_arms_differ(launch: Launch, arms: Mapping[Side, Arm]) -> None:
    """Raises SameCode where both arms run the same code with the same settings: it would pass whatever was changed."""
    if what_differs(launch, arms):
        return
    code = launch.code["a"]
    places = "; ".join(f"{name}: {found['file']}" for name, found in list(code.items())[:6])
    more = f" and {len(code) - 6} more packages" if len(code) > 6 else ""
    raise SameCode(
        f"both arms run the same code with the same settings ({shown(places, 600)}{more}), so there is nothing to "
        "compare: a .pth file, PYTHONPATH or the current folder may stand before what you meant; "
        "`--aa` compares an arm with itself on purpose",
        place="--a, --b",
    )


def check_built_is_used(launch: Launch, arms: Mapping[Side, Arm]) -> None:
    """Raises UserError where an arm loaded nothing of a folder that was put first for it."""
    for side in SIDES:
        arm = arms[side]
        if arm.choice.command:
            continue
        files = [Path(file).resolve() for file in launch.states[side]]
        for path in arm.paths:
            if not any(file.is_relative_to(Path(path).resolve()) for file in files):
                loaded = ", ".join(found["file"] for found in list(launch.code[side].values())[:4])
                raise UserError(
                    f"nothing was loaded from {path}, which was put first for {arm.environment}, "
                    f"but {shown(loaded, 400) or 'Python alone'}",
                    place=f"arm {side}",
                )


def check_nothing_hides(launch: Launch, arms: Mapping[Side, Arm]) -> None:
    """Raises UserError where an arm loaded a package from elsewhere than the folder ahead of all others that has it:
    what was built of the project is not what ran then, and the base and the head would be one."""
    for side in SIDES:
        for folder in map(Path, arms[side].ahead):
            for name, found in launch.code[side].items():
                has_it = (folder / name / "__init__.py").is_file() or (folder / f"{name}.py").is_file()
                if has_it and not Path(found["file"]).resolve().is_relative_to(folder.resolve()):
                    raise UserError(
                        f"{name} was loaded from {found['file']}, not from the project at this state ({folder}): what "
                        "stands before PYTHONPATH there (a .pth file, an import hook)?",
                        place=f"arm {side}",
                    )


def check_unchanged(first: Launch, now: Launch) -> None:
    """Raises UserError where a file that an arm runs changed since the first launch of the same comparison."""
    for side in SIDES:
        before, after = first.states[side], now.states[side]
        changed = sorted(file for file in before.keys() & after.keys() if before[file] != after[file])
        if changed:
            raise UserError(
                f"the code that it runs changed while it was measured ({', '.join(changed[:4])}): measure again",
                place=f"arm {side}",
            )
