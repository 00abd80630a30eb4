"""What the harness gets right of an architecture: a tiny random model of it is opened, scored and continued, and
compared with plain whole passes of `transformers`, each text by itself. The rows are the table of docs/models.md.

    python -m tests.harness.models.support          # examine all architectures and write the table
"""

from __future__ import annotations

import copy
import inspect
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.errors import UserError
from harness.models.contract import LanguageModel, ModelSource, Precision
from harness.models.decoding import complete
from harness.models.open import open_model
from harness.scoring.engine import score
from harness.scoring.loglikelihood import token_nlls
from harness.scoring.request import Scored
from harness.scoring.windows import sliding_windows
from reference_impl.decoding.request import Request
from tests.harness.models.architectures import ARCHITECTURES, VOCABULARY, Architecture
from tests.harness.models.quantization_oracle import check_precision
from tests.tiny_models import save_byte_pairs

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
BEGIN, END = "<!-- support table: begin -->", "<!-- support table: end -->"
HEADER = ("Architecture", "Scores", "Cache", "Generation", "Batch", "Quantized", "Why not")
SCALE = 0.3
"""Of the weights that the table is made with."""
TEXT, NEW = 90, 14
PROMPTS = (3, 19, 44)
WINDOWS = ((TEXT, TEXT // 2), (13, 5))
FORMATS: tuple[Precision, ...] = ("bf16", "int8", "int4", "nf4")
"""What the column `Quantized` is about: see `quantization_oracle`."""


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    architecture: str
    scores: str
    cache: str
    generation: str
    batch: str
    quantized: str
    why: str

    @property
    def right(self) -> bool:
        """Whether every number is that of plain whole passes."""
        return not any("wrong" in cell for cell in (self.scores, self.generation, self.batch, self.quantized))

    @property
    def line(self) -> str:
        """As Markdown."""
        cells = (self.architecture, self.scores, self.cache, self.generation, self.batch, self.quantized, self.why)
        return f"| {' | '.join(cells)} |"


def tokenizer_file(folder: Path) -> Path:
    """A tokenizer of `VOCABULARY` ids."""
    words = "the cat sat on the mat and the dog ran away while the birds sang in old trees by the river "
    return save_byte_pairs(folder / "tokenizer.json", [words * 20], VOCABULARY)


def examine(
    architecture: Architecture,
    folder: Path,
    tokenizer: Path,
    scale: float = SCALE,
    seed: int = 0,
    formats: Sequence[Precision] = (),
) -> Row:
    """Save a random model, open it, and compare it, in fp32 and in these formats."""
    architecture.save(folder, tokenizer, scale, seed)
    try:
        model = open_model(ModelSource(architecture.name, "transformers", str(folder), f"{architecture.name} {scale}"))
    except UserError as refused:
        why = refused.message.partition("; give")[0].partition(", not ")[0]
        return Row(architecture.name, "refused", "", "", "", "", why)
    plain = Plain(folder, model)
    expected = [plain.greedy(prompt) for prompt in plain.prompts]
    together, alone = (_continued(model, plain.prompts, rows) for rows in (True, False))
    behavior = model.identity.cache
    how = "right" if behavior.tree else "right, one by one"
    placed = "right" if behavior.divisible else "right, one at a time"
    kind = "none" if behavior.kind == "none" else behavior.kind
    return Row(
        architecture=architecture.name,
        scores=how if _windows_agree(model, plain, scale) and _choices_agree(model, plain, scale) else "wrong",
        cache=kind if behavior.limit is None else f"{kind}, up to a length",
        generation="right" if alone == expected else "wrong",
        batch=placed if together == expected else "wrong",
        quantized=_quantized(folder, formats),
        why="" if not behavior.reason else _reason(behavior.reason),
    )


def _quantized(folder: Path, formats: Sequence[Precision]) -> str:
    """Whether every weight is what each format says, and what no format takes."""
    tokens = torch.randint(VOCABULARY, (1, 24), generator=torch.Generator().manual_seed(3))
    wide: set[str] = set()
    wrong, refused = [], []
    for precision in formats:
        try:
            stored = check_precision(folder, precision, tokens)
        except UserError:
            refused.append(precision)
        except AssertionError as error:
            wrong.append(f"wrong in {precision} ({str(error).splitlines()[0]})")
        else:
            wide |= {".".join(w.name.split(".")[-2:]) for w in stored.wide if w.reason.startswith("a parameter of")}
    if wrong or not formats:
        return "; ".join(wrong)
    told = ["right" if len(refused) < len(formats) else ""]
    told += [f"refused: {', '.join(refused)}"] if refused else []
    told += [f"wide: {', '.join(sorted(wide))}"] if wide else []
    return "; ".join(filter(None, told))


def _reason(text: str) -> str:
    """Without what a class says in its own way."""
    return text.partition(" (")[0] if text.startswith("its class") else text


class Plain:
    """The oracle: one pass of the `transformers` model over just the tokens of a text, each as if it were the first."""

    def __init__(self, folder: Path, model: LanguageModel) -> None:
        from transformers import AutoModelForCausalLM

        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.keeps_lengths = "dynamic" in str(getattr(self.model.config, "rope_parameters", ""))
        self.takes = inspect.signature(self.model.forward).parameters
        generator = torch.Generator().manual_seed(1)
        self.text = torch.randint(VOCABULARY, (2 * TEXT,), generator=generator).tolist()
        longest = model.identity.context - NEW
        self.prompts = [self.text[7 * n : 7 * n + min(size, longest)] for n, size in enumerate(PROMPTS)]

    @torch.inference_mode()
    def log_probs(self, ids: Sequence[int]) -> torch.Tensor:
        """(time, vocabulary) fp64."""
        model = copy.deepcopy(self.model) if self.keeps_lengths else self.model
        given = {"use_cache": False} if "use_cache" in self.takes else {}
        return model(input_ids=torch.tensor([list(ids)]), **given).logits[0].double().log_softmax(-1)

    def greedy(self, prompt: Sequence[int]) -> list[int]:
        """The likeliest tokens, one after the other."""
        ids = list(prompt)
        for _ in range(NEW):
            ids.append(int(self.log_probs(ids)[-1].argmax()))
        return ids[len(prompt) :]


def _continued(model: LanguageModel, prompts: list[list[int]], together: bool) -> list[list[int]]:
    asked = [Request(tuple(prompt), NEW) for prompt in prompts]
    found = complete(model, asked) if together else [complete(model, [one])[0] for one in asked]
    return [list(one.tokens) for one in found]


def _windows_agree(model: LanguageModel, plain: Plain, scale: float) -> bool:
    documents = [plain.text, plain.text[:20]]
    for window, stride in WINDOWS:
        for ids, found in zip(documents, token_nlls(model, documents, window, stride), strict=True):
            for start, end, first in sliding_windows(len(ids), window, stride):
                log_probs = plain.log_probs(ids[start : end - 1])
                expected = [-log_probs[place - 1 - start, ids[place]] for place in range(first, end)]
                if not _near(torch.tensor(found[first - 1 : end - 1]), torch.stack(expected), scale):
                    return False
    return True


def _choices_agree(model: LanguageModel, plain: Plain, scale: float) -> bool:
    asked = [
        Scored((*plain.text[:given], *plain.text[TEXT + size : TEXT + 2 * size]), given)
        for given in (3, 20, 60)
        for size in (1, 4, 9)
    ]
    for request, found in zip(asked, score(model, asked), strict=True):
        log_probs = plain.log_probs(request.read)[request.start - 1 :]
        expected = log_probs.gather(1, torch.tensor(request.ids[request.start :])[:, None])[:, 0]
        if not _near(torch.tensor(found.log_probs), expected, scale):
            return False
    return True


def _near(ours: torch.Tensor, theirs: torch.Tensor, scale: float) -> bool:
    """Whether they agree to within rounding, which grows with the scale of the weights."""
    return torch.allclose(ours.double(), theirs.double(), atol=1e-3 * max(scale, 0.1), rtol=1e-5)


def table(rows: Sequence[Row]) -> str:
    """The table as it stands in the page."""
    rule = "|" + "---|" * len(HEADER)
    return "\n".join([BEGIN, f"| {' | '.join(HEADER)} |", rule, *(row.line for row in rows), END])


def table_in_page() -> str:
    """The table of the page, its marks included."""
    page = PAGE.read_text()
    return page[page.index(BEGIN) : page.index(END) + len(END)]


def main() -> None:
    """Examine all and write the page's table."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = tokenizer_file(Path(scratch))
        for number, architecture in enumerate(ARCHITECTURES):
            rows.append(examine(architecture, Path(scratch, str(number)), tokenizer, formats=FORMATS))
            print(rows[-1].line, file=sys.stderr)
    PAGE.write_text(PAGE.read_text().replace(table_in_page(), table(rows)))


if __name__ == "__main__":
    main()
