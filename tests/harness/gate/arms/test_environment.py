"""Environments and revisions as arms: what is built, what is kept, and what can't be."""

import base64
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.gate.arms import building
from harness.gate.arms.arm import Arm, ArmChoice
from harness.gate.arms.building import built, finished, interpreter
from harness.gate.arms.environment import prepare


def prepared(folder: Path, **choice: object) -> tuple[Arm, list[str]]:
    said: list[str] = []
    return prepare(ArmChoice(**choice), "b", said.append, folder), said  # type: ignore[arg-type]


def test_this_environment_needs_nothing(tmp_path: Path) -> None:
    arm, said = prepared(tmp_path, call="m:f", env={"A": "1"})
    assert arm.python == sys.executable and not arm.paths and not said
    assert str(arm) == "m:f in this environment, A=1"


def test_another_interpreter(tmp_path: Path) -> None:
    assert interpreter(sys.executable, "arm b") == sys.executable
    (tmp_path / "venv/bin").mkdir(parents=True)
    with pytest.raises(UserError, match="no virtual environment"):
        interpreter(str(tmp_path / "venv"), "arm b")
    link = tmp_path / "venv/bin/python"
    link.symlink_to(sys.executable)
    assert interpreter(str(tmp_path / "venv"), "arm b") == str(link), "where the link is, not where it leads"
    with pytest.raises(UserError, match="arm b: there is no interpreter /nothing"):
        interpreter("/nothing", "arm b")
    for text, said in (("exit 1", "does not run as a Python"), ("echo '[3, 6]'", "is Python 3.6; an arm needs 3.8")):
        program = tmp_path / "old"
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        with pytest.raises(UserError, match=said):
            interpreter(str(program), "arm b")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder src"):
        prepared(tmp_path, call="m:f", path="src")
    arm, _ = prepared(tmp_path, call="m:f", path=str(tmp_path))
    assert arm.paths == (str(tmp_path.resolve()),)


@pytest.mark.parametrize(
    ("text", "said"), [("./gone.whl", "there is no ./gone.whl to install"), ("--index-url=x", "is an option of pip")]
)
def test_what_can_not_be_a_requirement(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        prepared(tmp_path, call="m:f", install=(text,))


def test_what_is_built_is_kept_and_half_a_build_is_not_believed() -> None:
    with built(["one"]) as (folder, is_there):
        assert not is_there
        folder.mkdir()
        (folder / "half").write_text("")
    with built(["one"]) as (again, is_there):
        assert again == folder and not is_there and not (folder / "half").exists()
        folder.mkdir()
        finished(folder, ["one"])
    with built(["one"]) as (_, is_there):
        assert is_there
    with built(["another"]) as (other, is_there):
        assert other != folder and not is_there


def test_pip_s_last_lines_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python whose venv is a copy of itself and whose pip fails, as with a package that can't be built."""
    program = tmp_path / "python"
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        "*version_info*) echo '[3, 11]';;\n"
        '*venv*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python";;\n'
        "*pip*) for n in $(seq 30); do echo line $n; done; echo 'ERROR: no matching distribution' >&2; exit 1;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    with pytest.raises(UserError) as caught:
        prepared(tmp_path, call="m:f", python=str(program), install=("nothing==1",))
    said = str(caught.value)
    assert said.startswith("arm b: nothing==1 can't be installed (exit status 1):")
    assert said.endswith("ERROR: no matching distribution") and "line 30" in said and "line 3\n" not in said
    monkeypatch.setattr(building, "BUILD_MINUTES", 0)
    with pytest.raises(UserError, match="took more than 0 minutes"):
        prepared(tmp_path, call="m:f", python=str(program), install=("nothing==2",))


def wheel(folder: Path, version: str, value: int) -> Path:
    """A wheel with one module, `weighed.f`."""
    path = folder / f"weighed-{version}-py3-none-any.whl"
    info = f"weighed-{version}.dist-info"
    files = {
        "weighed.py": f"def f(): return {value}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: weighed\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{name},sha256={_hash(text)},{len(text)}" for name, text in files.items()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,\n"]))
    return path


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.mark.slow
def test_a_wheel_becomes_an_environment_once(tmp_path: Path) -> None:
    arm, said = prepared(tmp_path, call="weighed:f", install=(str(wheel(tmp_path, "1.0", 1)),))
    assert said == ["arm b: building an environment with weighed-1.0-py3-none-any.whl"]
    done = subprocess.run([arm.python, "-c", "import weighed; print(weighed.f())"], capture_output=True, text=True)
    assert done.stdout == "1\n"
    again, said = prepared(tmp_path, call="weighed:f", install=(str(tmp_path / "weighed-1.0-py3-none-any.whl"),))
    assert again == arm and not said


# --- revisions -------------------------------------------------------------------------------------------------------


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false", *words],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits of a folder of modules, the first one tagged v1."""
    root = tmp_path / "repository"
    (root / "sub").mkdir(parents=True)
    git(root, "init", "-q", "-b", "trunk")
    for value in (1, 2):
        (root / "kernels.py").write_text(f"def f(): return {value}\n")
        (root / "sub" / "inner.py").write_text(f"def f(): return {value}0\n")
        git(root, "add", ".")
        git(root, "commit", "-q", "-m", f"value {value}")
        if value == 1:
            git(root, "tag", "v1")
    return root


def test_a_revision_is_put_first_and_leaves_nothing_behind(repository: Path) -> None:
    arm, said = prepared(repository, call="kernels:f", revision="v1")
    commit = git(repository, "rev-parse", "v1")
    assert said == [f"arm b: building v1 ({commit[:10]})"] and arm.built == commit
    assert (Path(arm.paths[0]) / "kernels.py").read_text() == "def f(): return 1\n"
    assert git(repository, "worktree", "list").count("\n") == 0 and git(repository, "status", "--porcelain") == ""
    again, said = prepared(repository, call="kernels:f", revision=commit[:12])
    assert again.paths == arm.paths and not said
    inner, _ = prepared(repository / "sub", call="inner:f", revision="v1")
    assert (Path(inner.paths[0]) / "inner.py").read_text() == "def f(): return 10\n"


def test_hooks_of_the_repository_do_not_run(repository: Path) -> None:
    hook = repository / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {repository}/ran\n")
    hook.chmod(0o755)
    prepared(repository, call="kernels:f", revision="v1")
    assert not (repository / "ran").exists()


def test_revisions_that_are_not_there(repository: Path, tmp_path: Path) -> None:
    git(repository, "remote", "add", "origin", "/nowhere")
    for revision, said in (
        ("trnk", "there is no revision trnk here; did you mean 'trunk'"),
        ("origin/main", "there is no revision origin/main here; `git fetch origin main` may bring it"),
        ("--all", "'--all' is no revision"),
    ):
        with pytest.raises(UserError, match=said):
            prepared(repository, call="kernels:f", revision=revision)
    outside = tmp_path / "outside"
    outside.mkdir()
    with pytest.raises(UserError, match="is in no git repository"):
        prepared(outside, call="kernels:f", revision="v1")


def test_a_shallow_clone_says_what_to_fetch(repository: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(shallow))
    for revision, said in (
        ("v1", "this clone, which is shallow: `git fetch --unshallow`"),
        ("origin/other", "`git fetch origin other:refs/remotes/origin/other`"),
    ):
        with pytest.raises(UserError, match=said):
            prepared(shallow, call="kernels:f", revision=revision)


def test_a_project_that_can_not_be_built(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "project")
    monkeypatch.setattr(
        "harness.gate.arms.revision.pip_of", lambda python, place: ["sh", "-c", "echo broken build; exit 7"]
    )
    with pytest.raises(UserError, match=r"HEAD \(\w+\) can't be built \(exit status 7\):\n  broken build"):
        prepared(repository, call="kernels:f", revision="HEAD")
    assert git(repository, "worktree", "list").count("\n") == 0
