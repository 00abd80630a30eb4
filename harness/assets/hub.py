"""Files of a Hugging Face repository at one commit, brought by `huggingface_hub` (an optional package)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.assets.declaration import Hub, Part
from harness.errors import UserError

OnProgress = Callable[[int, int], None]


def download(address: Hub, parts: tuple[Part, ...], folder: Path, on_progress: OnProgress) -> None:
    """Download the files of `parts`, named without wildcards, to `folder` under their own names.

    Goes on where an earlier download broke off. Raises UserError without `huggingface_hub` or without a connection.
    """
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise UserError("this asset comes from the Hugging Face hub; `pip install gpt-harness[hub]`") from None
    size, done = sum(part.size for part in parts), 0
    for part in parts:
        on_progress(done, size)
        try:
            hf_hub_download(
                address.repository,
                part.pattern,
                repo_type=address.repository_type,
                revision=address.commit,
                local_dir=folder,
            )
        except OSError as error:  # what huggingface_hub raises for a missing file and for no connection alike
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UserError(f"the hub did not give '{part.pattern}': {reason}") from error
        done += part.size
    on_progress(size, size)
