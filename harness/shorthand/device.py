"""A device as people type it, and the one sentence on one that is not known."""

from __future__ import annotations

import re

from harness.errors import WrongArgument, shown
from harness.results.fingerprint import fingerprint
from harness.spelling import nearest
from harness.suite.other_words import meant

DEVICES = ("auto", "cpu", "cuda")


def device_named(device: str) -> str:
    """The device of a suite that is meant: `cuda:0` is cuda. Raises WrongArgument for one that is not known, and for
    the number of another GPU, which the environment chooses."""
    if device in DEVICES:
        return device
    number = re.fullmatch(r"cuda:(\d{1,4})", device)
    if number and int(number[1]) == 0:
        return "cuda"
    if number:
        raise WrongArgument(
            f"'{device}' is chosen by the environment: write CUDA_VISIBLE_DEVICES={number[1]} before the command, and "
            "`cuda` here",
            place="device",
        )
    word = meant("device", device)
    hint = f"; write {word}" if word else nearest(device, DEVICES)
    raise WrongArgument(f"the harness computes on `cpu` and `cuda`, not on '{shown(device)}'{hint}", place="device")


def check_training_device(device: str) -> None:
    """Raises WrongArgument for what no model of a suite is trained on: every device but the CPU."""
    if device_named(device) != "cuda":
        return
    if not fingerprint().gpus:
        raise WrongArgument("`cuda` asks for an NVIDIA GPU and none is visible here; use auto or cpu", place="device")
    raise WrongArgument(
        "models of suites are trained on the CPU; `python -m reference_impl.training --device cuda` trains on a "
        "GPU, and its folder is a MODEL here (docs/reference.md)",
        place="device",
    )
