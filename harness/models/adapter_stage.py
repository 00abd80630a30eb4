"""A folder of `peft` as a model: its adapter is merged into its base once, and what comes of it is an ordinary one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.cache import cache_folder
from harness.errors import UserError
from harness.file_digest import file_sha256
from harness.models.contract import ModelSource
from harness.models.digest import hash_of
from reference_impl.alignment.stages.start_folder import ADAPTER, ADAPTER_WEIGHTS

METHOD = "merge"


@dataclass(frozen=True)
class AdapterMerge:
    """Which adapter. What it is of is what the stage starts from."""

    adapter: str
    """Its folder."""

    @property
    def method(self) -> str:
        """See `Stage`."""
        return METHOD

    @property
    def what(self) -> str:
        """See `Stage`."""
        return f"merge the adapter {self.adapter}"

    @property
    def length(self) -> str:
        """See `Stage`."""
        return "once"

    @property
    def texts(self) -> tuple[str, ...]:
        """See `Stage`."""
        return ()

    @property
    def work(self) -> float | None:
        """See `Stage`."""
        return 0.0


def merged_source(name: str, adapter: Path, base: ModelSource, code: str, place: str) -> ModelSource:
    """Where the merged model is kept, under the digest of the adapter and of what it is merged into. Raises UserError
    where the adapter's files can't be read."""
    try:
        files = [[file, file_sha256(adapter / file)] for file in (ADAPTER, ADAPTER_WEIGHTS)]
    except OSError as error:
        raise UserError(f"this adapter can't be read ({error.strerror}): copy it again", place=place) from None
    digest = hash_of({METHOD: files, "before": base.digest, "code": code})
    return ModelSource(name, "transformers", str(cache_folder("models") / f"{METHOD}-{digest[:24]}"), digest)
