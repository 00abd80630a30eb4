"""Every flag of `lm_eval run` 0.4.13, with what it is here. docs/from-lm-eval.md shows the same table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Takes = Literal["nothing", "one", "several", "pairs", "perhaps"]
"""What stands behind a flag: several words, several `key=value`, or perhaps one of the words of `Flag.words`."""


@dataclass(frozen=True)
class Flag:
    """One flag of lm-eval."""

    name: str
    """With underscores; dashes are taken too."""
    letters: str = ""
    takes: Takes = "one"
    own: str = ""
    """The option of `harness eval` that means the same; several words where it brings its value along."""
    note: str = ""
    """It changes no number here: what is told, and the run goes on."""
    instead: str = ""
    """It can't be done here: what to write in its place."""
    words: tuple[str, ...] = ()
    """What may stand behind one that takes a word perhaps; none: any word."""
    translated: bool = False
    """Whether its value needs more than another name: `lm_eval_line` knows."""


_PASSES = "the harness plans its forward passes itself"
_LOGGERS = "write `--log-to wandb:PROJECT`, or mlflow or tensorboard: it tells them of the whole run"

FLAGS = (
    Flag("config", "C", translated=True),
    Flag("tasks", "t", "several", own="--tasks", translated=True),
    Flag("model", "mM", translated=True),
    Flag("model_args", "a", "pairs", translated=True),
    Flag("apply_chat_template", "", "perhaps", own="--chat", translated=True),
    Flag("limit", "lL", own="--limit"),
    Flag("use_cache", "c", note="results are always kept in the cache of the harness (`--no-cache` to measure anew)"),
    Flag("num_fewshot", "f", own="--shots"),
    Flag("batch_size", "b", own="--batch"),
    Flag("max_batch_size", note=_PASSES),
    Flag("device", "d", own="--device", translated=True),
    Flag("gen_kwargs", "", "pairs", own="--gen", translated=True),
    Flag("output_path", "o", own="--lm-eval", translated=True),
    Flag("log_samples", "s", "nothing", note="the samples of every run are kept in its folder, and `--output_path DIR` "
         "(here `--lm-eval DIR`) writes them as lm-eval does"),
    Flag("samples", "E", own="--document-ids", translated=True),
    Flag("cache_requests", "", "perhaps", note="prompts are made anew in each run, which takes seconds",
         words=("true", "refresh", "delete")),
    Flag("check_integrity", "", "nothing", note="every run checks its tasks before it asks them"),
    Flag("system_instruction", own="--system"),
    Flag("fewshot_as_multiturn", "", "perhaps", own="--one-turn", words=("true", "1", "yes", "false", "0", "no"),
         translated=True),
    Flag("include_path", "i", own="--tasks-path", translated=True),
    Flag("verbosity", "v", note="what a person should know is always told; logs are in the run's folder"),
    Flag("write_out", "w", "nothing", note="`harness explain RUN TASK 0` shows a prompt as the model read it"),
    Flag("show_config", "", "nothing", note="`--save-suite FILE` writes what is asked, and so does the run's manifest"),
    Flag("wandb_args", "", "pairs", instead=_LOGGERS),
    Flag("wandb_config_args", "", "pairs", instead=_LOGGERS),
    Flag("trackio_args", "", "pairs", instead=_LOGGERS),
    Flag("hf_hub_log_args", "", "pairs", instead="nothing is uploaded from here: run without it, then upload the files "
         "that `--lm-eval DIR` writes (`hf upload`)"),
    Flag("predict_only", "x", "nothing", instead="leave it out: answers are always kept, in the run's `samples/`, and "
         "judged besides"),
    Flag("seed", own="--seed", translated=True),
    Flag("trust_remote_code", "", "nothing", own="--trust-remote-code"),
    Flag("confirm_run_unsafe_code", "", "nothing", own="--allow-code-execution"),
    Flag("metadata", "", "pairs", own="--metadata", translated=True),
)  # fmt: skip

BY_NAME: Mapping[str, Flag] = {flag.name: flag for flag in FLAGS}
BY_LETTER: Mapping[str, Flag] = {letter: flag for flag in FLAGS for letter in flag.letters}

KINDS = ("hf", "hf-auto", "huggingface", "hf-causal", "hf-causal-experimental")
"""What `--model` may be here: names for what transformers loads."""
OTHER_KINDS = (
    "vllm", "vllm-vlm", "sglang", "sglang-generate", "trtllm", "gguf", "ggml", "openvino", "ipex", "habana", "neuronx",
    "onnxruntime", "onnxruntime-genai", "winml", "nemo_lm", "megatron_lm", "mamba_ssm", "steered", "hf-multimodal",
    "hf-audiolm-qwen", "hf-mistral3", "dummy", "watsonx_llm", "textsynth", "litellm", "litellm-chat",
    "litellm-chat-completions", "anthropic-completions", "anthropic-chat", "anthropic-chat-completions",
    "openai-completions", "openai-chat-completions", "azure-openai-chat-completions", "local-completions",
    "local-chat-completions",
)  # fmt: skip
"""Kinds that lm-eval knows besides."""


@dataclass(frozen=True)
class ModelArgument:
    """One of the `--model_args` of `--model hf`."""

    own: str = ""
    """What it becomes."""
    note: str = ""
    """It changes no number here."""
    instead: str = ""
    """What to do in its place, where its value is none of `harmless`."""
    harmless: tuple[object, ...] = (None,)
    """Values that say what is so anyway."""


_ONE_DEVICE = "a model runs on one device here: leave it out"
_QUANTIZED = "write `--precision {}` in its place: the harness quantizes by its own kernels (docs/quantization.md)"
_TOKENS = "texts are tokenized as the model's own tokenizer says: leave it out, or change its tokenizer_config.json"
MODEL_ARGS: Mapping[str, ModelArgument] = {
    "pretrained": ModelArgument(own="MODEL"),
    "revision": ModelArgument(own="--set revision=…", harmless=(None, "main")),
    "subfolder": ModelArgument(own="MODEL/SUBFOLDER", harmless=(None, "")),
    "dtype": ModelArgument(own="--precision"),
    "torch_dtype": ModelArgument(own="--precision"),
    "max_length": ModelArgument(own="--context"),
    "trust_remote_code": ModelArgument(own="--trust-remote-code"),
    "device": ModelArgument(own="--device"),
    "chat_template_args": ModelArgument(own="--chat-args"),
    "enable_thinking": ModelArgument(own="--chat-args enable_thinking=…"),
    "batch_size": ModelArgument(note=_PASSES),
    "max_batch_size": ModelArgument(note=_PASSES),
    "logits_cache": ModelArgument(note=_PASSES),
    "use_fast_tokenizer": ModelArgument(note="tokenizers are always the fast ones"),
    "low_cpu_mem_usage": ModelArgument(note="how weights are read into memory is the harness's own"),
    "cache_dir": ModelArgument(instead="set HF_HUB_CACHE to that folder, and leave it out"),
    "use_safetensors": ModelArgument(note="weights are always read from safetensors", harmless=(None, True)),
    "offload_folder": ModelArgument(note="nothing is offloaded"),
    "truncation": ModelArgument(note="a prompt that is too long is always cut at its left, and counted"),
    "backend": ModelArgument(instead="the harness measures decoder-only models: leave it out",
                             harmless=(None, "default", "causal")),
    "tokenizer": ModelArgument(instead="the tokenizer is the model's own: put the other one's files into a copy of the "
                               "model's folder"),
    "softmax_dtype": ModelArgument(instead="log-softmax is computed in float32: leave it out",
                                   harmless=(None, "float32", "torch.float32")),
    "mixed_precision_dtype": ModelArgument(instead="write `dtype`, or `--precision`: all of a model runs in one type"),
    "add_bos_token": ModelArgument(instead=_TOKENS),
    "prefix_token_id": ModelArgument(instead=_TOKENS),
    "parallelize": ModelArgument(instead=_ONE_DEVICE, harmless=(None, False)),
    "use_accelerate": ModelArgument(instead=_ONE_DEVICE, harmless=(None, False)),
    "device_map": ModelArgument(instead=_ONE_DEVICE),
    "max_memory_per_gpu": ModelArgument(instead=_ONE_DEVICE),
    "max_cpu_memory": ModelArgument(instead=_ONE_DEVICE),
    "tp_plan": ModelArgument(instead=_ONE_DEVICE),
    "peft": ModelArgument(instead="merge the adapter into its model first (peft: `merge_and_unload`, then "
                          "`save_pretrained`), and name that folder"),
    "delta": ModelArgument(instead="add the delta to its model first, save it, and name that folder"),
    "load_in_8bit": ModelArgument(instead=_QUANTIZED.format("int8"), harmless=(None, False)),
    "load_in_4bit": ModelArgument(instead=_QUANTIZED.format("nf4"), harmless=(None, False)),
    "bnb_4bit_quant_type": ModelArgument(instead=_QUANTIZED.format("nf4` or `--precision fp4")),
    "bnb_4bit_compute_dtype": ModelArgument(instead=_QUANTIZED.format("nf4")),
    "autogptq": ModelArgument(instead=_QUANTIZED.format("int4-gptq"), harmless=(None, False)),
    "gptqmodel": ModelArgument(instead=_QUANTIZED.format("int4-gptq"), harmless=(None, False)),
    "gguf_file": ModelArgument(instead="convert it first (transformers: `from_pretrained(…, gguf_file=…)`, then "
                               "`save_pretrained`), and name that folder"),
    "attn_implementation": ModelArgument(note="the harness chooses how attention is computed; results differ by "
                                         "rounding alone"),
    "think_end_token": ModelArgument(instead="write `--mode right`: it parts thoughts from answers by the model's own "
                                     "tags"),
}  # fmt: skip
"""Of every one of lm-eval's HFLM, and of what people pass through it to transformers."""
