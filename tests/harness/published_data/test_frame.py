"""Finding, checking and reading a data set, on a small one that is declared here."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from harness import published_data
from harness.assets import Asset, Part
from harness.assets.declaration import GitHub
from harness.assets.table import ASSETS
from harness.errors import UserError
from harness.published_data import DATA_SETS, Column, DataSet, Mend, Rows

RUNS = b"size,steps,nats,seed\n10,100,3.5,a\n20,100,3.0,b\n20,-1,9.0,c\n"
OTHER = b"a,b\n1,2\n"


def asset(runs: bytes = RUNS) -> Asset:
    parts = tuple(
        Part(f"tables/{name}", len(content), hashlib.sha256(content).hexdigest())
        for name, content in (("runs.csv", runs), ("other.csv", OTHER))
    )
    return Asset("fake", "results", "A fake.", "none", GitHub("a/b", "0" * 40), None, parts)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the data set lies under HARNESS_DATA, with a cache that is empty."""

    def mend(table):  # type: ignore[no-untyped-def]
        table.loc[table["steps"] < 0, "steps"] = 100
        return table

    fake = DataSet(
        name="fake",
        about="A fake",
        cite="Nobody",
        table="runs.csv",
        columns=(
            Column("seed", "", "the run", "run"),
            Column("size", "parameters", "N", "parameters"),
            Column("steps", "tokens", "D", "tokens"),
            Column("nats", "nats per token", "loss", "loss"),
        ),
        counted="all",
        fits=(
            Rows("small losses", "all but the largest", lambda table: table["nats"] < 9),
            Rows("one", "the first", lambda table: table["seed"] == "a"),
        ),
        mends=(Mend("steps can't be negative", mend),),
    )
    monkeypatch.setitem(DATA_SETS, "fake", fake)
    monkeypatch.setitem(ASSETS, "fake", asset())
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "fake"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def here(folder: Path) -> Path:
    (folder / "runs.csv").write_bytes(RUNS)
    (folder / "other.csv").write_bytes(OTHER)
    return folder


def test_the_table_as_it_was_published(here: Path) -> None:
    assert published_data.where("fake") == published_data.Where(here, "HARNESS_DATA")
    table = published_data.frame("fake")
    assert list(table.columns) == ["size", "steps", "nats", "seed"]
    assert list(table["steps"]) == [100, 100, 100]  # mended
    assert list(published_data.frame("fake", "other.csv")["b"]) == [2]


def test_runs_in_the_words_of_the_laws(here: Path) -> None:
    runs = published_data.training_runs("fake")
    assert list(runs.columns) == ["run", "parameters", "tokens", "loss"]
    assert list(runs["loss"]) == [3.5, 3.0, 9.0]
    assert list(published_data.fitted_runs("fake")["run"]) == ["a", "b"]
    assert list(published_data.fitted_runs("fake", "one")["parameters"]) == [10]
    with pytest.raises(UserError, match=r"data set fake: it has no fit 'ones'; did you mean 'one'\?"):
        published_data.fitted_runs("fake", "ones")


def test_a_gzipped_file_is_as_good(folder: Path) -> None:
    (folder / "runs.csv.gz").write_bytes(gzip.compress(RUNS))
    assert len(published_data.frame("fake")) == 3
    (folder / "runs.csv.gz").write_bytes(gzip.compress(RUNS)[:-9])
    with pytest.raises(UserError, match=r"runs\.csv\.gz: not a whole gzip file"):
        published_data.frame("fake")


def test_other_bytes_are_refused(here: Path) -> None:
    (here / "runs.csv").write_bytes(RUNS.replace(b"3.5", b"3.6"))
    with pytest.raises(UserError, match=r"runs\.csv: these are not the bytes.*harness data get fake"):
        published_data.frame("fake")


def test_what_is_not_here_says_how_it_comes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert published_data.where("fake") is None
    with pytest.raises(UserError, match=r"`harness data get fake` brings it, or set HARNESS_DATA.*fake/runs\.csv"):
        published_data.frame("fake")
    monkeypatch.delenv("HARNESS_DATA")
    assert published_data.where("fake") is None


def test_a_part_of_a_data_set_is_named(here: Path) -> None:
    (here / "other.csv").unlink()
    assert len(published_data.frame("fake")) == 3
    with pytest.raises(UserError, match=r"there is no other\.csv in"):
        published_data.frame("fake", "other.csv")
    with pytest.raises(UserError, match=r"no file 'othr\.csv'; did you mean 'other\.csv'"):
        published_data.frame("fake", "othr.csv")


def test_the_cache_is_next(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness import assets
    from harness.assets import manifest

    kept = assets.folder("fake")
    kept.mkdir(parents=True)
    (kept / "runs.csv").write_bytes(RUNS)
    assert published_data.where("fake") is None  # without its manifest it isn't whole
    manifest.write(kept, assets.digest("fake"))
    assert published_data.where("fake") == published_data.Where(kept, "cache")
    assert len(published_data.frame("fake")) == 3
    (folder / "runs.csv").write_bytes(RUNS)
    assert published_data.where("fake") == published_data.Where(folder, "HARNESS_DATA")


def test_what_can_not_be_fitted_says_so(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = DataSet("fake", "A fake", "Nobody", "runs.csv", columns=(Column("size", "", ""),))
    monkeypatch.setitem(DATA_SETS, "fake", without)
    with pytest.raises(UserError, match="holds no training runs"):
        published_data.training_runs("fake")
    with pytest.raises(UserError, match="no published fit is declared"):
        published_data.fitted_runs("fake")


def test_unknown_names() -> None:
    with pytest.raises(UserError, match=r"^--data: .*did you mean 'epoch_chinchilla'"):
        published_data.data_set("epoch_chinchila", place="--data")
    with pytest.raises(UserError, match="no published data set"):
        published_data.frame("nothing")


def test_every_data_set_is_declared_whole() -> None:
    for name, declared in DATA_SETS.items():
        asset = ASSETS[name]
        assert declared.name == name and declared.about and declared.cite and asset.kind == "results"
        files = {Path(part.pattern).name for part in asset.files}
        assert declared.table in files and len(files) == len(asset.files)
        assert all(column.meaning for column in declared.columns)
        roles = [column.role for column in declared.columns if column.role]
        assert len(roles) == len(set(roles))
        if declared.counted is not None:
            assert {"parameters", "loss"} < set(roles) and {"tokens", "compute"} & set(roles) and declared.counted_note
        else:
            assert not roles and not declared.fits
    assert {name for name, asset in ASSETS.items() if asset.kind == "results"} == set(DATA_SETS)
