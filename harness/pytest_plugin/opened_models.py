"""Models for tests: opened once in a session, in pytest's own process, as what the house measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness import strict_json
from harness.api.runs import ready_model
from harness.errors import Unsupported, UserError, shown
from harness.gate.arms.arm import parse_both
from harness.gate.arms.model_arm import entry_of
from harness.gate.arms.model_choice import ModelChoice
from harness.models.contract import PRECISIONS
from harness.pytest_plugin.options import Settings
from harness.pytest_plugin.said import fail, skip
from harness.spelling import nearest
from harness.suite.schema import ModelEntry

if TYPE_CHECKING:
    from harness.models.contract import LanguageModel, Precision

PLACE = "harness_model"


@dataclass(frozen=True)
class ModelOfTest:
    """Which model, at which precision, on which device: all that determines how it is opened."""

    entry: ModelEntry
    precision: Precision
    device: str

    @property
    def as_written(self) -> dict[str, Any]:
        """The entry as a suite has it."""
        data: dict[str, Any] = self.entry.model_dump(mode="json", exclude_unset=True)
        data.pop("matrix", None)
        return data

    @property
    def name(self) -> str:
        """What stands behind its adapter's name, such as `asset:smollm2-135m-instruct`."""
        return str(self.as_written[self.entry.adapter.name])


def model_of_test(model: str | Mapping[str, Any], precision: str, device: str, suite: str) -> ModelOfTest:
    """A model as a test names it: words as of an arm (`reference=runs/nano`), a name in a suite, an entry as there; a
    bare text is what stands behind `transformers:`. Raises UserError."""
    if isinstance(model, Mapping):
        choice = ModelChoice(entry=dict(model))
    elif suite or "=" in model:
        choice = parse_both(model, PLACE)
    else:
        choice = ModelChoice(entry={"transformers": model})
    entry = entry_of(choice, suite, PLACE)
    wanted = precision or choice.precision or "fp32"
    if wanted not in PRECISIONS:
        close, there = nearest(wanted, PRECISIONS), ", ".join(PRECISIONS)
        raise UserError(f"there is no precision '{shown(wanted)}'{close}; there are {there}", place=PLACE)
    return ModelOfTest(entry, wanted, device or choice.device or "cpu")


class OpenedModels:
    """The fixture `harness_model`: call it with a model, and it is opened, or has been."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: dict[str, tuple[ModelOfTest, LanguageModel]] = {}

    def __call__(
        self, model: str | Mapping[str, Any], *, precision: str = "", device: str = "", suite: str = ""
    ) -> LanguageModel:
        """The model: `.identity`, `.tokenizer`, `.forward` and what else `LanguageModel` has.

        model: a folder, a hub id or `asset:NAME` for `transformers`; words (`reference=runs/nano`); an entry as in a
        suite (`{"reference": "nano", "train": {...}}`); or with `suite`, the name of a model there. It is fetched or
        trained where it is not there yet. What can't be had fails the test with a sentence; what can't be opened so is
        skipped.
        """
        try:
            wanted = model_of_test(model, precision, device, suite)
            key = strict_json.dumps([wanted.as_written, wanted.precision, wanted.device], sort_keys=True)
            if key not in self._opened:
                self._opened[key] = wanted, self._open(wanted)
            return self._opened[key][1]
        except UserError as error:
            fail(str(error))
        except Unsupported as error:
            skip(str(error))

    def of_parameter(self, wanted: Any) -> LanguageModel:
        """The model of an indirect parameter: what `model` may be, or the call's keywords with `model` among them."""
        if isinstance(wanted, Mapping) and "model" in wanted:
            return self(**wanted)
        return self(wanted)

    def which(self, model: object) -> ModelOfTest | None:
        """Which model an opened one is; None for one that was not opened here."""
        return next((which for which, opened in self._opened.values() if opened is model), None)

    def _open(self, wanted: ModelOfTest) -> LanguageModel:
        from harness.models.open import open_model

        if (why := wanted.entry.adapter.why_not(wanted.precision)) is not None:
            raise Unsupported(why)
        trust = self._settings.trust_remote_code
        resolved = ready_model(wanted.name, wanted.entry, trust_remote_code=trust, tell=print)
        return open_model(replace(resolved.source, precision=wanted.precision, device=wanted.device))
