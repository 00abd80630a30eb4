"""Where g++ is, the kernel must load and must be what decodes: the other tests of it skip where it is missing."""

import os
import shutil

import pytest
import torch

from reference_impl.inference.engine import Engine
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.native.build import Native, native_library, planned_kernel

WHY_NOT = (
    "GPT_NATIVE=0 is set"
    if os.environ.get("GPT_NATIVE") == "0"
    else "another compiler is asked for with CXX"
    if "CXX" in os.environ
    else ""
    if shutil.which("g++")
    else "no g++"
)
"""Decided without asking the code that is tested."""


def loaded(native: Native) -> None:
    """Fails where there is no kernel."""
    assert native.library is not None, f"g++ is here, and there is no kernel: {native.reason}"
    assert native.identity != "none"


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_the_kernel_loads_and_decodes() -> None:
    loaded(native_library())
    loaded(planned_kernel())
    engine = Engine(GPT(GPTConfig(11, 8, 1, 1, 8)))
    assert engine.native is not None
    assert engine(torch.tensor([[1]]), engine.new_cache(1, 2)).shape == (1, 1, 11)


def test_known_bad_a_kernel_that_is_not_there_is_seen() -> None:
    with pytest.raises(AssertionError, match=r"there is no kernel: decode\.cpp: No such file"):
        loaded(Native(None, "decode.cpp: No such file"))
