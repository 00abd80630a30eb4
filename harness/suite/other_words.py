"""What other tools call the values that a suite knows: `float16` is `fp16` here. Data for one sentence's hint."""

from __future__ import annotations

from collections.abc import Mapping

_PRECISIONS: Mapping[str, tuple[str, ...]] = {
    "fp32": ("float32", "float", "f32", "single", "full", "32", "32bit"),
    "bf16": ("bfloat16", "bfloat", "brainfloat16"),
    "fp16": ("float16", "f16", "half"),
    "fp16 or bf16": ("16", "16bit", "mixed"),
    "int8": ("8", "8bit", "i8", "q8", "q8_0", "load_in_8bit", "llm.int8", "llm.int8()", "w8a16"),
    "int8-dynamic": ("w8a8", "dynamic"),
    "int4": ("4", "4bit", "i4", "q4", "q4_0", "q4_1", "q4_k", "q4_k_m", "q4_k_s", "load_in_4bit", "w4a16", "awq"),
    "int4-gptq": ("gptq", "gptq-4bit", "gptq-int4"),
    "nf4": ("normalfloat4", "bnb-nf4", "qlora", "bnb-4bit"),
    "fp4": ("float4", "bnb-fp4"),
}
_DEVICES: Mapping[str, tuple[str, ...]] = {
    "cuda": ("gpu", "nvidia", "cuda:0", "cuda0", "gpu:0", "0"),
    "cpu": ("none", "host", "processor", "cpu:0"),
}
_NOWHERE = frozenset(
    {
        "fp8",
        "float8",
        "fp64",
        "float64",
        "double",
        "f64",
        "tf32",
        "int2",
        "int3",
        "int16",
        "2bit",
        "3bit",
        "6bit",
        "q6_k",
    }
    | {"q2_k", "q3_k", "q5_k", "q5_k_m", "mps", "metal", "rocm", "tpu", "xpu", "npu", "vulkan"}
)
"""What no value here stands for, however like one it is."""
_MEANT: Mapping[str, dict[str, str]] = {
    key: {other: ours for ours, others in words.items() for other in others}
    for key, words in (("precision", _PRECISIONS), ("device", _DEVICES))
}


KEYS: Mapping[str, str] = {
    **{"limit": "documents", "num_fewshot": "shots", "n_shot": "shots", "fewshot": "shots", "tasks": "task"},
    **{"apply_chat_template": "chat", "gen_kwargs": "generation", "system_instruction": "system"},
    **{"pretrained": "transformers", "hf": "transformers", "model": "transformers", "path": "transformers"},
    **{"dtype": "precision", "batch_size": "batch", "prompt_length": "prompt", "max_new_tokens": "generate"},
    **{"max_steps": "steps", "lr": "learning_rate", "dataset": "corpus", "seeds": "seed", "devices": "device"},
}
"""Keys of other tools, and what they are here."""


def meant(key: str, word: object) -> str | None:
    """What a value of an axis is called here, such as `fp16` for `float16`; empty where there is none such here, None
    where it is not known what is meant."""
    plain = str(word).strip().lower().removeprefix("torch.").removeprefix("torch_").replace("bits", "bit")
    known = _MEANT.get(key, {})
    joined = plain.replace("-bit", "bit").replace("_bit", "bit").replace(" bit", "bit")
    found = next((known[form] for form in (plain, plain.replace("-", "_"), joined) if form in known), None)
    return "" if found is None and known and joined in _NOWHERE else found
