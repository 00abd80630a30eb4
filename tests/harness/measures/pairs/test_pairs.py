"""Measures of pairs: sums by hand, judges that know all and nothing, and what can't be judged."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from harness.errors import Unsupported, UserError
from harness.execution.opened_model import OpenedModel
from harness.execution.requests import Collect
from harness.execution.serve import Loader
from harness.measures.measure import Facts
from harness.measures.pairs import preference, reward_model
from harness.measures.pairs.preference import PreferenceSettings
from harness.measures.pairs.reward_model import RewardModelSettings
from harness.measures.pairs.summary import pair_metrics, pair_row, summed_up
from harness.models.contract import ModelSource
from harness.results.record import Measurement
from reference_impl.training.checkpoint import load_checkpoint
from tests.reference_impl.alignment.stages.conftest import make_base

METRICS = pair_metrics("judge", "judgment", "nats")
PAIRS = [
    {"prompt": "User: What is red?\nAssistant:", "chosen": " A rose is.", "rejected": " The sea, as all know."},
    {"prompt": "User: What is red?\nAssistant:", "chosen": " A rose.", "rejected": " Go away."},
    {"prompt": "User: Who rules?\nAssistant:", "chosen": " The old king rules there.", "rejected": " Nobody."},
    {"prompt": "User: Who sings?\nAssistant:", "chosen": " ", "rejected": " A bird."},
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs") / "base"
    make_base(folder)
    return folder


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in PAIRS))
    return file


def loader(folder: Path, settings: Any, asked: dict[str, Path] | None = None) -> Loader:
    source = ModelSource("m", "reference", str(folder), str(folder))
    others = tuple(
        (name, replace(source, name=name, path=str(path), digest=str(path))) for name, path in (asked or {}).items()
    )
    return Loader(Collect("preference", settings, source, asked=others), OpenedModel(), lambda step: None)


def by_name(rows: list[dict[str, Any]], asked: int | None = None) -> dict[str, Measurement]:
    found = summed_up(pd.DataFrame(rows), METRICS, len(rows) if asked is None else asked)
    return {one.metric.name.removeprefix("judge_"): one for one in found}


def row(
    number: int, margin: float, opening: str = "", chosen: str = "a", rejected: str = "bb", label: float = 1.0
) -> Any:
    return pair_row(number, opening or str(number), chosen, rejected, label, (margin, 0.0), 1.0)


def test_by_hand() -> None:
    found = by_name([row(0, 2.0), row(1, -1.0), row(2, 0.0), row(3, 3.0, chosen="bbb", rejected="a")])
    assert found["accuracy"].value == (1 + 0 + 0.5 + 1) / 4
    assert found["margin"].value == 1.0
    assert found["shorter_accuracy"].value == 0.75
    assert found["smallest_effect"].value == pytest.approx(2.8015856 * 0.5 / 2)
    assert found["left_out"].value == 0


def test_pairs_of_one_opening_are_one_piece_of_evidence() -> None:
    apart = by_name([row(number, 1.0 if number % 3 else -1.0) for number in range(30)])
    together = by_name([row(number, 1.0 if number % 3 else -1.0, opening=str(number % 6)) for number in range(30)])
    assert together["accuracy"].n == 6 and apart["accuracy"].n == 30
    wide, narrow = ((one.high or 1) - (one.low or 0) for one in (together["accuracy"], apart["accuracy"]))
    assert wide > narrow


def test_ties_of_people_are_left_out_and_flipped_labels_turn_the_pair() -> None:
    found = by_name([row(0, 2.0, label=0.5), row(1, 2.0, label=0.2), row(2, 2.0, label=0.9)])
    assert found["accuracy"].value == 0.5 and found["accuracy"].n == 2
    assert found["margin"].value == 0.0


def test_nothing_to_judge_is_said() -> None:
    with pytest.raises(UserError, match="all are ties"):
        by_name([row(0, 1.0, label=0.5)])
    rows = [row(0, 1.0), row(1, math.nan)]
    assert by_name(rows)["left_out"].value == 1


def test_log_likelihoods_are_those_of_the_model_with_the_end_token(base: Path, pairs: Path) -> None:
    """The oracle: one pass over prompt and response, the EOS token included."""
    settings = PreferenceSettings(pairs=str(pairs))
    rows = preference.collect(loader(base, settings), settings)
    checkpoint = load_checkpoint(base)
    tokenizer, model = checkpoint.tokenizer, checkpoint.model
    for found, pair in zip(rows, PAIRS[:3], strict=True):
        before = [*tokenizer.prefix, *tokenizer.encode(pair["prompt"])]
        for side in ("chosen", "rejected"):
            after = [*tokenizer.encode(pair[side]), tokenizer.eos_id]
            with torch.no_grad():
                logits = model(torch.tensor([[*before, *after]]))
            log_probs = logits[0].log_softmax(-1)[len(before) - 1 : -1].gather(-1, torch.tensor(after)[:, None]).sum()
            assert found[f"of_{side}"] == pytest.approx(float(log_probs), abs=1e-3)
    summary = {m.metric.name: m for m in preference.summarize(pd.DataFrame(rows), settings, Facts(None))}  # type: ignore[arg-type]
    assert summary["preference_left_out"].value == 1  # the empty answer
    assert summary["preference_accuracy"].n == 2


def test_a_model_against_itself_prefers_nothing(base: Path, pairs: Path) -> None:
    settings = PreferenceSettings(pairs=str(pairs), reference="base")
    rows = preference.collect(loader(base, settings, {"base": base}), settings)
    assert all(one["of_chosen"] == one["of_rejected"] == 0.0 for one in rows)


def test_a_reference_of_other_tokens_is_refused(base: Path, pairs: Path, llama_folder: Path) -> None:
    settings = PreferenceSettings(pairs=str(pairs), reference="other")
    load = loader(base, settings)
    load.asked["other"] = ModelSource("other", "transformers", str(llama_folder), "d")
    load._others["other"] = OpenedModel()
    with pytest.raises(Unsupported, match="another tokenizer"):
        preference.collect(load, settings)


def test_a_reward_model_is_judged_and_another_is_refused(reward_folder: Path, base: Path, pairs: Path) -> None:
    settings = RewardModelSettings(pairs=str(pairs))
    rows = reward_model.collect(loader(reward_folder, settings), settings)
    assert len(rows) == 3 and all(math.isfinite(one["of_chosen"]) for one in rows)
    with pytest.raises(Unsupported, match="no reward model"):
        reward_model.collect(loader(base, settings), settings)


@pytest.fixture(scope="module")
def reward_folder(base: Path) -> Path:
    from reference_impl.alignment.stages.data_settings import DataSettings
    from reference_impl.alignment.stages.method import run_stage
    from reference_impl.alignment.stages.run import Run

    folder = base.with_name("reward")
    run_stage("reward", base, folder, DataSettings(most=40), {"learning_rate": 1e-2, "batch": 8}, Run())
    return folder


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("microworld/nowhere", "microworld has no split 'nowhere'"),
        ("/no/such/file.jsonl", "there are no such data"),
        ("FILE", "these columns are of no known format"),
    ],
)
def test_data_that_is_not_there_is_told(tmp_path: Path, spec: str, why: str) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_text('{"a": 1}\n')
    with pytest.raises(UserError, match=why):
        preference.pairs_of(PreferenceSettings(pairs=spec.replace("FILE", str(file))))
