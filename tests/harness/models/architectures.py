"""Tiny random configurations of the architectures of `transformers`, as data: what the support table is made from.

Each is small enough to be saved, opened and compared in a fraction of a second, and has a context and windows of a few
dozen tokens, so that a short text crosses them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.tiny_models import save_folder

VOCABULARY = 264
CONTEXT = 96

LLAMA: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "pad_token_id": None,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
"""The names that most architectures share."""
HEADS: dict[str, Any] = {key: value for key, value in LLAMA.items() if key != "num_key_value_heads"}
GPT2: dict[str, Any] = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}
BERT: dict[str, Any] = {**HEADS, "pad_token_id": 0}
EXPERTS: dict[str, Any] = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
LOCAL_EXPERTS: dict[str, Any] = {"num_local_experts": 4, "num_experts_per_tok": 2}
HEAD_WIDTH: dict[str, Any] = {"head_dim": 8}
MAMBA2: dict[str, Any] = {"mamba_d_state": 8, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_n_groups": 1}
ROPE: dict[str, Any] = {"rope_theta": 10000.0}
SLIDING_FULL = ["sliding_attention", "full_attention"]
BART: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": CONTEXT,
}
MLA: dict[str, Any] = {
    "q_lora_rank": 16,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
}


@dataclass(frozen=True)
class Architecture:
    """One row of the support table."""

    name: str
    """What the row is called: the model type, and what is special about it."""
    kind: str
    """`model_type` of `transformers`."""
    settings: dict[str, Any] = field(repr=False)
    """Of its configuration."""
    head: str | None = None
    """The class that is saved, where it isn't that of a causal language model."""
    refused: str | None = None
    """A part of the sentence that it is refused with; None: it opens."""
    quick: bool = False
    """Whether the default test run has it."""

    def build(self, scale: float, seed: int = 0, **others: Any) -> Any:
        """The random model. scale: of its weights (`initializer_range`); biases and norms are random too."""
        import torch
        import transformers

        config = transformers.AutoConfig.for_model(self.kind, **{**self.settings, **others})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if self.head is not None:
                model = getattr(transformers, self.head)(config)
            else:
                model = transformers.AutoModelForCausalLM.from_config(config)
            _randomize(model, scale)
        return model.eval()

    def save(self, folder: Path, tokenizer_file: Path, scale: float, seed: int = 0, **others: Any) -> Path:
        """Save the random model and a tokenizer of `VOCABULARY` ids."""
        return save_folder(folder, self.build(scale, seed, **others), tokenizer_file)


def _randomize(model: Any, scale: float) -> None:
    """Weights of two dimensions and more get this standard deviation, so that it is what it is called everywhere."""
    import torch

    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if (
                weight.dim() >= 2
                and min(weight.shape) > 1
                and "A_log" not in name
                and "conv" not in name
                and weight.requires_grad
            ):
                weight.copy_(torch.randn(weight.shape, generator=generator) * scale)
            elif name.endswith("bias") and weight.is_floating_point():
                weight.add_(torch.randn(weight.shape, generator=generator) * min(scale, 0.2))


def _llama(name: str, kind: str, *, quick: bool = False, **others: Any) -> Architecture:
    return Architecture(name, kind, LLAMA | others, quick=quick)


def _gpt(name: str, kind: str, *, quick: bool = False, refused: str | None = None, **others: Any) -> Architecture:
    return Architecture(name, kind, others, quick=quick, refused=refused)


ENCODER = "encoder"
ENCODER_DECODER = "encoder-decoder"

ARCHITECTURES: tuple[Architecture, ...] = (
    _llama("afmoe", "afmoe", **EXPERTS, head_dim=8, num_dense_layers=1, sliding_window=8, global_attn_every_n_layers=2),
    _llama("apertus", "apertus"),
    _llama("arcee", "arcee"),
    _llama(
        "bamba",
        "bamba",
        **MAMBA2,
        attn_layer_indices=[1],
        quick=False,
        mamba_expand=2,
    ),
    Architecture(
        "bart (decoder alone)",
        "bart",
        {**BART, "is_decoder": True, "is_encoder_decoder": False},
        head="BartForCausalLM",
    ),
    Architecture("bart", "bart", BART, head="BartForConditionalGeneration", refused=ENCODER_DECODER),
    Architecture("bert", "bert", BERT, head="BertForMaskedLM", refused=ENCODER, quick=True),
    Architecture("bert (as a language model)", "bert", BERT, head="BertLMHeadModel", refused=ENCODER),
    Architecture("bert (decoder)", "bert", {**BERT, "is_decoder": True}, head="BertLMHeadModel"),
    Architecture(
        "big_bird (decoder)",
        "big_bird",
        {**BERT, "is_decoder": True, "attention_type": "original_full"},
        head="BigBirdForCausalLM",
    ),
    _gpt("biogpt", "biogpt", **HEADS),
    _llama("bitnet", "bitnet"),
    _gpt("bloom", "bloom", vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4, quick=True),
    Architecture("camembert", "camembert", BERT, head="CamembertForMaskedLM", refused=ENCODER),
    _gpt("codegen", "codegen", **GPT2, rotary_dim=4, n_ctx=CONTEXT),
    _llama("cohere", "cohere"),
    _llama("cohere2", "cohere2", sliding_window=8, layer_types=SLIDING_FULL, head_dim=8),
    _gpt("ctrl", "ctrl", vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT, dff=48),
    _llama("cwm", "cwm", sliding_window=8, head_dim=8, layer_types=SLIDING_FULL),
    Architecture("data2vec-text", "data2vec-text", BERT, head="Data2VecTextForMaskedLM", refused=ENCODER),
    _gpt(
        "dbrx",
        "dbrx",
        vocab_size=VOCABULARY,
        d_model=32,
        n_heads=4,
        n_layers=2,
        max_seq_len=CONTEXT,
        attn_config={"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 10000.0},
        ffn_config={"ffn_hidden_size": 16, "moe_num_experts": 4, "moe_top_k": 2, "ffn_act_fn": {"name": "silu"}},
    ),
    _llama(
        "deepseek_v2",
        "deepseek_v2",
        num_key_value_heads=4,
        **MLA,
        n_routed_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=16,
        first_k_dense_replace=1,
        n_group=1,
        topk_group=1,
        n_shared_experts=1,
        head_dim=4,
    ),
    Architecture(
        "deepseek_v3",
        "deepseek_v3",
        {
            **LLAMA,
            "num_key_value_heads": 4,
            **MLA,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 16,
            "first_k_dense_replace": 1,
            "n_group": 2,
            "topk_group": 1,
            "n_shared_experts": 1,
        },
    ),
    _llama("diffllama", "diffllama"),
    _llama("doge", "doge"),
    _llama(
        "dots1",
        "dots1",
        n_routed_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=16,
        first_k_dense_replace=1,
        n_group=1,
        topk_group=1,
        n_shared_experts=1,
        sliding_window=8,
        layer_types=SLIDING_FULL,
    ),
    Architecture("electra", "electra", {**BERT, "embedding_size": 16}, head="ElectraForMaskedLM", refused=ENCODER),
    Architecture(
        "electra (decoder)", "electra", {**BERT, "embedding_size": 16, "is_decoder": True}, head="ElectraForCausalLM"
    ),
    Architecture("ernie", "ernie", BERT, head="ErnieForMaskedLM", refused=ENCODER),
    _llama("ernie4_5", "ernie4_5", head_dim=8),
    _llama(
        "ernie4_5_moe",
        "ernie4_5_moe",
        moe_num_experts=4,
        moe_k=2,
        moe_intermediate_size=16,
        moe_num_shared_experts=1,
        moe_layer_start_index=0,
    ),
    _llama("exaone4", "exaone4", sliding_window=8, sliding_window_pattern=2, layer_types=SLIDING_FULL),
    _gpt(
        "falcon",
        "falcon",
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
    ),
    _gpt(
        "falcon (ALiBi)",
        "falcon",
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        alibi=True,
        bias=True,
        max_position_embeddings=CONTEXT,
    ),
    _gpt(
        "falcon (new decoder)",
        "falcon",
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_kv_heads=2,
        new_decoder_architecture=True,
        max_position_embeddings=CONTEXT,
    ),
    _llama("falcon_h1", "falcon_h1", **MAMBA2, mamba_d_ssm=64, quick=False),
    _gpt("falcon_mamba", "falcon_mamba", vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=8),
    _llama("flex_olmo", "flex_olmo", num_experts=4, num_experts_per_tok=2),
    _llama("gemma", "gemma", head_dim=8),
    _llama(
        "gemma2", "gemma2", head_dim=8, sliding_window=8, layer_types=SLIDING_FULL, query_pre_attn_scalar=8, quick=True
    ),
    _llama("gemma3", "gemma3_text", head_dim=8, sliding_window=8, layer_types=SLIDING_FULL, query_pre_attn_scalar=8),
    _llama(
        "gemma3n",
        "gemma3n_text",
        head_dim=8,
        sliding_window=8,
        num_hidden_layers=4,
        layer_types=SLIDING_FULL * 2,
        num_kv_shared_layers=2,
        hidden_size_per_layer_input=8,
        vocab_size_per_layer_input=VOCABULARY,
        laurel_rank=4,
        altup_num_inputs=2,
        activation_sparsity_pattern=[0.0] * 4,
    ),
    _llama("glm", "glm", head_dim=8),
    _llama("glm4", "glm4", head_dim=8),
    _llama(
        "glm4_moe",
        "glm4_moe",
        head_dim=8,
        n_routed_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=16,
        first_k_dense_replace=1,
        n_group=1,
        topk_group=1,
    ),
    _gpt("gpt_bigcode", "gpt_bigcode", **GPT2),
    _gpt("gpt2", "gpt2", **GPT2, quick=True),
    _gpt("gpt2 (untied)", "gpt2", **GPT2, tie_word_embeddings=False),
    _gpt(
        "gpt_neo (local attention)",
        "gpt_neo",
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        window_size=8,
        attention_types=[[["global", "local"], 1]],
        max_position_embeddings=CONTEXT,
        quick=True,
    ),
    _gpt("gpt_neox", "gpt_neox", **HEADS, rotary_pct=0.5),
    _gpt("gpt_neox_japanese", "gpt_neox_japanese", **HEADS, intermediate_multiple_size=2),
    _llama("gpt_oss", "gpt_oss", **LOCAL_EXPERTS, head_dim=8, sliding_window=8, layer_types=SLIDING_FULL),
    _gpt("gptj", "gptj", **GPT2, rotary_dim=4),
    _llama("granite", "granite", embedding_multiplier=2.0, logits_scaling=2.0, residual_multiplier=0.5),
    _llama("granitemoe", "granitemoe", **LOCAL_EXPERTS),
    _llama(
        "granitemoehybrid",
        "granitemoehybrid",
        **LOCAL_EXPERTS,
        **MAMBA2,
        mamba_expand=2,
        shared_intermediate_size=16,
        layer_types=["mamba", "attention"],
    ),
    _llama("granitemoeshared", "granitemoeshared", **LOCAL_EXPERTS, shared_intermediate_size=16),
    _llama("helium", "helium", head_dim=8),
    _llama("hunyuan_v1_dense", "hunyuan_v1_dense", head_dim=8),
    _llama("hunyuan_v1_moe", "hunyuan_v1_moe", head_dim=8, num_experts=4, moe_topk=2),
    _llama(
        "jamba",
        "jamba",
        num_experts=2,
        num_experts_per_tok=1,
        attn_layer_period=2,
        attn_layer_offset=1,
        expert_layer_period=2,
        expert_layer_offset=1,
        mamba_d_state=8,
        mamba_dt_rank=4,
        use_mamba_kernels=False,
    ),
    _llama("jetmoe", "jetmoe", kv_channels=8, num_local_experts=4, num_experts_per_tok=2),
    _llama("lfm2", "lfm2", layer_types=["conv", "full_attention"], quick=True),
    _llama("llama", "llama", tie_word_embeddings=False, quick=True),
    _llama("llama (tied)", "llama", tie_word_embeddings=True),
    _llama(
        "llama (dynamic NTK)",
        "llama",
        max_position_embeddings=24,
        rope_parameters={"rope_type": "dynamic", "factor": 4.0, **ROPE},
        quick=True,
    ),
    _llama("llama (linear)", "llama", rope_parameters={"rope_type": "linear", "factor": 4.0, **ROPE}),
    _llama(
        "llama (llama3)",
        "llama",
        rope_parameters={
            "rope_type": "llama3",
            "factor": 4.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 24,
            **ROPE,
        },
    ),
    _llama(
        "llama (longrope)",
        "llama",
        rope_parameters={
            "rope_type": "longrope",
            "factor": 4.0,
            "original_max_position_embeddings": 24,
            "short_factor": [1.0, 1.0, 1.0, 1.0],
            "long_factor": [2.0, 3.0, 4.0, 5.0],
            **ROPE,
        },
        quick=True,
    ),
    _llama(
        "llama (YaRN)",
        "llama",
        rope_parameters={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 24, **ROPE},
    ),
    _llama(
        "llama4 (chunked attention)",
        "llama4_text",
        num_local_experts=2,
        head_dim=8,
        intermediate_size_mlp=48,
        attention_chunk_size=16,
        num_hidden_layers=4,
        no_rope_layers=[1, 1, 1, 0],
        floor_scale=16,
        moe_layers=[1],
        layer_types=["chunked_attention"] * 3 + ["full_attention"],
        quick=True,
    ),
    _gpt("mamba", "mamba", vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=8, quick=True),
    _gpt(
        "mamba2",
        "mamba2",
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        state_size=8,
        num_heads=4,
        head_dim=16,
        n_groups=1,
    ),
    Architecture(
        "marian",
        "marian",
        {**BART, "pad_token_id": 1, "decoder_vocab_size": VOCABULARY},
        head="MarianMTModel",
        refused=ENCODER_DECODER,
    ),
    Architecture(
        "mbart (decoder alone)",
        "mbart",
        {**BART, "is_decoder": True, "is_encoder_decoder": False},
        head="MBartForCausalLM",
    ),
    _llama(
        "minimax",
        "minimax",
        **LOCAL_EXPERTS,
        head_dim=8,
        block_size=8,
        layer_types=["linear_attention", "full_attention"],
    ),
    _llama("ministral", "ministral", head_dim=8, sliding_window=8, layer_types=SLIDING_FULL),
    _llama("mistral (sliding window)", "mistral", sliding_window=8, quick=True),
    _llama("mixtral", "mixtral", **LOCAL_EXPERTS, quick=True),
    _gpt(
        "modernbert-decoder",
        "modernbert-decoder",
        **{**HEADS, "pad_token_id": 0, "local_attention": 16, "global_attn_every_n_layers": 2},
    ),
    _gpt("mpt", "mpt", vocab_size=VOCABULARY, d_model=32, n_heads=4, n_layers=2, max_seq_len=CONTEXT),
    _llama("nanochat", "nanochat"),
    _llama("nemotron", "nemotron", partial_rotary_factor=0.5),
    _llama(
        "nemotron_h",
        "nemotron_h",
        mamba_num_heads=4,
        mamba_head_dim=16,
        ssm_state_size=8,
        n_groups=1,
        layers_block_type=["mamba", "attention"],
        head_dim=8,
    ),
    _llama("olmo", "olmo"),
    _llama("olmo2", "olmo2"),
    _llama("olmo3", "olmo3", sliding_window=8, layer_types=SLIDING_FULL),
    _llama("olmoe", "olmoe", num_experts=4, num_experts_per_tok=2),
    _gpt(
        "openai-gpt",
        "openai-gpt",
        vocab_size=VOCABULARY,
        n_positions=CONTEXT,
        n_embd=32,
        n_layer=2,
        n_head=4,
        quick=True,
    ),
    _gpt(
        "opt",
        "opt",
        vocab_size=VOCABULARY,
        hidden_size=32,
        ffn_dim=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        word_embed_proj_dim=32,
    ),
    Architecture("pegasus", "pegasus", BART, head="PegasusForConditionalGeneration", refused=ENCODER_DECODER),
    _gpt("persimmon", "persimmon", **HEADS),
    _llama("phi", "phi", partial_rotary_factor=0.5),
    _llama("phi3 (sliding window)", "phi3", sliding_window=8, pad_token_id=0),
    _llama(
        "phi3 (longrope)",
        "phi3",
        original_max_position_embeddings=24,
        pad_token_id=0,
        rope_parameters={
            "rope_type": "longrope",
            "original_max_position_embeddings": 24,
            "short_factor": [1.0] * 4,
            "long_factor": [2.0, 3.0, 4.0, 5.0],
            **ROPE,
        },
    ),
    _llama("phimoe", "phimoe", **LOCAL_EXPERTS, sliding_window=8),
    _llama("qwen2", "qwen2", pad_token_id=None),
    _llama("qwen2 (sliding layers)", "qwen2", use_sliding_window=True, sliding_window=8, max_window_layers=1),
    _llama("qwen2_moe", "qwen2_moe", **EXPERTS, shared_expert_intermediate_size=16),
    _llama("qwen3", "qwen3", head_dim=8),
    _llama("qwen3_moe", "qwen3_moe", **EXPERTS, head_dim=8, quick=True),
    _llama(
        "qwen3_next",
        "qwen3_next",
        **EXPERTS,
        head_dim=8,
        shared_expert_intermediate_size=16,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        layer_types=["linear_attention", "full_attention"],
    ),
    _gpt(
        "recurrent_gemma",
        "recurrent_gemma",
        **{
            **LLAMA,
            "num_hidden_layers": 3,
            "lru_width": 32,
            "attention_window_size": 8,
            "pad_token_id": 0,
            "block_types": ["recurrent", "recurrent", "attention"],
            "num_key_value_heads": 1,
        },
    ),
    Architecture(
        "rembert (decoder)",
        "rembert",
        {**BERT, "is_decoder": True, "input_embedding_size": 32, "output_embedding_size": 32},
        head="RemBertForCausalLM",
    ),
    Architecture("roberta", "roberta", BERT | {"pad_token_id": 1}, head="RobertaForMaskedLM", refused=ENCODER),
    Architecture(
        "roberta (decoder)",
        "roberta",
        BERT | {"pad_token_id": 1, "is_decoder": True},
        head="RobertaForCausalLM",
        quick=True,
    ),
    Architecture(
        "roformer (decoder)", "roformer", {**BERT, "is_decoder": True, "embedding_size": 32}, head="RoFormerForCausalLM"
    ),
    _gpt(
        "rwkv",
        "rwkv",
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        attention_hidden_size=32,
        context_length=CONTEXT,
    ),
    _llama("seed_oss", "seed_oss", head_dim=8),
    _llama("smollm3", "smollm3", no_rope_layers=[1, 0]),
    _llama("stablelm", "stablelm", partial_rotary_factor=0.5),
    _llama("starcoder2 (sliding window)", "starcoder2", sliding_window=8),
    Architecture(
        "t5",
        "t5",
        {"vocab_size": VOCABULARY, "d_model": 32, "num_layers": 1, "num_heads": 2, "d_ff": 32, "d_kv": 16},
        head="T5ForConditionalGeneration",
        refused=ENCODER_DECODER,
    ),
    _gpt(
        "xglm",
        "xglm",
        vocab_size=VOCABULARY,
        d_model=32,
        ffn_dim=48,
        num_layers=2,
        attention_heads=4,
        max_position_embeddings=CONTEXT,
    ),
    Architecture(
        "xlm-roberta", "xlm-roberta", BERT | {"pad_token_id": 1}, head="XLMRobertaForMaskedLM", refused=ENCODER
    ),
    _gpt("xlnet", "xlnet", vocab_size=VOCABULARY, d_model=32, n_layer=2, n_head=4, d_inner=48, refused="later tokens"),
    _llama(
        "zamba2",
        "zamba2",
        num_mem_blocks=1,
        mamba_d_state=8,
        mamba_ngroups=1,
        n_mamba_heads=4,
        mamba_headdim=16,
        mamba_expand=2,
        num_hidden_layers=2,
        layers_block_type=["mamba", "hybrid"],
        use_mem_rope=True,
    ),
)
