"""Downloads over a network that fails: what passes is tried again where it stopped, what doesn't is told at once."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import assets
from harness.assets import https
from harness.assets.declaration import Asset, Url
from harness.assets.table import ASSETS
from harness.errors import UserError

CONTENT = bytes(range(256)) * 400


def _beside(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fakes = _beside("fakes")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https, "BACKOFF", 0.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "file.bin").write_bytes(CONTENT)
    with fakes.serving(tmp_path / "served") as server:
        yield server


def get(server: Any, folder: Path, name: str = "file.bin", size: int = len(CONTENT)) -> bytes:
    return https.download(Url(f"{server.url}/{name}"), size, folder, lambda done, total: None).read_bytes()


def asked_from(server: Any) -> list[str | None]:
    return [wanted for _, wanted in server.files_asked()]


def test_a_server_that_fails_twice_is_asked_a_third_time_for_the_rest(server: Any, tmp_path: Path) -> None:
    server.failures = [503, -30_000]
    assert get(server, tmp_path / "here") == CONTENT
    assert asked_from(server) == [None, None, "bytes=30000-"]


def test_whoever_makes_progress_may_break_off_often(server: Any, tmp_path: Path) -> None:
    server.failures = [-10_000] * (https.RETRIES + 4)
    assert get(server, tmp_path / "here") == CONTENT
    assert asked_from(server) == [None, *(f"bytes={n}0000-" for n in range(1, https.RETRIES + 5))]


@pytest.mark.parametrize("failure", [503, 429])
def test_without_progress_it_ends(server: Any, tmp_path: Path, failure: int) -> None:
    server.failures = [-10_000] + [failure] * 20
    with pytest.raises(UserError, match="the download broke off: "):
        get(server, tmp_path / "here")
    assert len(server.files_asked()) == 1 + https.RETRIES
    server.failures = []
    assert get(server, tmp_path / "here") == CONTENT and asked_from(server)[-1] == "bytes=10000-"


def test_a_connection_that_gives_nothing_ends_too(server: Any, tmp_path: Path) -> None:
    server.ranges, server.failures = False, [-10_000] * 20
    with pytest.raises(UserError, match=r"closed the connection 92,400 bytes before the end"):
        get(server, tmp_path / "here")
    assert len(server.files_asked()) == 1 + https.RETRIES


@pytest.mark.parametrize(("name", "why"), [("none.bin", "Not Found"), ("forbidden.bin", "Forbidden")])
def test_what_is_not_there_is_asked_for_once(server: Any, tmp_path: Path, name: str, why: str) -> None:
    server.failures = [403] if name == "forbidden.bin" else []
    with pytest.raises(UserError, match=f"the download broke off: {why}"):
        get(server, tmp_path / "here", name)
    assert len(server.files_asked()) == 1


def test_another_size_is_told_at_once(server: Any, tmp_path: Path) -> None:
    for size in (len(CONTENT) + 1, len(CONTENT) - 1):
        server.asked = []
        with pytest.raises(UserError, match=f"{len(CONTENT)} bytes came instead of {size}"):
            get(server, tmp_path / str(size), size=size)
        assert len(server.files_asked()) == 1


def test_another_content_is_told_at_once(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    path = fakes.wheel(server.folder)
    declared: Asset = fakes.url_asset(path, server.url)
    path.write_bytes(bytes(path.stat().st_size))
    monkeypatch.setitem(ASSETS, "fake", declared)
    with pytest.raises(UserError, match="it should be"):
        assets.get("fake")
    assert len(server.files_asked()) == 1


def test_a_file_of_unknown_size_begins_again(server: Any, tmp_path: Path) -> None:
    server.failures = [502, -30_000]
    address, told = Url(f"{server.url}/file.bin"), list[int]()
    file = https.download_of_unknown_size(address, 1000, tmp_path / "here", lambda done, total: told.append(done))
    assert file.read_bytes() == CONTENT and max(told) == told[-1] == 1000
    assert asked_from(server) == [None, None, None]


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the download broke off: .*refused"):
        https.download(Url("http://127.0.0.1:9/file.bin"), 5, tmp_path / "here", lambda done, total: None)
