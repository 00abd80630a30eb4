"""Assets are fetched for real: pip from a local folder or a loopback server, processes that are really killed."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness import assets
from harness.assets import archive, https, pypi
from harness.assets.declaration import Asset, GitHub, Hub, Part, PyPI
from harness.assets.table import ASSETS
from harness.errors import UserError

_spec = importlib.util.spec_from_file_location("asset_fakes", Path(__file__).with_name("fakes.py"))
assert _spec is not None and _spec.loader is not None
fakes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fakes)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own cache, and a folder that is all that pip knows."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def pypi_fake(index: Path, monkeypatch: pytest.MonkeyPatch) -> Asset:
    """A declared asset in a wheel that the index has."""
    asset: Asset = fakes.wheel_asset(fakes.wheel(index))
    monkeypatch.setitem(ASSETS, "fake", asset)
    return asset


@pytest.fixture
def server(index: Path) -> Iterator[Any]:
    """Serves the index folder on loopback."""
    with fakes.serving(index) as server:
        yield server


@pytest.fixture
def fake(index: Path, server: Any, monkeypatch: pytest.MonkeyPatch) -> Asset:
    """A declared asset in a wheel behind a loopback address (quicker than pip)."""
    asset: Asset = fakes.url_asset(fakes.wheel(index), server.url)
    monkeypatch.setitem(ASSETS, "fake", asset)
    return asset


def no_network(*args: object) -> None:
    raise AssertionError("the network was used")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


@pytest.mark.parametrize("way", ["pypi_fake", "fake"])
def test_get_brings_the_file_once(way: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    fake: Asset = request.getfixturevalue(way)
    heard: list[tuple[int, int]] = []
    assert not assets.is_present("fake")
    folder = assets.get("fake", lambda done, total: heard.append((done, total)))
    assert (folder / "poem.txt").read_bytes() == fakes.TEXT
    assert names(folder) == {"poem.txt", "manifest.json"}
    assert heard[-1] == (fake.download_size, fake.download_size)
    assert names(folder.parent) == {folder.name}  # nothing left of the download
    monkeypatch.setattr(pypi, "download", no_network)
    monkeypatch.setattr(https, "download", no_network)
    assert assets.is_present("fake")
    assert assets.get("fake") == folder
    assets.verify("fake")


def test_no_code_of_a_source_distribution_runs(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fakes.sdist(index, tmp_path / "setup-ran")
    files = {"texts/a_gut.txt": tmp_path / "a", "texts/b_gut.txt": tmp_path / "b"}
    files["texts/a_gut.txt"].write_bytes(fakes.TEXT)
    files["texts/b_gut.txt"].write_bytes(fakes.TEXT[:100])
    pattern = "texts/*_gut.txt"
    part = Part(pattern, len(fakes.TEXT) + 100, archive.part_digest(pattern, files))
    address = PyPI("fake-source", "1.0", "sdist")
    asset = Asset("fake", "text", "A fake.", "none", address, fakes.archive_of(path), (part,))
    monkeypatch.setitem(ASSETS, "fake", asset)
    folder = assets.get("fake")
    assert names(folder) == {"a_gut.txt", "b_gut.txt", "manifest.json"}
    assert not (tmp_path / "setup-ran").exists()


def test_unreachable_says_how_to_mend_it(pypi_fake: Asset, index: Path) -> None:
    shutil.rmtree(index)
    index.mkdir()
    with pytest.raises(UserError) as caught:
        assets.get("fake")
    for word in ("fake-asset==1.0", "harness assets get fake", str(assets.folder("fake")), "HARNESS_CACHE"):
        assert word in str(caught.value)
    assert not assets.is_present("fake")


def test_python_without_pip(pypi_fake: Asset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pypi.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="ensurepip"):
        assets.get("fake")


def test_other_bytes_than_declared_are_refused(fake: Asset, index: Path) -> None:
    content = (index / "fake_asset-1.0-py3-none-any.whl").read_bytes()
    fakes.wheel(index, content=b"x" + fakes.TEXT[1:])
    with pytest.raises(UserError, match="sha256"):
        assets.get("fake")
    assert not assets.is_present("fake")
    (index / "fake_asset-1.0-py3-none-any.whl").write_bytes(content)
    assert assets.get("fake").is_dir()  # the wrong bytes were not kept


def test_the_part_is_checked_beside_the_archive(index: Path, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fakes.wheel(index, content=fakes.TEXT[:-1] + b"?")
    monkeypatch.setitem(ASSETS, "fake", fakes.url_asset(path, server.url))
    with pytest.raises(UserError, match=r"poem\.txt"):
        assets.get("fake")
    assert not assets.is_present("fake")


def test_a_killed_get_goes_on_from_its_download(fake: Asset, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:

        def killed(*args: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(archive, "extract", killed)
        with pytest.raises(KeyboardInterrupt):
            assets.get("fake")
    assert not assets.is_present("fake")
    monkeypatch.setattr(https, "download", no_network)
    folder = assets.get("fake")
    assert (folder / "poem.txt").read_bytes() == fakes.TEXT


def test_a_truncated_file_is_brought_anew(fake: Asset) -> None:
    folder = assets.get("fake")
    (folder / "poem.txt").write_bytes(b"cut off")
    assert not assets.is_present("fake")
    assert (assets.get("fake") / "poem.txt").read_bytes() == fakes.TEXT


def test_a_flipped_byte_is_found_though_size_and_times_are_the_same(fake: Asset) -> None:
    file = assets.get("fake") / "poem.txt"
    times = file.stat()
    file.write_bytes(b"X" + fakes.TEXT[1:])
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not assets.is_present("fake")
    with pytest.raises(UserError, match=r"poem\.txt: sha256"):
        assets.verify("fake")
    assert (assets.get("fake") / "poem.txt").read_bytes() == fakes.TEXT
    assets.verify("fake")


def test_a_copied_cache_is_as_good(fake: Asset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = assets.get("fake")
    shutil.copytree(tmp_path / "cache", tmp_path / "copy", copy_function=shutil.copy)  # other times
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "copy"))
    monkeypatch.setattr(https, "download", no_network)
    assert assets.get("fake") != folder
    assert assets.is_present("fake")


def test_a_copied_and_changed_file_is_not(fake: Asset) -> None:
    file = assets.get("fake") / "poem.txt"
    file.write_bytes(b"X" + fakes.TEXT[1:])  # the same size, another time
    os.utime(file, ns=(1, 1))
    assert not assets.is_present("fake")


@pytest.mark.parametrize("manifest", ["", "[]", '{"asset": 1}', '{"files": [{"path": "x"}]}'])
def test_a_broken_manifest_counts_as_absent(fake: Asset, manifest: str) -> None:
    (assets.get("fake") / "manifest.json").write_text(manifest)
    assert not assets.is_present("fake")


def test_another_table_entry_is_another_asset(fake: Asset, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = assets.get("fake")
    part = Part(fake.parts[0].pattern, fake.parts[0].size, "0" * 64)
    changed = Asset("fake", "text", "", "", fake.address, fake.archive, (part,))
    monkeypatch.setitem(ASSETS, "fake", changed)
    assert assets.folder("fake") != folder
    assert not assets.is_present("fake")


def test_full_disk(fake: Asset, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
        with pytest.raises(UserError, match="make room"):
            assets.get("fake")

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(archive, "extract", full)
        with pytest.raises(UserError, match="No space left on device; make room"):
            assets.get("fake")
    assert assets.get("fake").is_dir()


def test_remove(fake: Asset) -> None:
    folder = assets.get("fake")
    assets.remove("fake")
    assert not folder.exists()
    with pytest.raises(UserError, match="harness assets get fake"):
        assets.verify("fake")


def test_status_lists_every_asset(fake: Asset) -> None:
    assets.get("fake")
    rows = {row.asset.name: row for row in assets.status()}
    assert set(rows) == set(ASSETS)
    assert rows["fake"].present and not rows["shakespeare"].present


def test_unknown_names() -> None:
    with pytest.raises(UserError, match="did you mean 'shakespeare'"):
        assets.get("shakespere")
    with pytest.raises(UserError, match=r"^suite\.yaml:3: .*no model; models are: .*smollm2-135m-instruct"):
        assets.model_asset("shakespeare", place="suite.yaml:3")
    assert assets.model_asset("smollm2-135m-instruct") == "smollm2-135m-instruct"


# ---- really slow, really killed


CHILD = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("asset_fakes", sys.argv[1])
fakes = importlib.util.module_from_spec(spec); spec.loader.exec_module(fakes)
from harness import assets
wheel = Path(sys.argv[2])
assets.ASSETS["fake"] = fakes.url_asset(wheel, sys.argv[3]) if len(sys.argv) > 3 else fakes.wheel_asset(wheel)
print(assets.get("fake", lambda done, total: print(done, flush=True)), flush=True)
"""


def child(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(Path(fakes.__file__)), *map(str, arguments)]
    root = str(Path(assets.__file__).parents[2])
    environment = dict(os.environ, PYTHONPATH=root)
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def kill_in_the_middle(process: subprocess.Popen[str]) -> int:
    """SIGKILL to the process and its children once it has heard of some bytes; returns how many."""
    assert process.stdout is not None
    done = next(int(line) for line in process.stdout if line.strip() != "0")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return done


def test_kill_9_while_pip_downloads(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = fakes.wheel(index)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    with fakes.serving(index) as server:
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
        server.seconds_per_piece = 0.25
        assert kill_in_the_middle(child(wheel)) > 0
        monkeypatch.setitem(ASSETS, "fake", fakes.wheel_asset(wheel))
        assert not assets.is_present("fake")
        server.seconds_per_piece = 0.0
        folder = assets.get("fake")
        assert (folder / "poem.txt").read_bytes() == fakes.TEXT
        assert names(folder.parent) == {folder.name}


def test_kill_9_while_a_url_downloads_and_it_is_resumed(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = fakes.wheel(index)
    with fakes.serving(index) as server:
        server.seconds_per_piece = 0.2
        kill_in_the_middle(child(wheel, server.url))
        monkeypatch.setitem(ASSETS, "fake", fakes.url_asset(wheel, server.url))
        assert not assets.is_present("fake")
        server.seconds_per_piece, server.asked = 0.0, []
        assert (assets.get("fake") / "poem.txt").read_bytes() == fakes.TEXT
        ((_, resumed_at),) = server.files_asked()
        assert resumed_at is not None and int(resumed_at.removeprefix("bytes=").removesuffix("-")) > 0


def test_two_processes_fetch_it_once(index: Path) -> None:
    wheel = fakes.wheel(index)
    with fakes.serving(index) as server:
        server.seconds_per_piece = 0.02
        both = [child(wheel, server.url) for _ in range(2)]
        folders = [process.communicate(timeout=600)[0].splitlines()[-1] for process in both]
        assert [process.returncode for process in both] == [0, 0]
        assert folders[0] == folders[1]
        assert len(server.files_asked()) == 1


# ---- https and the hub


def test_a_server_without_ranges(index: Path, tmp_path: Path) -> None:
    path = fakes.wheel(index)
    part = tmp_path / "incoming" / path.name
    part.parent.mkdir()
    with fakes.serving(index) as server:
        server.ranges = False
        part.write_bytes(b"something else")
        address = fakes.url_asset(path, server.url).address
        file = https.download(address, path.stat().st_size, part.parent, lambda done, total: None)
        assert file.read_bytes() == path.read_bytes()
        assert len(server.asked) == 1
        https.download(address, path.stat().st_size, part.parent, lambda done, total: None)
        assert len(server.asked) == 1  # it is whole: nothing to ask for


def test_an_address_that_is_gone(index: Path, tmp_path: Path) -> None:
    path = fakes.wheel(index)
    with fakes.serving(tmp_path) as server:
        asset = fakes.url_asset(path, server.url)
        with pytest.raises(UserError, match="Not Found"):
            https.download(asset.address, asset.download_size, tmp_path / "incoming", lambda done, total: None)
    with pytest.raises(UserError, match="refused"):
        https.download(asset.address, asset.download_size, tmp_path / "incoming", lambda done, total: None)


def hub_asset() -> Asset:
    parts = (fakes.poem(pattern="poem.txt"), fakes.poem(b"{}", "config.json"))
    return Asset("fake", "model", "A fake.", "none", Hub("someone/fake", "c0ffee"), None, parts)


def test_hub_files(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is a stand-in here: huggingface_hub's `hf_hub_download` as it is documented."""
    asked = []

    def hf_hub_download(repo_id: str, filename: str, *, repo_type: str, revision: str, local_dir: Path) -> None:
        asked.append((repo_id, filename, repo_type, revision))
        (local_dir / ".cache" / "huggingface").mkdir(parents=True, exist_ok=True)
        (local_dir / filename).write_bytes(fakes.TEXT if filename == "poem.txt" else b"{}")

    module = ModuleType("huggingface_hub")
    module.hf_hub_download = hf_hub_download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    monkeypatch.setitem(ASSETS, "fake", hub_asset())
    folder = assets.get("fake")
    assert names(folder) == {"poem.txt", "config.json", "manifest.json"}
    assert asked[0] == ("someone/fake", "poem.txt", "model", "c0ffee")


def test_hub_without_its_package_or_a_network(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ASSETS, "fake", hub_asset())
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"gpt-harness\[hub\]"):
        assets.get("fake")

    def offline(*args: object, **settings: object) -> None:
        raise ConnectionError("no route to host")

    module = ModuleType("huggingface_hub")
    module.hf_hub_download = offline  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    with pytest.raises(UserError, match=r"no route to host.*copy the folder"):
        assets.get("fake")


def test_warm_is_quick(fake: Asset) -> None:
    assets.get("fake")
    start = time.process_time()  # not wall time, which on a busy machine is others'
    for _ in range(20):
        assets.get("fake")
    assert (time.process_time() - start) / 20 < 0.05


# ---- the table and the archives


def test_the_table_is_complete() -> None:
    for name, asset in ASSETS.items():
        assert asset.name == name and asset.about and asset.license
        sums = [part.sha256 for part in asset.parts] + ([asset.archive.sha256] if asset.archive else [])
        assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest in sums)
        assert all(part.size > 0 for part in asset.parts) and asset.download_size > 0 and asset.installed_size > 0
        assert (asset.archive is None) == isinstance(asset.address, Hub | GitHub)
        assert (asset.parameters is not None) == (asset.kind == "model")
        assert bool(asset.made) == (asset.conversion == "published")
        if isinstance(asset.address, GitHub):
            assert len(asset.address.commit) == 40
            assert (asset.address.archive_size is not None) == any("*" in part.pattern for part in asset.parts)
        if isinstance(asset.address, Hub):
            assert len(asset.address.commit) == 40 and not any("*" in part.pattern for part in asset.parts)


def test_parts_of_several_folders(tmp_path: Path) -> None:
    path = fakes.wheel(tmp_path)
    whole = fakes.poem(pattern="fake_asset/*/*")
    (tmp_path / "poem.txt").write_bytes(fakes.TEXT)
    files = {"fake_asset/data/poem.txt": tmp_path / "poem.txt"}
    part = Part(whole.pattern, whole.size, archive.part_digest(whole.pattern, files))
    archive.extract(path, (part,), tmp_path / "out")
    assert (tmp_path / "out" / "data" / "poem.txt").read_bytes() == fakes.TEXT
    with pytest.raises(UserError, match=r"no 'absent\.txt'"):
        archive.extract(path, (fakes.poem(pattern="absent.txt"),), tmp_path / "out")


def test_a_path_that_leads_out_is_refused(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "evil.whl", "w") as file:
        file.writestr("data/../../evil.txt", "x")
    with pytest.raises(UserError, match="leads out"):
        archive.extract(tmp_path / "evil.whl", (Part("data/*", 1, "0" * 64),), tmp_path / "out")
    assert not (tmp_path.parent / "evil.txt").exists() and not (tmp_path / "evil.txt").exists()


def test_a_broken_archive(tmp_path: Path) -> None:
    (tmp_path / "broken.whl").write_bytes(b"PK not really")
    with pytest.raises(UserError, match="not a whole archive"):
        archive.extract(tmp_path / "broken.whl", (fakes.poem(),), tmp_path / "out")
