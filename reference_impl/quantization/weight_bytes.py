"""How many bytes a model's weights take, and how many of them one decode step reads.

Counted from the tensors that are really there, so it holds for every precision and for models that aren't ours.
"""

from collections.abc import Iterable, Iterator

from torch import Tensor, nn

from reference_impl.quantization.quantized_modules import QuantizedEmbedding


def weight_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers, quantization scales included, shared tensors once."""
    return _bytes_once(model.modules())


def weight_bytes_read(model: nn.Module) -> int:
    """Bytes that one decode step reads: all, less the embeddings that are only looked up.

    A tied embedding counts, because the head reads it. The few rows that a look-up does read are left out.
    """
    return _bytes_once(_all_but_embeddings(model))


def _all_but_embeddings(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, nn.Embedding | QuantizedEmbedding):
        return
    yield module
    for child in module.children():
        yield from _all_but_embeddings(child)


def _bytes_once(modules: Iterable[nn.Module]) -> int:
    seen: dict[tuple[object, int, int], int] = {}
    for module in modules:
        tensors: list[Tensor] = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        for tensor in tensors:
            # Tensors without memory (on the meta device) can only be told apart as objects.
            address = tensor.data_ptr() or id(tensor)
            seen[tensor.device, address, tensor.nbytes] = tensor.nbytes
    return sum(seen.values())
