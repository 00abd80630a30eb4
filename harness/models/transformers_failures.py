"""What a library says where a checkpoint can't be loaded, as one sentence with the fix."""

from __future__ import annotations

import re

from harness.errors import told
from harness.models.known_architectures import unknown_architecture

LONGEST = 300
"""Characters of what a library says that are repeated."""


def what_went_wrong(error: BaseException, otherwise: str) -> str:
    """What can be done about an error of the library. otherwise: what is told of one that says nothing known."""
    text = str(error)
    if "Unrecognized configuration class" in text:
        return "this is not a causal language model: transformers has no such head for its architecture"
    if "trust_remote_code" in text:
        return "this model needs its own code: if you trust it, run again with --trust-remote-code"
    if kind := re.search(r"model type `(.*?)` but Transformers does not recognize", text):
        return unknown_architecture(kind[1])
    if "no file named" in text and "safetensors" in text:
        return "this model has no weights in safetensors: convert its files (`save_pretrained` of transformers does)"
    if any(word in text.lower() for word in ("connect", "offline", "couldn't find them in the cached files")):
        return "the hub can't be reached and this model is not in its cache: go online, or give a local folder"
    if "is not a local folder and is not a valid model identifier" in text:
        return (
            "there is neither such a folder nor such a model on the hub: check the name (a private one needs a token)"
        )
    return f"{otherwise} ({first_line(error)}): is it this model's own config.json, and the whole checkpoint?"


def first_line(error: BaseException) -> str:
    """What an error says, without the names of classes before it and the lines after it."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    if not lines or isinstance(error, KeyError | AttributeError | TypeError):  # of code, not of people
        return told(error)
    first = " ".join(lines[:3]) if lines[0].endswith(":") else lines[0]
    bare = re.sub(r"^((Class v|V)alidation error for .*?: )?(\w+(Error|Exception): )?", "", first).rstrip(".")
    return bare if len(bare) <= LONGEST else f"{bare[:LONGEST]} …"
