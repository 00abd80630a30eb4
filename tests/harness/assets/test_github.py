"""Files of a repository at one commit, from a loopback server that stands for GitHub's two addresses."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import assets
from harness.assets import archive, github, https
from harness.assets.declaration import Asset, GitHub, Part
from harness.assets.table import ASSETS
from harness.errors import UserError

_spec = importlib.util.spec_from_file_location("asset_fakes", Path(__file__).with_name("fakes.py"))
assert _spec is not None and _spec.loader is not None
fakes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fakes)

COMMIT = "c0ffee" * 6 + "c0ff"
TABLE = b"N,loss\n1,2\n" * 3000


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "github"
    folder.mkdir()
    with fakes.serving(folder) as server:
        monkeypatch.setattr(github, "RAW", server.url)
        monkeypatch.setattr(github, "ARCHIVES", server.url)
        yield server


def part(pattern: str, content: bytes) -> Part:
    return Part(pattern, len(content), hashlib.sha256(content).hexdigest())


def declare(monkeypatch: pytest.MonkeyPatch, *parts: Part, archive_size: int | None = None) -> Asset:
    address = GitHub("someone/numbers", COMMIT, archive_size)
    asset = Asset("fake", "results", "A fake.", "none", address, None, parts)
    monkeypatch.setitem(ASSETS, "fake", asset)
    return asset


def repository(folder: Path, files: dict[str, bytes], compression: str = "gz") -> None:
    """The archive of a repository, as GitHub packs it: everything under one top folder."""
    with tarfile.open(folder / COMMIT, f"w:{compression}") as tar:  # type: ignore[call-overload]
        for path, content in files.items():
            info = tarfile.TarInfo(f"numbers-{COMMIT}/{path}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_single_files(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (server.folder / "runs.csv").write_bytes(TABLE)
    (server.folder / "names.txt").write_bytes(b"a")
    declare(monkeypatch, part("data/runs.csv", TABLE), part("names.txt", b"a"))
    heard: list[tuple[int, int]] = []
    folder = assets.get("fake", lambda done, total: heard.append((done, total)))
    assert names(folder) == {"runs.csv", "names.txt", "manifest.json"}
    assert [path for path, _ in server.asked] == [
        f"/someone/numbers/{COMMIT}/data/runs.csv",
        f"/someone/numbers/{COMMIT}/names.txt",
    ]
    assert heard == sorted(heard) and heard[-1] == (len(TABLE) + 1, len(TABLE) + 1)
    monkeypatch.setattr(https, "download", None)  # nothing is asked for again
    assert assets.get("fake") == folder


def test_a_file_that_broke_off_goes_on(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (server.folder / "runs.csv").write_bytes(TABLE[:20_000])
    declare(monkeypatch, part("data/runs.csv", TABLE))
    with pytest.raises(UserError, match="20000 bytes came instead of 33000"):
        assets.get("fake")
    (server.folder / "runs.csv").write_bytes(TABLE)
    assert (assets.get("fake") / "runs.csv").read_bytes() == TABLE
    assert [wanted for _, wanted in server.asked] == [None, "bytes=20000-"]


def test_another_file_than_declared_is_refused(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (server.folder / "runs.csv").write_bytes(TABLE[:-2] + b"3\n")
    declare(monkeypatch, part("data/runs.csv", TABLE))
    with pytest.raises(
        UserError, match=r"(?s)fake \(github\.com/someone/numbers@c0ffeec0ff\).*'data/runs\.csv' has.*sha256"
    ):
        assets.get("fake")
    (server.folder / "runs.csv").write_bytes(TABLE)
    assert (assets.get("fake") / "runs.csv").read_bytes() == TABLE  # the wrong one was not kept


def pattern_part(tmp_path: Path, files: dict[str, bytes], pattern: str) -> Part:
    paths = {}
    for at, (path, content) in enumerate(sorted(files.items())):
        paths[path] = tmp_path / f"part-{at}"
        paths[path].write_bytes(content)
    return Part(pattern, sum(map(len, files.values())), archive.part_digest(pattern, paths))


@pytest.mark.parametrize("compression", ["gz", ""])
def test_files_of_an_archive(compression: str, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub may pack the same commit into other bytes any day: only the files count."""
    wanted = {"data/a/1.json": b"1", "data/b/2.json": TABLE}
    repository(server.folder, {**wanted, "README.md": b"no", "src/x.py": b"no"}, compression)
    declare(monkeypatch, pattern_part(tmp_path, wanted, "data/*.json"), archive_size=40_000)
    folder = assets.get("fake")
    assert names(folder) == {"a/1.json", "b/2.json", "manifest.json"}
    assert [path for path, _ in server.asked] == [f"/someone/numbers/tar.gz/{COMMIT}"]


def test_an_archive_that_broke_off_starts_anew(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"data/a.json": bytes(range(256)) * 50, "data/b.json": TABLE}
    repository(server.folder, wanted)
    declare(monkeypatch, pattern_part(tmp_path, wanted, "data/*"), archive_size=40_000)
    whole = (server.folder / COMMIT).read_bytes()
    (server.folder / COMMIT).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="not a whole archive"):
        assets.get("fake")
    (server.folder / COMMIT).write_bytes(whole)
    assert names(assets.get("fake")) == {"a.json", "b.json", "manifest.json"}


def test_a_file_too_many_is_found(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"data/a.json": b"{}"}
    repository(server.folder, {**wanted, "data/added.json": b"{}"})
    declare(monkeypatch, pattern_part(tmp_path, wanted, "data/*"), archive_size=100)
    with pytest.raises(UserError, match=r"'data/\*' has 4 bytes"):
        assets.get("fake")


def test_an_unreachable_repository_says_how_to_mend_it(monkeypatch: pytest.MonkeyPatch, server: Any) -> None:
    declare(monkeypatch, part("gone.csv", b"x"))
    with pytest.raises(UserError, match=r"Not Found.*harness assets get fake.*copy the folder"):
        assets.get("fake")


# ---- tables made of the files


def test_a_table_is_made_and_checked(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way of a published data set: the authors' files are brought, a table is made, they are not kept."""
    results = json.dumps({"results": {"sciq": {"acc": 0.5}}}).encode()
    wanted = {"evals/pythia-v1/pythia-70m/zero-shot/70m_step1.json": results}
    table = (
        b"model,shots,step,task,acc,acc_stderr,acc_norm,acc_norm_stderr,ppl,ppl_stderr,pct_stereotype\n"
        b"pythia-70m,0,1,sciq,0.5,,,,,,\n"
    )
    repository(server.folder, {**wanted, "evals/README.md": b"no"})

    def declared(made: bytes) -> Asset:
        parts = (pattern_part(tmp_path, wanted, "evals/pythia-v1/*.json"),)
        address = GitHub("someone/numbers", COMMIT, 100)
        tables = (part("pythia_v1_evals.csv", made),)
        return Asset("pythia_evals", "results", "A.", "none", address, None, parts, "published", made=tables)

    monkeypatch.setitem(ASSETS, "pythia_evals", declared(table[:-1] + b"0\n"))
    with pytest.raises(UserError, match=r"table made.*'pythia_v1_evals\.csv' has"):
        assets.get("pythia_evals")
    other = assets.folder("pythia_evals")
    monkeypatch.setitem(ASSETS, "pythia_evals", declared(table))
    folder = assets.get("pythia_evals")
    assert folder != other  # another table is another asset
    assert names(folder) == {"pythia_v1_evals.csv", "manifest.json"}
    assert (folder / "pythia_v1_evals.csv").read_bytes() == table
    assets.verify("pythia_evals")
