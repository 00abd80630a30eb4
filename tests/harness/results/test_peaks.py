"""Peaks: they must be a real machine's, survive being kept, and never break a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.results import peaks as module
from harness.results.peaks import Peaks, cached_peaks, measure_peaks, store_peaks

PEAKS = Peaks(flops={"fp32": 8e10, "bf16": 1e10}, bandwidth=2e10)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    return tmp_path / "peaks"


def test_measured_peaks_are_physical(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.05)
    monkeypatch.setattr(module, "SMALLEST_ARRAY", 2**22)
    monkeypatch.setattr(module, "_last_level_cache", lambda: 2**20)
    found = measure_peaks(1, "cpu")
    assert found.flops.keys() == {"fp32", "bf16"}
    assert 1e9 < found.flops["fp32"] < 1e13, "one core does between 1 GFLOP/s and 10 TFLOP/s"
    assert 1e8 < found.flops["bf16"] < 1e14
    assert 5e8 < found.bandwidth < 1e12
    assert found.device == "cpu"


def test_flops_and_bytes_are_counted_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a call that always takes a second: 2n³ operations, and three arrays of 4 bytes."""
    import torch

    calls = iter([1.0])
    monkeypatch.setattr(module, "_fastest", lambda call, device, repeats: next(calls, 1.0))
    monkeypatch.setattr(module, "SECONDS", 0.0)
    assert module._gemm_flops(torch.float32, "cpu") == 2 * 256**3
    monkeypatch.setattr(module, "SMALLEST_ARRAY", 4000)
    monkeypatch.setattr(module, "_last_level_cache", lambda: 0)
    assert module._triad_bandwidth("cpu") == 3 * 4000


def test_arrays_are_larger_than_the_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._last_level_cache() >= 2**18
    monkeypatch.setattr(module, "_last_level_cache", lambda: 2**24)
    sizes: list[int] = []

    def once(call: object, device: str, repeats: int) -> float:
        sizes.append(call.args[0].nbytes)  # type: ignore[attr-defined]
        return 1.0

    monkeypatch.setattr(module, "_fastest", once)
    monkeypatch.setattr(module, "SECONDS", 0.0)
    module._triad_bandwidth("cpu")
    assert sizes == [4 * 2**24]


def test_kept_and_found_again(cache: Path) -> None:
    assert cached_peaks("machine", 2, "cpu") is None
    store_peaks("machine", 2, PEAKS)
    assert cached_peaks("machine", 2, "cpu") == PEAKS
    assert cached_peaks("machine", 1, "cpu") is None
    assert cached_peaks("other", 2, "cpu") is None
    assert cached_peaks("machine", 2, "cuda:0") is None
    gpu = PEAKS.model_copy(update={"device": "cuda"})
    store_peaks("machine", 2, gpu)
    assert cached_peaks("machine", 2, "cuda:0") == gpu
    assert sorted(file.name for file in cache.iterdir()) == ["machine-cpu-2.json", "machine-cuda-2.json"]


def test_a_slower_second_measurement_lowers_no_peak() -> None:
    store_peaks("machine", 1, PEAKS)
    store_peaks("machine", 1, Peaks(flops={"fp32": 9e10, "bf16": 5e9}, bandwidth=1e9))
    assert cached_peaks("machine", 1, "cpu") == Peaks(flops={"fp32": 9e10, "bf16": 1e10}, bandwidth=2e10)


@pytest.mark.parametrize("content", [b"", b"{", b'{"flops": {}}', b"\xff\xfe"])
def test_a_broken_file_is_no_peak(cache: Path, content: bytes) -> None:
    store_peaks("machine", 1, PEAKS)
    (cache / "machine-cpu-1.json").write_bytes(content)
    assert cached_peaks("machine", 1, "cpu") is None
    store_peaks("machine", 1, PEAKS)
    assert cached_peaks("machine", 1, "cpu") == PEAKS
