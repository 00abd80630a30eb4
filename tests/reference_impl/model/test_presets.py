"""Named shapes have the sizes that their names say."""

import pytest

from reference_impl.model.counting import count_parameters
from reference_impl.model.presets import GPT2_VOCABULARY, PRESETS, preset


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("nano", 118_080), ("micro", 336_080), ("mini", 957_184), ("midi", 2_915_328), ("maxi", 11_139_072)],
)
def test_our_ladder(name: str, parameters: int) -> None:
    config = preset(name, 1024)
    assert config.context == 256
    assert count_parameters(config).total == parameters


@pytest.mark.parametrize(
    ("name", "parameters"),
    # The released checkpoints' exact counts.
    [("gpt2-124m", 124_439_808), ("gpt2-355m", 354_823_168), ("gpt2-774m", 774_030_080), ("gpt2-1558m", 1_557_611_200)],
)
def test_gpt2_checkpoints(name: str, parameters: int) -> None:
    assert count_parameters(preset(name, GPT2_VOCABULARY)).total == parameters


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("gpt3-")])
def test_gpt3_names_are_their_sizes(name: str) -> None:
    size = name.removeprefix("gpt3-")
    said = float(size[:-1]) * {"m": 1e6, "b": 1e9}[size[-1]]
    assert count_parameters(preset(name, GPT2_VOCABULARY)).total == pytest.approx(said, rel=0.035)


def test_context_can_be_chosen() -> None:
    assert preset("nano", 300, context=64).context == 64
    assert preset("nano", 300, context=64).vocabulary == 300


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ValueError, match="there is no preset 'micor': did you mean 'micro'"):
        preset("micor", 1024)
