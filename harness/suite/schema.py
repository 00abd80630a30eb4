"""What a suite may say. The editor schema (`harness schema suite`) is made from these models.

A suite's matrix is the product of its axes. A model or a measure may narrow or widen an axis for itself with its
own `matrix`. A list under a measure's setting is an axis too: `batch: [1, 8]` makes two cells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from harness.analysis.registry import ANALYSES
from harness.comparison.expectation import Expectation
from harness.corpora.training import HELD_OUT
from harness.errors import shown
from harness.input_file import why_no_path
from harness.measures.limits import (
    LARGEST,
    LARGEST_SEED,
    MOST_BATCH,
    MOST_DOCUMENTS,
    MOST_ITERATIONS,
    MOST_TOKENS,
    MOST_TOKENS_IN_ALL,
    check_at_once,
    check_in_all,
)
from harness.measures.registry import MEASURES, metrics
from harness.models.contract import Precision
from harness.models.size import config_size
from harness.models.training import FFN, Norm, OptimizerName, PositionsName, ScheduleName, TokenizerName, Training
from harness.plugins import why_not_loaded
from harness.spelling import nearest

MOST_LAYERS, MOST_WIDTH, MOST_VOCABULARY, MOST_THREADS = 10_000, 1_000_000, 10_000_000, 100_000
"""More than any model and any machine has."""
MOST_PARAMETERS = 10**12
"""Of a model that is trained here."""


def _refuse_unknown(allowed: Callable[[], list[str]], what: str) -> Callable[[Any], Any]:
    """A check that runs before pydantic's own, so that an unknown key is answered with the nearest spelling."""

    def check(data: Any) -> Any:
        if isinstance(data, dict):
            for key in data:
                if key == "trust_remote_code":
                    raise PydanticCustomError(
                        "unknown_key",
                        "a suite can't turn on trust_remote_code; if you have read the model's code, "
                        "use `harness run --trust-remote-code`",
                        {"key": key},
                    )
                if key not in allowed():
                    raise PydanticCustomError(
                        "unknown_key",
                        "unknown {what} '{key}'{hint}; allowed: {allowed}",
                        {
                            "what": what,
                            "key": key,
                            "hint": f" ({why})" if (why := why_not_loaded(str(key))) else nearest(str(key), allowed()),
                            "allowed": ", ".join(allowed()),
                        },
                    )
        return data

    return check


class Strict(BaseModel):
    """Base of every part of a suite: unknown keys are refused with the nearest spelling."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        return _refuse_unknown(lambda: list(cls.model_fields), "key")(data)

    def given(self, *names: str) -> dict[str, Any]:
        """The fields that are not left out; of all, or of those that are named."""
        chosen = names or tuple(type(self).model_fields)
        return {name: value for name in chosen if (value := getattr(self, name)) is not None}


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _not_empty_not_twice(values: list[Any]) -> list[Any]:
    if not values:
        raise PydanticCustomError("empty_axis", "an axis needs at least one value")
    return _not_twice(values)


def _not_twice(values: list[Any]) -> list[Any]:
    seen: set[tuple[type, Any]] = set()
    for value in values:
        if (type(value), value) in seen:
            raise PydanticCustomError(
                "value_twice", "a value stands twice on this axis, {value}; keep one", {"value": shown(value)}
            )
        seen.add((type(value), value))
    return values


def _can_be_a_path(text: str) -> str:
    if (why := why_no_path(text)) is not None:
        raise PydanticCustomError(
            "no_path", "this names a file, a folder or what is kept as one, and {why}", {"why": why}
        )
    return text


def _can_be_a_name(name: str) -> str:
    """A model's name is printed in tables and stands in names of files."""
    if not name.strip() or not name.isprintable() or name.strip() != name or len(name) > LONGEST_NAME:
        raise PydanticCustomError(
            "model_name",
            "a model's name is one line of 1 to {longest} printable characters, without spaces at its ends",
            {"longest": LONGEST_NAME},
        )
    return name


LONGEST_NAME = 100
PathText = Annotated[str, AfterValidator(_can_be_a_path)]
"""What names a file, a folder, an asset or a repository of the hub."""
ModelName = Annotated[str, AfterValidator(_can_be_a_name)]


class Matrix(Strict):
    """The axes. Each takes one value or a list."""

    precision: Annotated[list[Precision], BeforeValidator(_as_list)] | None = None
    """fp32, bf16, fp16, int8, int8-dynamic, int4, int4-gptq, nf4, fp4."""
    device: Annotated[list[Literal["auto", "cpu", "cuda"]], BeforeValidator(_as_list)] | None = None
    """auto takes the GPU where there is one."""
    seed: Annotated[list[Annotated[int, Field(ge=0, le=LARGEST_SEED)]], BeforeValidator(_as_list)] | None = None
    """Seed of the training of a reference model: each seed is a model of its own."""
    compute: (
        Annotated[list[Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]], BeforeValidator(_as_list)]
        | None
    ) = None
    """Training budget of a reference model in FLOPs: it is trained on compute / (6 · parameters) tokens, all parameters
    counted, in whole steps. Each budget is a model of its own."""
    threads: Annotated[list[Annotated[int, Field(ge=1, le=MOST_THREADS)]], BeforeValidator(_as_list)] | None = None
    """Threads of the worker process; left out, as many as there are cores."""

    @model_validator(mode="after")
    def _values(self) -> Matrix:
        for values in self.axes().values():
            _not_empty_not_twice(values)
        return self

    def axes(self) -> dict[str, list[Any]]:
        """The axes that are given, in order."""
        return {name: values for name in type(self).model_fields if (values := getattr(self, name)) is not None}


class Train(Strict):
    """How a reference model is trained before it is measured. Trained once, then cached by what determines it."""

    corpus: PathText = Field(default="microworld", min_length=1)
    """A text with a train and a validation split (`microworld`, `asset:shakespeare`), or a file, a folder or
    `data:NAME` (of which the end is held out for validation)."""
    held_out: float = Field(default=HELD_OUT, gt=0, lt=1)
    """Part of a corpus without splits that is held out for validation."""
    tokenizer: TokenizerName = "bpe"
    """bpe: a byte-level BPE trained on the corpus; characters: one token per character."""
    vocabulary: int = Field(default=1024, ge=257, le=MOST_VOCABULARY)
    """Size of the byte-level BPE; a character tokenizer has as many tokens as the corpus has characters."""
    context: int = Field(default=256, ge=8, le=MOST_TOKENS)
    """Context length in tokens."""
    tokens: int | None = Field(default=None, gt=0, le=MOST_TOKENS_IN_ALL)
    """Training budget in tokens: give this, or `steps`, or the axis `compute`."""
    steps: int | None = Field(default=None, gt=0, le=MOST_DOCUMENTS)
    """Training budget in steps of the optimizer, `batch` times `sequence` tokens each."""
    batch: int | None = Field(default=None, gt=0, le=MOST_BATCH)
    """Sequences per step; left out, the trainer's default."""
    sequence: int | None = Field(default=None, ge=2, le=MOST_TOKENS)
    """Tokens per sequence; left out, the context."""
    learning_rate: float | None = Field(default=None, gt=0, le=LARGEST)
    """Peak learning rate; left out, the default for the size."""
    schedule: ScheduleName | None = None
    """What the learning rate does after its warm-up: constant, linear, cosine or wsd; left out, cosine."""
    warmup: float | None = Field(default=None, ge=0, le=1)
    """Part of the steps in which the learning rate rises to its peak; 0 leaves the warm-up out; left out, 0.05."""
    final: float | None = Field(default=None, ge=0, le=1)
    """Learning rate at the end as a part of the peak; left out, 0.1."""
    decay: float | None = Field(default=None, gt=0, le=1)
    """Part of the steps after the warm-up in which `wsd` falls; left out, 0.2."""
    optimizer: OptimizerName | None = None
    """adamw, or sgd: the same without adaptive rates; left out, adamw."""
    betas: tuple[float, float] | None = None
    """Adam's: a first one of 0 leaves momentum out (for sgd too); left out, [0.9, 0.95]."""
    weight_decay: float | None = Field(default=None, ge=0, le=LARGEST)
    """Decay of matrices and embeddings; left out, 0.1."""
    gradient_clip: float | None = Field(default=None, gt=0, le=LARGEST)
    """Largest norm of the gradient; left out, 1."""
    blow_up: float | None = Field(default=None, gt=1, le=LARGEST)
    """A loss so many times that of guessing ends the training as diverged; left out, 3. More lets an ablation go on."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Probability of dropping an activation while training; left out, 0."""
    validations: int | None = Field(default=None, gt=0, le=MOST_ITERATIONS)
    """Passes over the validation text, evenly spread, the last one at the end; left out, 2."""
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Seed of initialisation and data order; the `seed` axis replaces it."""

    @model_validator(mode="after")
    def _one_budget(self) -> Train:
        if self.tokens is not None and self.steps is not None:
            raise PydanticCustomError("budget", "a training has `tokens` or `steps`, not both; keep one of them")
        check_at_once(batch=self.batch or 1, sequence=self.sequence or self.context)
        if self.steps is not None:
            check_in_all(steps=self.steps, batch=self.batch or 1, sequence=self.sequence or self.context)
        return self

    @property
    def has_budget(self) -> bool:
        """Whether it says itself how long it goes on."""
        return self.tokens is not None or self.steps is not None


RECIPE = (
    *("tokens", "steps", "batch", "sequence", "learning_rate", "schedule", "warmup", "final", "decay"),
    *("optimizer", "betas", "weight_decay", "gradient_clip", "blow_up", "validations"),
)
"""Keys of `Train` that are settings of the trainer."""

FIRST_STAGE = ("tokenizer", "vocabulary", "context")
"""Keys of `Train` that the first stage of a training settles."""


class Shape(Strict):
    """What a model has other than its preset: sizes, or an idea that is left out."""

    layers: int | None = Field(default=None, ge=1, le=MOST_LAYERS)
    """Transformer blocks."""
    heads: int | None = Field(default=None, ge=1, le=MOST_WIDTH)
    """Attention heads."""
    width: int | None = Field(default=None, ge=1, le=MOST_WIDTH)
    """Width of the residual stream; a multiple of `heads`."""
    ffn_width: int | None = Field(default=None, ge=1, le=MOST_WIDTH)
    """Width of the feed-forward hidden layer; left out, 4 times the width."""
    kv_heads: int | None = Field(default=None, ge=1, le=MOST_WIDTH)
    """Heads of keys and values; left out, as many as `heads`."""
    positions: PositionsName | None = None
    """learned or rotary."""
    norm: Norm | None = None
    """layer, rms, or none: without any."""
    ffn: FFN | None = None
    """gelu, gelu_exact or swiglu."""
    bias: bool | None = None
    """Whether linear layers and norms have biases."""
    residual_scaling: bool | None = None
    """Whether projections into the residual stream start smaller by 1/sqrt(2 layers)."""
    tie_head: bool | None = None
    """Whether the head's weight is the token embedding's."""


class ModelEntry(Strict):
    """One model: `reference` (a preset to train, or a checkpoint folder) or `transformers`."""

    reference: PathText | None = None
    """A preset of reference_impl (`harness list models`) together with `train`, or a folder (a checkpoint, also a
    quantised one, or a GPT-2 or Llama of transformers, run by the reference's own engine), or `asset:NAME`."""
    transformers: PathText | None = None
    """What transformers loads: `asset:NAME`, a folder, or a hub id."""
    revision: PathText | None = None
    """Revision of a hub model."""
    shape: Shape = Shape()
    """What a preset that is trained here has other than its table says."""
    train: (
        Annotated[
            list[Train], Field(min_length=1), BeforeValidator(_as_list, json_schema_input_type=Train | list[Train])
        ]
        | None
    ) = None
    """How the preset is trained: a mapping, or a list of stages, each of which starts from the weights of the one
    before."""
    matrix: Matrix = Matrix()
    """Axes that differ for this model alone."""

    @model_validator(mode="after")
    def _one_kind(self) -> ModelEntry:
        if (self.reference is None) == (self.transformers is None):
            raise PydanticCustomError("kind", "a model is either `reference: ...` or `transformers: ...`")
        if self.transformers is not None and self.train is not None:
            raise PydanticCustomError("train", "only a reference model can be trained; remove `train`")
        if self.reference is not None and self.revision is not None:
            raise PydanticCustomError("revision", "only a hub model has a `revision`")
        if self.train is None and self.shape.given():
            raise PydanticCustomError("shape", "a `shape` needs `train`: only a model that is trained here has one")
        return self

    def parameters(self) -> int | None:
        """Parameters of a model that is trained here; None of others, and where they aren't known yet."""
        if self.train is None or self.reference is None:
            return None
        first = self.train[0]
        training = Training(
            preset=self.reference,
            corpus=first.corpus,
            vocabulary=first.vocabulary,
            context=first.context,
            seed=0,
            tokenizer=first.tokenizer,
            shape=self.shape.given(),
        )
        try:
            return config_size(training.config()).parameters
        except ValueError:  # no such preset, or no such shape: said where the model is resolved
            return None

    @model_validator(mode="after")
    def _stages(self) -> ModelEntry:
        """The first stage settles what a model keeps; each of several says how long it goes on."""
        for number, stage in enumerate(self.train or []):
            settled = [name for name in FIRST_STAGE if name in stage.model_fields_set]
            if number and settled:
                raise PydanticCustomError(
                    "stage",
                    "stage {number} keeps the {name} of the first; remove `{name}` here",
                    {"number": number + 1, "name": settled[0], "key_path": ("train", number, settled[0])},
                )
            if len(self.train or []) > 1 and not stage.has_budget:
                raise PydanticCustomError(
                    "stage",
                    "stage {number} of a training needs `tokens` or `steps` (the axis `compute` is for a training of "
                    "one stage)",
                    {"number": number + 1, "key_path": ("train", number)},
                )
        return self

    @model_validator(mode="after")
    def _of_a_size(self) -> ModelEntry:
        """No more parameters than anyone trains: counted before anything is made of them."""
        parameters = self.parameters()
        if parameters is not None and parameters > MOST_PARAMETERS:
            raise PydanticCustomError(
                "size",
                "this model has {count} parameters, and {most} is the most; make layers, width, vocabulary or context "
                "smaller",
                {"count": f"{parameters:,}", "most": f"{MOST_PARAMETERS:,}"},
            )
        return self


def sweepable(settings: type[BaseModel]) -> type[BaseModel]:
    """The settings class with `T | list[T]` for every field: in a suite, a list is an axis."""
    fields: dict[str, Any] = {}
    for name, info in settings.model_fields.items():
        one: Any = info.annotation
        if info.metadata:
            one = Annotated[(one, *info.metadata)]
        default = ... if info.is_required() else info.get_default(call_default_factory=True)
        several = Annotated[list[one], Field(min_length=1), AfterValidator(_not_twice)]
        fields[name] = (one | several, Field(default, description=info.description))
    return create_model(f"{settings.__name__}InSuite", __base__=Strict, **fields)


SWEEPABLE = {name: sweepable(measure.settings) for name, measure in MEASURES.items()}


def _refuse_nothing(name: str, given: BaseModel | None, settings: type[BaseModel]) -> None:
    """A measure or analysis without settings (`- task:`) has its defaults, where all of its settings have one."""
    wanted = [key for key, info in settings.model_fields.items() if info.is_required()]
    if given is None and wanted:
        raise PydanticCustomError(
            "no_settings", "{name} needs settings: {wanted}", {"name": name, "wanted": ", ".join(wanted), "key": name}
        )


class _MeasureEntry(Strict):
    """One measure with its settings, and where it applies."""

    models: Annotated[list[str], Field(min_length=1), AfterValidator(_not_twice)] | None = None
    """The models it applies to; left out, all."""
    matrix: Matrix = Matrix()
    """Axes that differ for this measure alone."""

    @model_validator(mode="after")
    def _one_measure(self) -> _MeasureEntry:
        given = [name for name in MEASURES if name in self.model_fields_set]
        if len(given) != 1:
            raise PydanticCustomError(
                "one_measure",
                "an entry names exactly one measure: one of {measures}",
                {"measures": ", ".join(MEASURES)},
            )
        _refuse_nothing(given[0], getattr(self, given[0]), SWEEPABLE[given[0]])
        return self

    @property
    def measure(self) -> str:
        """Name of the measure."""
        return next(name for name in MEASURES if name in self.model_fields_set)

    @property
    def settings(self) -> BaseModel:
        """Its settings, lists where they are swept."""
        return getattr(self, self.measure) or SWEEPABLE[self.measure]()


class _AnalysisEntry(Strict):
    """One analysis with its settings."""

    @model_validator(mode="after")
    def _one_analysis(self) -> _AnalysisEntry:
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError(
                "one_analysis",
                "an entry names exactly one analysis: one of {analyses}",
                {"analyses": ", ".join(ANALYSES)},
            )
        _refuse_nothing(self.analysis, getattr(self, self.analysis), ANALYSES[self.analysis].settings)
        return self

    @property
    def analysis(self) -> str:
        """Name of the analysis."""
        return next(iter(self.model_fields_set))

    @property
    def settings(self) -> BaseModel:
        """Its settings."""
        return getattr(self, self.analysis) or ANALYSES[self.analysis].settings()


def _entry(base: type[BaseModel], name: str, parts: dict[str, tuple[type[BaseModel], str]]) -> Any:
    fields: dict[str, Any] = {
        part: (kind | None, Field(None, description=about)) for part, (kind, about) in parts.items()
    }
    return create_model(name, __base__=base, **fields)


MeasureEntry = _entry(
    _MeasureEntry, "MeasureEntry", {name: (SWEEPABLE[name], measure.about) for name, measure in MEASURES.items()}
)
AnalysisEntry = _entry(
    _AnalysisEntry, "AnalysisEntry", {name: (item.settings, item.about) for name, item in ANALYSES.items()}
)


class Tasks(Strict):
    """Where tasks and their documents are found."""

    paths: Annotated[list[PathText], BeforeValidator(_as_list)] = []
    """Folders of task files (lm-evaluation-harness' YAML). The tasks that ship are found without."""
    data: dict[str, PathText | dict[str, PathText]] = {}
    """Local data in place of a task's `dataset_path` (or `dataset_path/dataset_name`): a file or a folder, in which
    `{name}` and `{split}` may stand, or a file for each split."""


class Suite(Strict):
    """A suite: which models, over which axes, which measures, which analyses, what is expected."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    """Letters, digits, dots, dashes and underscores: it names the run folder."""
    about: str = ""
    include: list[str] | str | None = Field(default=None, exclude=True)
    """Suite files to build on, relative to this one; this file wins."""
    models: dict[ModelName, ModelEntry] = {}
    """Left out where only analyses are wanted that need no measurement: of published data, and of assumptions."""
    matrix: Matrix = Matrix()
    measures: list[MeasureEntry] = []  # type: ignore[valid-type]
    tasks: Tasks = Tasks()
    analyse: list[AnalysisEntry] = []  # type: ignore[valid-type]
    expect: list[Expectation] = []

    @model_validator(mode="after")
    def _something_to_do(self) -> Suite:
        if not self.measures and not self.analyse:
            raise PydanticCustomError("nothing", "a suite needs `models` and `measures`, or something to `analyse`")
        if self.measures and not self.models:
            raise PydanticCustomError("nothing", "`measures` need `models` to measure")
        return self

    @model_validator(mode="after")
    def _metrics_exist(self) -> Suite:
        known = list(dict.fromkeys(metric.name for metric in metrics()))
        for number, expectation in enumerate(self.expect):
            if expectation.metric is None:
                continue
            name = expectation.metric.partition("@")[0]
            if name not in known:
                raise PydanticCustomError(
                    "no_metric",
                    "no measure emits the metric '{name}'{hint}; there are: {allowed}",
                    {
                        "name": name,
                        "path": ("expect", number, "metric"),
                        "hint": nearest(name, known),
                        "allowed": ", ".join(known),
                    },
                )
        return self

    @model_validator(mode="after")
    def _one_budget_each(self) -> Suite:
        """Every training has exactly one budget: `tokens`, `steps`, or the axis `compute`."""
        for name, model in self.models.items():
            own = model.matrix.compute
            if model.train is None:
                if own is not None:
                    path, why = (
                        ("matrix", "compute"),
                        "`compute` is a budget of training, and this model has no `train`",
                    )
                    raise PydanticCustomError("budget", why, {"path": ("models", name, *path)})
                continue
            compute = own or self.matrix.compute
            has_budget = model.train[0].has_budget  # of several stages each has one
            if has_budget and compute is not None:
                raise PydanticCustomError(
                    "budget",
                    "this training has `tokens` or `steps`, and the axis `compute` as well; keep one "
                    "(`matrix: {compute: ...}` may stand under the models alone that it is for)",
                    {"path": ("models", name, "train")},
                )
            if not has_budget and compute is None:
                raise PydanticCustomError(
                    "budget",
                    "a training needs a budget: `tokens`, or `steps`, or the axis `compute` in the matrix",
                    {"path": ("models", name, "train")},
                )
        return self

    @model_validator(mode="after")
    def _measures_narrow_budgets(self) -> Suite:
        """A measure's own matrix may choose among budgets; it can't give one to a training that has another."""
        for number, entry in enumerate(self.measures):
            if entry.matrix.compute is None:  # type: ignore[attr-defined]
                continue
            for name in entry.models or self.models:  # type: ignore[attr-defined]
                train = self.models[name].train if name in self.models else None
                if train is not None and train[0].has_budget:
                    raise PydanticCustomError(
                        "budget",
                        "the training of '{name}' has `tokens` or `steps`, so it has no axis `compute`; name the "
                        "models that this measure is for (`models: [...]`)",
                        {"name": name, "path": ("measures", number, "matrix", "compute")},
                    )
        return self

    @model_validator(mode="after")
    def _budgets_end(self) -> Suite:
        """No budget that pays for more tokens than anyone trains on."""
        places: list[tuple[tuple[str | int, ...], Matrix, Any]] = [(("matrix", "compute"), self.matrix, self.models)]
        places += [(("models", name, "matrix", "compute"), model.matrix, [name]) for name, model in self.models.items()]
        places += [
            (("measures", number, "matrix", "compute"), entry.matrix, entry.models or self.models)  # type: ignore[attr-defined]
            for number, entry in enumerate(self.measures)
        ]
        for path, matrix, names in places:
            largest = max(matrix.compute or [0.0])
            trained = [self.models[name] for name in names if name in self.models]
            sizes = [size for model in trained if largest and (size := model.parameters())]
            if sizes and (tokens := largest / (6 * min(sizes))) > MOST_TOKENS_IN_ALL:
                raise PydanticCustomError(
                    "budget",
                    "a budget of {compute} FLOPs pays for {tokens} tokens of a model of {size} parameters, and {most} "
                    "is the most; lower it",
                    {
                        "path": path,
                        "compute": f"{largest:g}",
                        "tokens": f"{tokens:.3g}",
                        "size": f"{min(sizes):,}",
                        "most": f"{MOST_TOKENS_IN_ALL:,}",
                    },
                )
        return self

    @model_validator(mode="after")
    def _models_exist(self) -> Suite:
        for number, entry in enumerate(self.measures):
            for position, name in enumerate(entry.models or []):  # type: ignore[attr-defined]
                if name not in self.models:
                    raise PydanticCustomError(
                        "no_model",
                        "the suite has no model '{name}'{hint}; it has: {allowed}",
                        {
                            "name": name,
                            "path": ("measures", number, "models", position),
                            "hint": nearest(name, self.models),
                            "allowed": ", ".join(self.models),
                        },
                    )
        return self
