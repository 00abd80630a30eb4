"""docs/alignment.md names places in the code and records that are there, and all records."""

from __future__ import annotations

import re
from pathlib import Path

import reference_impl.alignment
from reference_impl.alignment.dpo import dpo, reference_log_probs
from reference_impl.alignment.policy_gradient import policy_gradient
from reference_impl.alignment.settings.dpo import DPOSettings
from reference_impl.alignment.settings.policy_gradient import named
from tests.reference_impl.alignment.plain_gpt import PROMPTS, PlainGPT, likes, sampler
from tests.reference_impl.alignment.test_examples import PAIRS
from tests.reference_impl.alignment.test_on_policy import run_ppo

PAGE = (Path(__file__).parents[3] / "docs" / "alignment.md").read_text(encoding="utf-8")
PACKAGE = Path(reference_impl.alignment.__file__).parent


def test_places_of_the_checklist_are_there() -> None:
    points = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    assert points == [str(number) for number in range(1, 26)]
    places = re.findall(r"`(\w+\.py):([\w.]+)`", PAGE)
    assert len(places) > 20
    for file, name in places:
        text = (PACKAGE / file).read_text(encoding="utf-8")
        for part in name.split("."):
            assert re.search(rf"(def|class) {part}\b", text), f"{file}:{name}"
    for file in re.findall(r"`(\w+\.py)`", PAGE):
        assert (PACKAGE / file).is_file(), file


def test_every_record_is_on_the_page() -> None:
    section = PAGE.split("## Records")[1].split("## ")[0]
    told = set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in section.splitlines() if "|" in line)))
    policy = PlainGPT()
    settings = named("grpo", rollouts=1, prompts=2, samples=2)
    cached = reference_log_probs(policy.frozen(), PAIRS)
    reports = [
        *run_ppo()[0],
        *policy_gradient(policy, policy.frozen(), PROMPTS, sampler(policy), likes(3), settings),
        *dpo(policy, cached, PAIRS, DPOSettings(batch=4)),
    ]
    assert {name for report in reports for name in report.values} == told
