"""The suites that ship: in the wheel beside the package, in a checkout in `suites/`."""

from pathlib import Path


def suites_folder() -> Path:
    """Where the shipped suites lie."""
    package = Path(__file__).parents[1]
    installed = package / "shipped_suites"
    return installed if installed.is_dir() else package.parent / "suites"


def shipped_suites() -> dict[str, Path]:
    """Every shipped suite by name (`quickstart`, `guide/embeddings`), sorted. Files that start with _ are parts."""
    folder = suites_folder()
    files = sorted(path for path in folder.rglob("*.yaml") if not path.name.startswith("_"))
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}
