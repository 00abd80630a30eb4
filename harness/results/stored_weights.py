"""How the weights of a model lie in memory: bytes by format, and which matrices stayed in a wider one."""

from __future__ import annotations

from harness.strict_models import Kept


class FormatBytes(Kept):
    """The tensors of one format."""

    format: str
    """fp32, bf16, int8, int4 … A quantized weight is one tensor, its scales included."""
    tensors: int
    bytes: int


class WideWeights(Kept):
    """Matrices that a quantization left in a wider format: one name, or one that many layers have."""

    name: str
    """Numbers of layers and experts are written as `*`."""
    tensors: int
    format: str
    bytes: int
    reason: str


class StoredWeights(Kept):
    """All that a loaded model stores, each tensor once, tied ones too."""

    formats: tuple[FormatBytes, ...]
    """The largest first."""
    wide: tuple[WideWeights, ...] = ()
    """Empty where nothing was quantized, and where nothing was left."""

    @property
    def bytes(self) -> int:
        """Bytes of all weights."""
        return sum(each.bytes for each in self.formats)

    @property
    def wide_share(self) -> float:
        """Which part of the bytes the matrices take that stayed wide."""
        return sum(each.bytes for each in self.wide) / self.bytes if self.bytes else 0.0
