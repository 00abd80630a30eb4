"""A `transformers` model in two: its body, which reads tokens, and its own last steps, which make logits.

Logits at every position of a long window are the largest thing that scoring could hold: 8,192 positions of a
vocabulary of 150,000 take 5 GB. So the body runs once, and the last steps run over a few of its positions at a time.

What the last steps are differs by architecture: a product, a scale before it (MiniCPM) or after it (Cohere, Granite), a
soft cap (Gemma 2), a bias (Phi), layers of their own (BERT). None of that is written again here. The model's own
`forward` runs with another body in place of its own: one that ends the pass with what the body gave, or one that gives
what it was told. A model whose logits differ when it is run so, or that can't be, is left whole.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from transformers.utils import ModelOutput

TOLERANCE, TOLERANCE_FP32 = 0.02, 1e-5
"""By how much of their spread logits in two steps may differ from whole ones: rounding of a product of fewer rows."""
ENLARGED = 1000.0
"""Features are enlarged so much to see whether logits are their plain product: there a soft cap or a bias shows."""


class SplitHead:
    """The two halves of a model. They share its weights, which must not be replaced afterwards."""

    def __init__(self, model: Any, path: str, kind: type) -> None:
        """path: of the body, as in `named_modules`. kind: of what it gives."""
        body = model.get_submodule(path)
        self._told = _Told(body)
        self._kind = kind
        self._body = _with(model, path, _Ending(body))
        self._last_steps = _with(model, path, self._told)
        self.matrix: Tensor | None = None
        """(vocabulary, width) fp32, where logits are the plain product of features with it."""

    @torch.inference_mode()
    def features(self, **given: Any) -> Tensor:
        """What the body makes of the model's arguments: (batch, time, width)."""
        try:
            self._body(**given)
        except _Reached as reached:
            features: Tensor = reached.given[0]
            return features
        raise RuntimeError("the model's body was not run")

    @torch.inference_mode()
    def logits(self, features: Tensor) -> Tensor:
        """What the last steps make of features: (batch, time, width) -> (batch, time, vocabulary)."""
        ids = torch.zeros(features.shape[:2], dtype=torch.int64, device=features.device)
        named = issubclass(self._kind, ModelOutput)
        self._told.output = self._kind(last_hidden_state=features) if named else (features, None)
        try:
            logits: Tensor = self._last_steps(input_ids=ids, use_cache=False).logits
        finally:
            self._told.output = None
        return logits


def split_head(model: Any, vocabulary: int, device: str) -> SplitHead | None:
    """The model in two; None where it can't be parted, or where its logits are others then."""
    if "forward" in vars(model):  # a forward of the instance, such as accelerate's, runs the whole model
        return None
    try:
        return _tried(model, vocabulary, device)
    except Exception:  # a model of another's code says in its own way that it can't
        return None


@torch.inference_mode()
def _tried(model: Any, vocabulary: int, device: str) -> SplitHead | None:
    ids = (torch.arange(6, device=device) * 7 + 3).remainder(vocabulary)[None]
    path, kind, whole = _body_of(model, ids)
    if path is None:
        return None
    parted = SplitHead(model, path, kind)
    features = parted.features(input_ids=ids, use_cache=False)
    if features.dim() != 3 or features.shape[:2] != ids.shape:
        return None
    shuffled = [3, 0, 5, 1, 4, 2]  # last steps that look at more than their own position give another result
    pieces = torch.cat([parted.logits(features[:, place : place + 1]) for place in range(ids.shape[1])], dim=1)
    if not _alike(pieces, whole) or not _alike(parted.logits(features[:, shuffled]), whole[:, shuffled]):
        return None
    parted.matrix = _plain_product(parted, model, features)
    return parted


def _body_of(model: Any, ids: Tensor) -> tuple[str | None, type, Tensor]:
    """The submodule that the model's forward runs first, if only once, with what kind of thing it gives; and the
    logits of this plain pass."""
    names = {module: name for name, module in model.named_modules()}
    depth = 0
    called: list[tuple[str, type]] = []

    def before(module: nn.Module, given: Any) -> None:
        nonlocal depth
        depth += 1

    def after(module: nn.Module, given: Any, output: Any) -> None:
        nonlocal depth
        depth -= 1
        if depth == 1 and module in names:
            called.append((names[module], type(output)))

    hooks = [nn.modules.module.register_module_forward_pre_hook(before)]
    hooks.append(nn.modules.module.register_module_forward_hook(after))
    try:
        logits: Tensor = model(input_ids=ids, use_cache=False).logits
    finally:
        for hook in hooks:
            hook.remove()
    first, kind = called[0]
    return (first if [name for name, _ in called].count(first) == 1 else None), kind, logits


def _plain_product(parted: SplitHead, model: Any, features: Tensor) -> Tensor | None:
    weight = getattr(model.get_output_embeddings(), "weight", None)
    if type(weight) is not nn.Parameter or not weight.dtype == features.dtype == torch.float32:
        return None
    for given in (features, ENLARGED * features, torch.zeros_like(features)):
        if not _alike(parted.logits(given), given @ weight.T):
            return None
    return weight.detach()


def _alike(ours: Tensor, theirs: Tensor) -> bool:
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return False
    tolerance = TOLERANCE_FP32 if ours.dtype == torch.float32 else TOLERANCE
    difference = (ours.float() - theirs.float()).abs().max()
    return bool(difference <= tolerance * theirs.float().std())


class _Reached(Exception):
    """Ends a pass where the body has given what it gives."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self.given = given


class _Ending(nn.Module):
    """The body, after which nothing runs."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def __getattr__(self, name: str) -> Any:
        """What the model asks of its body besides, such as a setting, is the body's."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("body"), name)

    def forward(self, *given: Any, **named: Any) -> Any:
        """Raises _Reached."""
        raise _Reached(self.body(*given, **named))


class _Told(_Ending):
    """In place of the body: gives what it was told to."""

    output: Any = None

    def forward(self, *given: Any, **named: Any) -> Any:
        """Whatever it is given."""
        return self.output


def _with(model: Any, path: str, replacement: nn.Module) -> Any:
    """A copy of the model, weights shared, with one submodule replaced."""
    name, _, rest = path.partition(".")
    inner = _with(model._modules[name], rest, replacement) if rest else replacement
    changed = copy.copy(model)
    changed._modules = {**model._modules, name: inner}
    return changed
