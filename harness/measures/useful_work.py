"""The work that a pass through the model must do, whoever does it: the numerators of MFU and MBU.

Useful work only. What an implementation does beside it (masked halves, recomputation, padding) earns nothing.
"""

from harness.models.contract import ModelIdentity


def prefill_flops(identity: ModelIdentity, batch: int, prompt: int) -> float:
    """Floating-point operations of a prefill of `batch` prompts of `prompt` tokens, logits at the last token only.

    2 per parameter of a matrix product and token (the look-up of an embedding is none; the head works
    at one token, tied or not), and per layer and token at position t the two products of causal attention over the t
    tokens so far, 2 · 2 · width · t. That is PaLM's counting (Chowdhery et al. 2022, appendix B: forward part)
    without its simplification of full attention, and with the head only where it runs.
    """
    body = 2 * (identity.parameters_matmul - identity.parameters_head) * prompt
    head = 2 * identity.parameters_head
    attention = 4 * identity.layers * identity.width * prompt * (prompt + 1) // 2
    return float(batch * (body + head + attention))


def decode_bytes(identity: ModelIdentity, batch: int, prompt: int, generate: int) -> float:
    """Bytes that one decode step must read, averaged over the `generate` - 1 steps after the first token.

    All weights that take part once for the whole batch (`weight_bytes_read`), and for each sequence the keys and values
    of every token so far: step j = 1 … generate - 1 attends to prompt + j tokens, prompt + generate/2 on average.
    Layers with a sliding window hold fewer (`ModelIdentity.kv_bytes`); a recurrent state is read whole.
    """
    held = identity.kv_bytes(prompt + generate / 2) + identity.cache.state_bytes
    return identity.weight_bytes_read + batch * held


def training_flops_per_token(identity: ModelIdentity, sequence: int) -> float:
    """Floating-point operations of training on one token of a sequence of `sequence`, logits everywhere.

    The backward pass takes two matrix products for each one of the forward pass (Kaplan et al. 2020, section 2.1); a
    forward pass takes 2 per parameter of a matrix product, and causal attention to (sequence + 1)/2 tokens on average.
    Recomputed activations are no useful work.
    """
    return 3.0 * (2 * identity.parameters_matmul + 2 * identity.layers * identity.width * (sequence + 1))
