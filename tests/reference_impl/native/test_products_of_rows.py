"""The kernel's product with a few rows of activations, against fp64: every number of rows, every rest."""

from __future__ import annotations

import pytest
import torch

from reference_impl.inference.native_decoder import ROWS
from reference_impl.native.build import native_library
from reference_impl.native.matrix import matrix, native_product

pytestmark = pytest.mark.skipif(native_library().library is None, reason=native_library().reason)

INPUTS = (1, 15, 16, 17, 31, 240, 577)
OUTPUTS = (1, 3, 4, 5, 17)


def numbers(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", ["fp32", "bf16"])
@pytest.mark.parametrize("rows", range(1, ROWS + 1))
def test_every_number_of_rows_is_the_product(kind: str, rows: int) -> None:
    for inputs in INPUTS:
        for outputs in OUTPUTS:
            x, weight, bias = numbers(rows, inputs, seed=1), numbers(outputs, inputs, seed=2), numbers(outputs, seed=3)
            if kind == "bf16":
                weight = weight.bfloat16()
            found = native_product(matrix(kind, outputs, inputs, weight, bias=bias), x)
            assert found is not None
            terms = x.double().abs() @ weight.double().abs().T + bias.double().abs()
            wanted = x.double() @ weight.double().T + bias.double()
            assert bool(((found - wanted).abs() <= 1e-6 * terms).all()), (inputs, outputs)


@pytest.mark.parametrize("rows", [4, 5, 8, 13, 16])
def test_a_row_is_its_own(rows: int) -> None:
    """What isn't a number in one row stays there, wherever the row stands."""
    weight = numbers(9, 40, seed=2)
    for broken in range(rows):
        x = numbers(rows, 40, seed=1)
        x[broken, 37] = torch.nan
        found = native_product(matrix("fp32", 9, 40, weight), x)
        assert found is not None
        assert found.isnan().all(1).tolist() == found.isnan().any(1).tolist() == [row == broken for row in range(rows)]
