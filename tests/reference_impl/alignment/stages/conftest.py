"""A base model for stages: a few thousand parameters, untrained, with a tokenizer that ends responses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.method import run_stage
from reference_impl.alignment.stages.run import Run
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.text import microworld
from reference_impl.text.tokenizer import ByteBPE
from reference_impl.training.checkpoint import save_checkpoint


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("aligned") / "base"
    make_base(folder)
    return folder


def make_base(folder: Path) -> None:
    tokenizer = ByteBPE.train(microworld.documents("validation")[:60], 300)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = GPT(GPTConfig(vocabulary=tokenizer.size, context=128, layers=1, heads=2, width=16))
    save_checkpoint(folder, model, tokenizer)


@pytest.fixture(scope="session")
def reward_model(base: Path) -> Path:
    folder = base.with_name("reward")
    run_stage("reward", base, folder, DataSettings(most=40), {"learning_rate": 1e-2, "batch": 8}, Run())
    return folder
