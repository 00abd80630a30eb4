"""A remembered hash is believed of the same file alone: not of another of its size and times."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from harness import file_digest, kept_file
from harness.file_digest import file_sha256, file_state


@pytest.fixture(autouse=True)
def a_new_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(file_digest, "_hashed", {})
    monkeypatch.setattr(file_digest, "TICK", -(10**18))  # as if every file had been written long ago


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read."""
    read: list[Path] = []
    really = kept_file.content_sha256
    monkeypatch.setattr(kept_file, "content_sha256", lambda path: (read.append(path), really(path))[1])
    return read


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_digest, "_hashed", {})


def test_a_file_that_stays_is_read_once(tmp_path: Path, hashed: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    for _ in range(3):
        assert file_sha256(file) == sha256(b"one")
    forget(monkeypatch)
    moved = file.rename(tmp_path / "moved")
    assert file_sha256(moved) == sha256(b"one") and len(hashed) <= 2, "a rename changes the time of change, no more"
    forget(monkeypatch)
    assert file_sha256(moved) == sha256(b"one") and len(hashed) <= 2


@pytest.mark.parametrize("how", ["in place", "replaced", "replaced by a link"])
def test_another_file_of_the_same_size_and_time_has_its_own_hash(tmp_path: Path, how: str) -> None:
    file, other = tmp_path / "weights", tmp_path / "other"
    for path, content in ((file, b"one"), (other, b"two")):
        path.write_bytes(content)
        os.utime(path, ns=(10**18, 10**18))  # as tar, zip and wheels set it
    assert file_sha256(file) == sha256(b"one")
    time.sleep(0.05)  # more than a tick of the clock
    if how == "in place":
        file.write_bytes(b"two")
        os.utime(file, ns=(10**18, 10**18))
    elif how == "replaced":
        other.replace(file)
    else:
        file.unlink()
        file.symlink_to(other)
    assert file_sha256(file) == sha256(b"two")


def test_a_file_that_was_changed_a_moment_ago_is_not_remembered(
    tmp_path: Path, hashed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two changes within a tick of the file system's clock give one time."""
    monkeypatch.setattr(file_digest, "TICK", 1_000_000_000)
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    assert file_sha256(file) == file_sha256(file) == sha256(b"one")
    assert len(hashed) == 2


def test_a_memory_is_believed_as_long_as_is_asked(tmp_path: Path, hashed: list[Path]) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    file_sha256(file)
    file_sha256(file, at_most=3600.0)
    assert len(hashed) == 1
    file_sha256(file, at_most=0.0)
    assert len(hashed) == 2


def test_a_damaged_memory_is_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    right = file_sha256(file)
    (memory,) = (tmp_path / "cache/digests").iterdir()
    whole = memory.read_bytes()
    for place in range(0, 8 * len(whole), 13):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        memory.write_bytes(bytes(damaged))
        forget(monkeypatch)
        assert file_sha256(file) == right


def test_the_state_names_the_file(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"x")
    assert file_state(one) == file_state(str(one))
    os.link(one, other)
    assert file_state(one) == file_state(other), "one file with two names"
