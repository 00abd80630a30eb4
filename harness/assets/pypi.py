"""One file from a Python package index, brought by pip itself.

pip runs as a subprocess of this Python, so that the user's index, mirror, proxy, certificate and credential settings
hold. Only a download is asked for: nothing is installed, no dependency is looked at.

A wheel is plain data to pip. For a source distribution pip wants to know the name and version, and would
run its `setup.py` for that. It is kept from doing so: pip is told to use the build backend of this environment,
and what it finds there under the name `setuptools` is the stand-in below, which reads PKG-INFO. So
no code of the package runs, and neither setuptools nor a network connection for it is needed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from harness.assets.declaration import PyPI
from harness.errors import UserError

OnProgress = Callable[[int, int], None]
"""Hears (bytes done, bytes in all)."""

_STAND_IN = '''
"""Stands in for setuptools while pip looks at a source distribution: answers from PKG-INFO, runs no setup.py."""
import email, os

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    with open("PKG-INFO", encoding="utf-8", errors="replace") as file:
        info = email.message_from_file(file)
    folder = "{}-{}.dist-info".format(info["Name"].replace("-", "_"), info["Version"])
    os.makedirs(os.path.join(metadata_directory, folder))
    with open(os.path.join(metadata_directory, folder, "METADATA"), "w", encoding="utf-8") as file:
        file.write("Metadata-Version: 2.1\\nName: {}\\nVersion: {}\\n".format(info["Name"], info["Version"]))
    return folder

def get_requires_for_build_wheel(config_settings=None):
    return []

def build_wheel(*args, **kwargs):
    raise RuntimeError("nothing is built here")
'''


def download(address: PyPI, size: int, folder: Path, on_progress: OnProgress) -> Path:
    """Download the distribution to `folder`, which is emptied first; returns the file.

    `size`: how many bytes it has, for the progress. Raises UserError where pip is missing or does not get the file.
    """
    if importlib.util.find_spec("pip") is None:
        raise UserError("this Python has no pip, which fetches the file; install it with `python -m ensurepip`")
    shutil.rmtree(folder, ignore_errors=True)
    arrived, temporary = folder / "arrived", folder / "tmp"
    for made in (arrived, temporary):
        made.mkdir(parents=True)
    log = folder / "pip.log"
    with log.open("wb") as output:
        pip = subprocess.Popen(
            _command(address, arrived),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(address, folder),
        )
        try:
            while pip.poll() is None:
                on_progress(min(_largest(temporary), size), size)
                time.sleep(0.1)
        finally:
            if pip.poll() is None:
                pip.terminate()
                pip.wait()
    files = list(arrived.iterdir())
    if pip.returncode != 0 or len(files) != 1:
        raise UserError(f"pip did not get {address.project}=={address.version}: {_reason(log)}")
    on_progress(size, size)
    return files[0]


def _command(address: PyPI, arrived: Path) -> list[str]:
    form = ["--only-binary", ":all:"] if address.form == "wheel" else ["--no-binary", ":all:", "--no-build-isolation"]
    return [
        *(sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--no-input", "--disable-pip-version-check"),
        *("--progress-bar", "off", "--ignore-requires-python"),
        *form,
        *("--dest", str(arrived), f"{address.project}=={address.version}"),
    ]


def _environment(address: PyPI, folder: Path) -> dict[str, str]:
    """The user's, with pip's temporary files where their growth can be watched and a broken run leaves no litter."""
    temporary = folder / "tmp"
    environment = dict(os.environ, TMPDIR=str(temporary), TEMP=str(temporary), TMP=str(temporary))
    if address.form == "sdist":
        stand_in = folder / "backend" / "setuptools"
        stand_in.mkdir(parents=True)
        (stand_in / "__init__.py").touch()
        (stand_in / "build_meta.py").write_text(_STAND_IN + "\n__legacy__ = __import__(__name__, fromlist=['*'])\n")
        path = os.pathsep.join([str(stand_in.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        # pip before 25.3 has an older way that runs setup.py; this setting turns it off.
        environment |= {"PYTHONPATH": path, "PIP_USE_PEP517": "1"}
    return environment


def _largest(folder: Path) -> int:
    """Bytes of the largest file below `folder`: the one that is being downloaded."""
    largest = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, (Path(parent) / name).stat().st_size)
            except OSError:  # moved away meanwhile
                continue
    return largest


def _reason(log: Path) -> str:
    """What pip says went wrong: its last error line."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return errors[-1] if errors else (lines[-1].strip() if lines else "it said nothing")
