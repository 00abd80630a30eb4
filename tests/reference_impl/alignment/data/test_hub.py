"""Data of the hub: found in its cache without a connection; the network is never asked here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from reference_impl.alignment.data.reading import read
from reference_impl.alignment.data.rows import Preference
from reference_impl.files import TextError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache as huggingface_hub keeps it, with a data set of two splits."""
    constants = pytest.importorskip("huggingface_hub.constants")
    repository = tmp_path / "hub" / "datasets--team--pairs"
    snapshot = repository / "snapshots" / COMMIT
    for split in ("train", "test"):
        (snapshot / "data").mkdir(parents=True, exist_ok=True)
        row = {"prompt": split, "chosen": "b", "rejected": "c"}
        (snapshot / "data" / f"{split}-00000-of-00001.jsonl").write_text(json.dumps(row))
    (snapshot / "README.md").write_text("---")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return snapshot


@pytest.mark.parametrize(
    ("name", "split", "prompt"),
    [
        ("hub:team/pairs", "train", "train"),
        ("hub:team/pairs", "test", "test"),
        (f"hub:team/pairs@{COMMIT}", "test", "test"),
        ("hub:team/pairs:data/train-*", None, "train"),
        ("hub:team/pairs@main:data/test-00000-of-00001.jsonl", None, "test"),
    ],
)
def test_what_is_cached_is_read_offline(cached: Path, name: str, split: str | None, prompt: str) -> None:
    [row] = read(name, Preference, split=split).rows
    assert row.prompt == prompt
    assert row.place.startswith(str(cached))


def test_what_the_hub_does_not_give_is_one_sentence(cached: Path) -> None:
    with pytest.raises(TextError, match=r"several splits; name one"):
        read("hub:team/pairs", Preference)
    with pytest.raises(TextError, match=r"hub:team/pairs:\*.csv: it has no file like \*.csv"):
        read("hub:team/pairs:*.csv", Preference)
    with pytest.raises(TextError, match=r"hub:team/other: the hub did not give it: .*fetch it elsewhere"):
        read("hub:team/other", Preference)
    with pytest.raises(TextError, match="are written hub:OWNER/NAME"):
        read("hub:a/b/c", Preference)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(TextError, match=r"pip install gpt-harness\[hub\]"):
        read("hub:team/pairs", Preference)
