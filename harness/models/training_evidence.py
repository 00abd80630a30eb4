"""What is known of a training beside its weights: what was asked for, its curve, and where it ran.

A suite's model is trained once and cached, so a measure of its training reads what was kept then: `training.json`,
which the trainer writes (settings, loss curve), and `evidence.json`, which says what was asked for, on which machine it
ran and how much memory it took. The trainer's word for the loss is not taken: `validation_parts` reads the validation
text with the kept weights again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from harness import kept_file
from harness.errors import Unsupported, UserError, told
from harness.file_digest import FileState, file_state, is_settled
from harness.models.adapter_stage import AdapterMerge
from harness.models.alignment import Alignment, alignment_summary
from harness.models.checkpoint_stage import CheckpointOf, why_unreached
from harness.models.contract import LanguageModel
from harness.models.digest import why_not_whole
from harness.models.encoded_corpus import encoded
from harness.models.stage import Stage
from harness.models.training import Training, trained_summary
from harness.notice import notice
from harness.strict_models import Kept
from reference_impl.training.result import Progress as Progress
from reference_impl.training.result import TrainingResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from reference_impl.alignment.stages.result import StageResult

EVIDENCE = "evidence.json"
CHECKPOINT = "checkpoint.json"
PARTS = 100
"""Contiguous parts of the validation text, the units of its interval. Neighboring windows are of one document, so a
window is no unit."""
TOKENS_AT_ONCE = 2048
"""Tokens that are read at once: fewer where that made more logits than `LOGITS_AT_ONCE`."""
LOGITS_AT_ONCE = 64_000_000
"""256 MB in fp32."""

_RESULT = TypeAdapter(TrainingResult)


class Evidence(Kept):
    """`evidence.json`: of one training."""

    training: Training | Alignment | CheckpointOf | AdapterMerge
    """What was asked for."""
    worker_class: str
    """Fingerprint class of the machine, as the process that trained saw it before it was pinned."""
    threads: int
    device: str
    peak_memory: int
    """Most memory held while training, in bytes, above what the process held before, its texts encoded by then."""
    meter: str
    """How that was read."""
    before: dict[str, Any]
    """What the machine was doing (`harness.results.conditions.conditions`)."""
    after: dict[str, Any]
    folder: str = ""
    """Name of the folder that it was trained for: a cached model in another's place is none."""
    checkpoint_sha256: str = ""
    """sha256 of `checkpoint.json`, which holds those of the weights, the tokenizer and the curve."""


def keep_evidence(folder: Path, evidence: Evidence) -> None:
    """Write it beside the checkpoint: last, for with it the folder is whole."""
    own = {"folder": folder.name, "checkpoint_sha256": kept_file.content_sha256(folder / CHECKPOINT)}
    kept_file.write_json(folder / EVIDENCE, evidence.model_copy(update=own).model_dump_json(indent=2), EVIDENCE)


def is_trained(folder: Path) -> bool:
    """Whether a suite trained the model of this folder of the cache, and all of it is as it was written then.

    What is damaged, or stands in another model's place, is told of: it is trained again where it is needed.
    """
    if not folder.is_dir():
        return False
    states = tuple(file_state(path) for path in sorted(folder.iterdir()))
    if (folder, states) in _trained:
        return True
    try:
        found = Evidence.model_validate_json(kept_file.read_json(folder / EVIDENCE, EVIDENCE))
        why = _why_other(folder, found) or why_not_whole(folder)
        if found.folder != folder.name:
            why = f"it is the model of {found.folder}"
    except (OSError, ValueError) as error:
        why = told(error)
    if why is not None:
        notice(f"{folder}: {why}; this trained model is not believed and is trained again where it is needed")
    elif is_settled(states):
        _trained.add((folder, states))
    return why is None


_trained: set[tuple[Path, tuple[FileState, ...]]] = set()
"""Folders that were found whole, with the states of their files: asked once for every cell."""


def _why_other(folder: Path, evidence: Evidence) -> str | None:
    if evidence.checkpoint_sha256 == kept_file.content_sha256(folder / CHECKPOINT):
        return None
    return f"{CHECKPOINT} is another than when it was written"


def kept_summary(training: Stage, folder: Path) -> dict[str, Any]:
    """How the training that made a folder's model went, for the manifest; empty where the folder does not say."""
    return trained_summary(folder) if training.method == "pretrain" else alignment_summary(folder)


def training_evidence(folder: Path) -> tuple[Evidence, TrainingResult]:
    """What a checkpoint's folder says of its pretraining. Raises Unsupported where a suite did not pretrain it, or did
    something else with it after."""
    with _told(folder):
        evidence = _evidence(folder)
        if not isinstance(evidence.training, Training):
            raise Unsupported(
                f"this model's last stage is {evidence.training.method}, which has no validation text; the measure "
                "`alignment` says how it went, and its pretraining is a model of its own (`from: ...`)"
            )
        return evidence, _RESULT.validate_json((folder / "training.json").read_bytes())


def alignment_evidence(folder: Path) -> tuple[Evidence, StageResult]:
    """What a folder says of the stage of alignment that made its model. Raises Unsupported where that was none, or one
    outside a suite, and UserError where it can't be read."""
    from reference_impl.alignment.stages.result import read_result

    with _told(folder):
        evidence = _evidence(folder)
        if (why := why_unreached(folder)) is not None:
            raise Unsupported(why)
        if isinstance(evidence.training, Training | AdapterMerge):
            raise Unsupported("this model's last stage is none of alignment; give it one such as `train: {ppo: ...}`")
        return evidence, read_result(folder)


def _evidence(folder: Path) -> Evidence:
    try:
        return Evidence.model_validate_json(kept_file.read_json(folder / EVIDENCE, EVIDENCE))
    except kept_file.Unsealed:  # kept by an earlier version, in a folder that a suite names
        evidence = Evidence.model_validate_json((folder / EVIDENCE).read_bytes())
        if evidence.checkpoint_sha256:
            raise
        return evidence


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """What can't be read is a sentence."""
    try:
        yield
    except FileNotFoundError:
        raise Unsupported(
            "this model was not trained by a suite, so nothing is known of its training; give it `train: ...`"
        ) from None
    except (ValueError, OSError) as error:
        raise UserError(
            f"the record of the training can't be read ({told(error)}); delete the folder", place=str(folder)
        ) from None


def validation_parts(model: LanguageModel, training: Training, sequence: int) -> list[dict[str, Any]]:
    """The validation text of a training, read with the model as the trainer reads it: windows of `sequence` tokens side
    by side, each without what stands before it. One row per part: summed NLL in nats, tokens, bytes, digests."""
    import numpy as np

    tokens = encoded(training)[2]
    nlls = _token_nlls(model, tokens, sequence)
    starts = np.arange(0, len(nlls), sequence)
    rows = []
    for number, windows in enumerate(np.array_split(starts, min(PARTS, len(starts)))):
        first, end = int(windows[0]), min(int(windows[-1]) + sequence, len(nlls))
        ids = [int(token) for token in tokens[first + 1 : end + 1]]
        rows.append(
            {
                "document": number,
                "nll": float(nlls[first:end].sum()),
                "tokens": end - first,
                "bytes": sum(model.tokenizer.token_bytes(ids)),
                "text_digest": hashlib.sha256(model.tokenizer.decode(ids).encode()).hexdigest()[:16],
                "ids_digest": hashlib.sha256(np.asarray(ids, dtype=np.int64).tobytes()).hexdigest()[:16],
            }
        )
    return rows


def _token_nlls(model: LanguageModel, tokens: NDArray[np.unsignedinteger], sequence: int) -> NDArray[np.float64]:
    """(time - 1,) negative log-likelihood of every token but the first, in nats."""
    import numpy as np
    import torch

    from reference_impl.training.batches import validation_batches

    found = []
    device = model.identity.device
    with torch.inference_mode():
        at_once = min(TOKENS_AT_ONCE, LOGITS_AT_ONCE // model.identity.vocabulary)
        for inputs, targets in validation_batches(tokens, batch=max(at_once // sequence, 1), sequence=sequence):
            logits = model.forward(inputs.to(device)).float().flatten(0, 1)
            nll = torch.nn.functional.cross_entropy(logits, targets.flatten().to(device), reduction="none")
            found.append(nll.double().cpu().numpy())
    return np.concatenate(found)[: len(tokens) - 1]
