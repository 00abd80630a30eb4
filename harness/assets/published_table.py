"""The tables of published numbers: which files of which repository they are made of.

The sha256 of every part were taken from the git objects of that commit. None of the files travels with the harness, and
where an author gives no license they are fetched by the user and kept in the user's cache.
"""

from harness.assets.declaration import Asset, GitHub, Part

PUBLISHED = (
    Asset(
        name="epoch_chinchilla",
        kind="results",
        about="245 training runs of Hoffmann et al. 2022, read from their Figure 4 by Besiroglu et al. 2024.",
        license="none stated",
        address=GitHub("epoch-research/analyzing-chinchilla", "92258837425e1b5f2851d624287f0120583a3d0e"),
        archive=None,
        parts=(
            Part(
                "data/svg_extracted_data.csv",
                23_224,
                "193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30",
            ),
        ),
        checked=False,
    ),
    Asset(
        name="gadre_overtraining",
        kind="results",
        about="104 training runs of Gadre et al. 2024 with 5 to 640 tokens per parameter, their losses and errors.",
        license="MIT",
        address=GitHub("mlfoundations/scaling", "a003c4913793ac2ae7ef87b28ecb562955d026d5", archive_size=508_933),
        archive=None,
        parts=(
            Part("exp_data/*", 1_267_645, "5026c4d9b528c381456df754f1cf40581b738c0c5728dc2ed996a035557f8040"),
            Part("scaling/constants.py", 6_131, "accb9a229dec35516e44a95c6c6b14fda341a5054667506131ca8e787cc57d0d"),
        ),
        conversion="published",
        made=(
            Part("runs.csv", 92_020, "22d7cfeca6c63b0e900d5194054cac661f81554935a1b8a51ac8f20dd9a489e3"),
            Part("eval_metadata.csv", 16_293, "8cd5243244a6890c8cec31cf7752901131f1da479b3c4920e37eb65ad608089c"),
            Part("task_sets.json", 1_378, "388743729d455201a68b902819d9d91b2f5635843f344d885ab989e4d29bcbdc"),
        ),
        checked=False,
    ),
    Asset(
        name="datablations_repetition",
        kind="results",
        about="296 training runs of Muennighoff et al. 2023 on repeated data.",
        license="Apache-2.0",
        address=GitHub("huggingface/datablations", "13701315b163f1c54642b94ad237b2699187c3ee"),
        archive=None,
        parts=(
            Part(
                "utils/parametric_fit.ipynb",
                3_679_052,
                "6c65d270e70c944a9ac90f5f1213a4584e1ff9d6d2781cd86900663f4ab17db9",
            ),
        ),
        conversion="published",
        made=(
            Part(
                "runs_all_incl_outliers.csv", 21_704, "b0f894076bf73fbfc8fb583be2902a9f62a1daf5a4384f4d64fac7dcbf77a713"
            ),
            Part("runs_fit182.csv", 11_910, "9ec67aa826973dfd2a6f14d5a6e7f427a46f38b632606708a0c95d6d387910e8"),
        ),
        checked=False,
    ),
    Asset(
        name="bbh_codex",
        kind="results",
        about="Scores of code-davinci-002 on BIG-Bench Hard with and without a chain of thought (Suzgun et al. 2022), "
        "counted from its answers. The answers carry a canary against training on them and are not kept.",
        license="MIT",
        address=GitHub(
            "suzgunmirac/BIG-Bench-Hard", "9ee07bd481feebf959a6b59d61ea57bdcf30964d", archive_size=3_645_787
        ),
        archive=None,
        parts=(
            Part(
                "code-davinci-002-outputs/*.json*",
                35_602_427,
                "e44098962191698a7d4ed45d0adf3456a24ac02365a0649ce818a948685d287e",
            ),
        ),
        conversion="published",
        made=(
            Part(
                "code_davinci_002_accuracy.csv",
                2_556,
                "127694581de5b40a85ef38ec46f6db46656ba90892c9d12291ff02f5a1ca4a5e",
            ),
        ),
        checked=False,
    ),
    Asset(
        name="cot_wei2022",
        kind="results",
        about="Standard and chain-of-thought prompting by model size: Tables 2 to 5 of Wei et al. 2022, taken from the "
        "text of arXiv 2201.11903v6 as a converter of PDF files left it in its own repository.",
        license="none stated",
        address=GitHub("Mega-Gorilla/Index_PDF_Translation", "51c94cedea3e93521680763584b044da0b2bd3e2"),
        archive=None,
        parts=(
            Part(
                "tests/evaluation/outputs/PyMuPDF4LLM_Layout/2201.11903v6/output.md",
                183_397,
                "2229fe1bf9f8b7827505f7b62a088e9aa9ac20fbc3fd898e710ead234dead7e2",
            ),
        ),
        conversion="published",
        made=(
            Part(
                "cot_vs_standard_by_size.csv", 6_147, "38618c36a9331140ce44019f4a31c0eae2f9cfd548f5af32e2436099bfbd677f"
            ),
        ),
        checked=False,
    ),
    Asset(
        name="pythia_evals",
        kind="results",
        about="Pythia's own evaluations of 21 models at up to 27 checkpoints (Biderman et al. 2023).",
        license="Apache-2.0",
        address=GitHub("EleutherAI/pythia", "a19eecb807ec2c79a39ebf18108816e6ffffc1d5", archive_size=10_749_596),
        archive=None,
        parts=(
            Part(
                "evals/pythia-v1/*.json",
                16_491_243,
                "a9ec3928b88139668012424c80c3e2d8a8723952c8939ff9f496af56d81f4854",
            ),
        ),
        conversion="published",
        made=(
            Part("pythia_v1_evals.csv", 5_090_132, "8cd618926c4fe11b34e76a8b008f86acf59fb83a70702626df3889d126c32a26"),
        ),
        checked=False,
    ),
)
