"""Every single changed bit is seen, in every type and at every place of a tensor that is no multiple of 8 bytes."""

from __future__ import annotations

import pytest
import torch

from reference_impl.training.weights_digest import bit_sums, weights_digest


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16, torch.uint8, torch.int64])
@pytest.mark.parametrize("size", [1, 7, 8, 13])
def test_a_change_of_one_element_is_seen(kind: torch.dtype, size: int) -> None:
    tensor = torch.arange(size).to(kind)
    before = bit_sums([tensor]), weights_digest({"a": tensor})
    assert torch.equal(bit_sums([tensor.clone()]), before[0]) and weights_digest({"a": tensor.clone()}) == before[1]
    for place in range(size):
        changed = tensor.clone()
        changed[place] += 1
        assert not torch.equal(bit_sums([changed]), before[0]) and weights_digest({"a": changed}) != before[1]


def test_slices_and_transposed_tensors_count_by_what_they_hold() -> None:
    whole = torch.randn(7, 5)
    for part in (whole[1:], whole.t(), whole[:, 1:], whole[3]):
        assert torch.equal(bit_sums([part]), bit_sums([part.clone()]))
        assert weights_digest({"a": part}) == weights_digest({"a": part.clone()})


def test_names_types_and_shapes_are_part_of_the_digest() -> None:
    tensor = torch.zeros(4)
    different = [{"b": tensor}, {"a": tensor.view(2, 2)}, {"a": tensor.int()}, {"a": tensor, "b": tensor}, {}]
    assert len({weights_digest(one) for one in ({"a": tensor}, *different)}) == 6
    ones = torch.ones(2)
    assert weights_digest({"a": tensor, "b": ones}) == weights_digest({"b": ones, "a": tensor})
    assert bit_sums([]).shape == (0,) and bit_sums([torch.zeros(0)]).shape == (0,)
