"""Beam search against exhaustive search, greedy decoding, single prompts, and `transformers`."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from reference_impl.decoding.beam_search import beam_search
from reference_impl.decoding.generation import generate
from reference_impl.decoding.request import Request


def log_prob(model: Any, prompt: list[int], tokens: tuple[int, ...]) -> float:
    logits = model(torch.tensor([[*prompt, *tokens]]))[0].double().log_softmax(-1)
    return sum(float(logits[len(prompt) - 1 + i, token]) for i, token in enumerate(tokens))


def every_continuation(vocabulary: int, length: int, stops: frozenset[int]) -> list[tuple[int, ...]]:
    found = set()
    for tokens in itertools.product(range(vocabulary), repeat=length):
        end = next((i + 1 for i, token in enumerate(tokens) if token in stops), length)
        found.add(tokens[:end])
    return sorted(found)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.5, -0.5])
@pytest.mark.parametrize("stops", [frozenset(), frozenset({2}), frozenset({0, 3})])
def test_a_beam_that_loses_nothing_is_exhaustive_search(
    make_model: Any, length_penalty: float, stops: frozenset[int]
) -> None:
    model = make_model(seed=3, sharpness=15.0, vocabulary=4, context=8, layers=1)
    prompts = [[1, 3, 2], [0]]
    found = beam_search(model, prompts, beams=4**3, max_new=3, length_penalty=length_penalty, stop_ids=stops)
    for prompt, beam in zip(prompts, found, strict=True):
        expected = {
            tokens: log_prob(model, prompt, tokens) / len(tokens) ** length_penalty
            for tokens in every_continuation(4, 3, stops)
        }
        assert {hypothesis.tokens for hypothesis in beam} == set(expected)
        assert [h.score for h in beam] == pytest.approx(sorted(expected.values(), reverse=True), abs=1e-5)
        for hypothesis in beam:
            assert hypothesis.score == pytest.approx(expected[hypothesis.tokens], abs=1e-5)
            assert hypothesis.ended == (hypothesis.tokens[-1] in stops)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_one_beam_is_greedy(model: Any, length_penalty: float) -> None:
    prompts, stops = [[5, 6, 7], [8], [9, 10, 11, 12, 13]], frozenset(range(0, 60, 7))
    greedy = generate(model, [Request(prompt, 12, stop_ids=stops) for prompt in prompts])
    found = beam_search(model, prompts, beams=1, max_new=12, length_penalty=length_penalty, stop_ids=stops)
    assert [beam[0].tokens for beam in found] == [completion.tokens for completion in greedy]
    assert [beam[0].log_prob for beam in found] == pytest.approx([sum(c.log_probs) for c in greedy], abs=1e-4)


def test_a_batch_searches_as_each_prompt_alone(model: Any) -> None:
    prompts, stops = [[5, 6, 7], [8], [9, 10, 11, 12, 13]], frozenset(range(0, 60, 5))
    together = beam_search(model, prompts, beams=4, max_new=10, stop_ids=stops)
    for prompt, beam in zip(prompts, together, strict=True):
        alone = beam_search(model, [prompt], beams=4, max_new=10, stop_ids=stops)[0]
        assert [h.tokens for h in alone] == [h.tokens for h in beam]
        assert [h.score for h in alone] == pytest.approx([h.score for h in beam], abs=1e-5)
        assert [h.score for h in beam] == sorted((h.score for h in beam), reverse=True)
        for hypothesis in beam:
            assert hypothesis.log_prob == pytest.approx(log_prob(model, prompt, hypothesis.tokens), abs=1e-4)


def test_the_same_as_transformers(make_model: Any) -> None:
    from reference_impl.model.huggingface import to_huggingface

    model = make_model(sharpness=4.0)
    theirs = to_huggingface(model.gpt)
    prompt = torch.tensor([[4, 8, 15]])
    expected = theirs.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        num_beams=5,
        num_return_sequences=5,
        max_new_tokens=8,
        do_sample=False,
        pad_token_id=0,
        return_dict_in_generate=True,
        output_scores=True,
    )
    ours = beam_search(model, prompt.tolist(), beams=5, max_new=8)[0]
    assert [list(h.tokens) for h in ours] == expected.sequences[:, 3:].tolist()
    assert ours[0].log_prob / 8 == pytest.approx(ours[0].score)


def test_a_wide_beam_finds_what_greedy_misses(make_model: Any) -> None:
    model = make_model(seed=1)
    prompts = [[token] for token in range(30)]
    narrow = beam_search(model, prompts, beams=1, max_new=6)
    wide = beam_search(model, prompts, beams=8, max_new=6)
    gains = [w[0].log_prob - n[0].log_prob for w, n in zip(wide, narrow, strict=True)]
    assert sum(gain > 1e-3 for gain in gains) >= 5


def test_padded_ids_are_no_hypotheses(model: Any) -> None:
    found = beam_search(model, [[1, 2]], beams=6, max_new=5, vocabulary=30)[0]
    assert max(max(h.tokens) for h in found) < 30


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"beams": 0}, "at least one beam"),
        ({"max_new": 0}, "at least one beam and one new token"),
        ({"prompts": [[1], []]}, "prompt 1: the prompt is empty"),
        ({"prompts": [[1, 99]]}, "prompt 0: the prompt has the unknown token id 99"),
        ({"max_new": 40}, "don't fit the model's context"),
    ],
)
def test_bad_input(model: Any, given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        beam_search(model, **({"prompts": [[1]], "beams": 2, "max_new": 3} | given))


def test_no_prompt_no_hypothesis(model: Any) -> None:
    assert beam_search(model, [], beams=2, max_new=3) == []
