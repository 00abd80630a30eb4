"""Whether a model is on the hub, or in its local cache, asked before anything is loaded."""

from __future__ import annotations

from harness.errors import shown

SECONDS = 5.0
"""To answer in."""
UNREACHABLE = "the hub can't be reached from here"


def why_not_on_hub(repository: str, revision: str | None = None) -> str | None:
    """Why a model can't be had from the hub, as the end of a sentence; None where it is there, or in the hub's cache of
    this machine."""
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    name = shown(repository)
    try:
        if isinstance(try_to_load_from_cache(repository, "config.json", revision=revision), str):
            return None
        HfApi().model_info(repository, revision=revision, timeout=SECONDS)
    except HFValidationError:
        return f"'{name}' can't be a name of the hub either (OWNER/NAME)"
    except GatedRepoError:
        return "the hub gives it only to those who accepted its terms; do so on its page, then `hf auth login`"
    except RevisionNotFoundError:
        return f"the hub's model has no revision '{shown(str(revision))}'"
    except RepositoryNotFoundError:
        return "the hub has no such model (a private one needs `hf auth login`)"
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        return f"the hub does not answer (status {status})" if status else UNREACHABLE
    except Exception as error:  # no network, a proxy: in the words of whatever HTTP library huggingface_hub uses
        return "the hub is switched off (HF_HUB_OFFLINE)" if isinstance(error, OfflineModeIsEnabled) else UNREACHABLE
    return None
