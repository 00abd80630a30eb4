"""What measured a result: which run, when, of which commit, and with what code. It stays with the result wherever that
is kept, so one that came from the cache still says whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.strict_models import Kept

SOURCES = (".py", ".so", ".pyd", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp")
"""What ends the name of a file of code."""


class Package(Kept):
    """A package that a worker imported."""

    version: str | None
    """None where it tells none: a module beside others."""
    digest: str
    """16 hex digits, joined by `+` where launches ran several: of an installed distribution of its RECORD, and of files
    that are not those of the RECORD; of code that lies elsewhere (a checkout, a folder of PYTHONPATH) of its sources
    and libraries."""


class Provenance(Kept):
    """What measured a cell."""

    run: str
    """Name of the run that measured it."""
    run_id: str
    """`Manifest.id` of that run."""
    time: str
    """When it was measured (UTC)."""
    commit: str | None = None
    """Of the checkout that the run was started in; None outside of one."""
    dirty: bool | None = None
    """Whether that had changes; None where git doesn't say."""
    packages: dict[str, Package] | None = None
    """By name what its workers imported, but for Python's own library; None where none got so far."""


def together(launches: Iterable[Mapping[str, Package]]) -> dict[str, Package]:
    """The packages of all launches of a cell. Where their digests differ, the code was exchanged meanwhile."""
    versions: dict[str, dict[str | None, None]] = {}
    digests: dict[str, set[str]] = {}
    for packages in launches:
        for name, package in packages.items():
            versions.setdefault(name, {})[package.version] = None
            digests.setdefault(name, set()).add(package.digest)
    return {
        name: Package(
            version="+".join(str(version) for version in told if version is not None) or None,
            digest="+".join(sorted(digests[name])),
        )
        for name, told in sorted(versions.items())
    }


def exchanged(packages: Mapping[str, Package]) -> list[str]:
    """The packages of which launches of one cell ran different code."""
    return [name for name, package in packages.items() if "+" in package.digest]
