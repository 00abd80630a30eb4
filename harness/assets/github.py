"""Files of a GitHub repository at one commit: each by itself, or out of the archive of the whole repository."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from harness.assets import archive, https
from harness.assets.declaration import GitHub, Part, Url
from harness.errors import UserError

OnProgress = Callable[[int, int], None]

RAW = "https://raw.githubusercontent.com"
ARCHIVES = "https://codeload.github.com"


def download(address: GitHub, parts: tuple[Part, ...], incoming: Path, unpacked: Path, on_progress: OnProgress) -> None:
    """Write the files of `parts` to `unpacked`, checked, under the paths that `archive.extract` gives them.

    What came to `incoming` before a break is not asked for again: single files go on where they stopped, an archive
    starts again unless it was whole. Raises UserError where the address can't be reached or a part is another than
    declared; nothing of `incoming` is kept then that is known to be wrong.
    """
    if address.archive_size is None:
        _one_by_one(address, parts, incoming, unpacked, on_progress)
    else:
        _from_archive(address, address.archive_size, parts, incoming, unpacked, on_progress)


def _one_by_one(
    address: GitHub, parts: tuple[Part, ...], incoming: Path, unpacked: Path, on_progress: OnProgress
) -> None:
    done, size = 0, sum(part.size for part in parts)
    files = []
    for part in parts:
        url = Url(f"{RAW}/{address.repository}/{address.commit}/{part.pattern}")
        before = done
        file = https.download(url, part.size, incoming, lambda have, _, before=before: on_progress(before + have, size))  # type: ignore[misc]
        try:
            archive.check(part, {part.pattern: file}, place=url.url)
        except UserError:
            file.unlink()
            raise
        files.append(file)
        done += part.size
    unpacked.mkdir()
    for file in files:
        file.replace(unpacked / file.name)


def _from_archive(
    address: GitHub,
    about: int,
    parts: tuple[Part, ...],
    incoming: Path,
    unpacked: Path,
    on_progress: OnProgress,
) -> None:
    whole = incoming / "whole.tar.gz"
    if not whole.is_file():
        url = Url(f"{ARCHIVES}/{address.repository}/tar.gz/{address.commit}")
        https.download_of_unknown_size(url, about, incoming, on_progress).replace(whole)
    try:
        archive.extract(whole, parts, unpacked)
    except UserError:
        shutil.rmtree(incoming)
        raise
