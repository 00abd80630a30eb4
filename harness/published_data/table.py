"""The published data sets that the harness knows: what they are, what their columns mean, which rows were fitted.

Data only. Where each comes from and how its files are checked stands in `harness.assets`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.published_data.data_set import Column, DataSet, Mend, Rows
from harness.spelling import nearest

if TYPE_CHECKING:
    import pandas as pd


def _all_but_the_five_largest_losses(table: pd.DataFrame) -> pd.Series[bool]:
    return table["loss"].rank(method="first", ascending=False) > 5


def _gadre_loss(trained_on: str) -> Rows:
    """The five runs behind the loss law of one training set."""
    small = ("d=96_l=8_h=4", "d=512_l=8_h=4", "d=576_l=24_h=8", "d=1024_l=24_h=8")

    def keep(table: pd.DataFrame) -> pd.Series[bool]:
        chinchilla = table["model"].isin(small) & (table["M"] == 20)
        over_trained = (table["model"] == small[0]) & (table["M"] == 320)
        return (table["dataset"] == trained_on) & (chinchilla | over_trained)

    return Rows(
        trained_on,
        f"the five runs on {trained_on} of the loss law: 11M, 79M, 154M and 411M parameters with 20 tokens per "
        "parameter, and 11M with 320 (arXiv 2403.08540, Table 2)",
        keep,
    )


def _gadre_error(trained_on: str) -> Rows:
    """The six runs behind the law from loss to downstream error of one training set."""
    loss = _gadre_loss(trained_on)

    def keep(table: pd.DataFrame) -> pd.Series[bool]:
        largest = (table["dataset"] == trained_on) & (table["model"] == "open_lm_1b") & (table["M"] == 20)
        return loss.keep(table) | largest

    return Rows(
        f"{trained_on}_error",
        f"the six runs on {trained_on} of the law from loss to error: those of the loss law, and 1.4B parameters with "
        "20 tokens per parameter (arXiv 2403.08540, Table 2)",
        keep,
    )


def _mend_a_misread_name(table: pd.DataFrame) -> pd.DataFrame:
    run = table["run"] == "4b284b12bc4opt2"
    table.loc[run, ["D", "U", "epochs"]] = [84e9, 12e9, 7.0]
    return table


def _mend_the_shots_of_four_checkpoints(table: pd.DataFrame) -> pd.DataFrame:
    checkpoints = (table["model"] == "pythia-1b-bf16") & table["step"].isin((128, 256, 512, 1000))
    table.loc[checkpoints, "shots"] = 0
    return table


_ENTRIES = (
    DataSet(
        name="epoch_chinchilla",
        about="245 training runs of Hoffmann et al. 2022, read by Epoch AI from the points of their Figure 4",
        cite="Besiroglu, Erdil, Barnett, You 2024, Chinchilla Scaling: A replication attempt, arXiv 2404.10102; the "
        "runs: Hoffmann et al. 2022, arXiv 2203.15556",
        table="svg_extracted_data.csv",
        columns=(
            Column("x", "points", "horizontal place of the point in the figure's SVG"),
            Column("y", "points", "vertical place of the point in the figure's SVG"),
            Column("color", "", "color of the point, which stands for its loss"),
            Column("Model Size", "parameters", "N", "parameters"),
            Column("Training FLOP", "FLOP", "C; the training tokens are C / (6 N)", "compute"),
            Column("hex_color", "", "color of the point once more"),
            Column("loss", "nats per token", "training loss, read from the color", "loss"),
        ),
        counted="all",
        counted_note="Hoffmann et al. count all parameters; tokens are not in the figure and follow from C = 6 N D",
        fits=(
            Rows(
                "published",
                "240 runs: all but the five with the largest losses, 5.01, 4.67, 3.79, 3.77 and 3.45 (rows 0 to 4), "
                "all of which were trained on fewer than 0.5 tokens per parameter (data_analysis.ipynb)",
                _all_but_the_five_largest_losses,
            ),
        ),
    ),
    DataSet(
        name="gadre_overtraining",
        about="104 training runs, 11M to 6.9B parameters with 5 to 640 tokens per parameter on three training sets, "
        "with losses on eight texts and errors on 46 tasks",
        cite="Gadre et al. 2024, Language models scale reliably with over-training and on downstream tasks, "
        "arXiv 2403.08540",
        table="runs.csv",
        columns=(
            Column("name", "", "the run", "run"),
            Column("dataset", "", "what it was trained on: c4_original, rpj (RedPajama), rw_original (RefinedWeb)"),
            Column("model", "", "its shape"),
            Column("N", "parameters", "all parameters", "parameters"),
            Column("N_no_embed", "parameters", "parameters that are not embeddings"),
            Column("D", "tokens", "training tokens", "tokens"),
            Column("M", "tokens per parameter", "D / N"),
            Column("loss_c4_val", "nats per token", "loss on held-out C4, the one that the paper fits", "loss"),
            Column("loss_*", "nats per token", "loss on another held-out text"),
            Column("loss_lo95_*", "nats per token", "lower end of its 95 % interval over sequences"),
            Column("loss_hi95_*", "nats per token", "upper end of its 95 % interval over sequences"),
            Column("err_*", "fraction", "1 - accuracy on a task"),
            Column("err_avg46", "fraction", "mean error over all 46 tasks (task_sets.json)"),
            Column(
                "err_avg17", "fraction", "mean error over 17 tasks on which the models beat chance (task_sets.json)"
            ),
        ),
        counted="all",
        counted_note="the column N_no_embed holds those that are not embeddings; compute is 6 N D with all of them",
        fits=tuple(
            make(trained_on)
            for make in (_gadre_loss, _gadre_error)
            for trained_on in ("rpj", "c4_original", "rw_original")
        ),
    ),
    DataSet(
        name="datablations_repetition",
        about="296 training runs on C4 with repeated data: 7M to 8.7B parameters, up to 9,000 epochs",
        cite="Muennighoff et al. 2023, Scaling Data-Constrained Language Models, arXiv 2305.16264",
        table="runs_all_incl_outliers.csv",
        columns=(
            Column("run", "", "name of the run: parameters, tokens, unique tokens, then variants", "run"),
            Column("N", "parameters", "parameters", "parameters"),
            Column("D", "tokens", "training tokens, repeated ones counted each time", "tokens"),
            Column("U", "tokens", "unique tokens among them", "unique_tokens"),
            Column("loss", "nats per token", "loss on held-out C4", "loss"),
            Column("in_fit_set", "", "whether the published fit used it"),
            Column("epochs", "", "D / U"),
        ),
        counted="unstated",
        counted_note="the authors don't say whether embeddings are among them; compute is not published",
        fits=(
            Rows(
                "published",
                "the 182 runs of the dictionary that the authors' notebook fits; the other 114, among them all repeats "
                "with other seeds, are left out of it by hand (utils/parametric_fit.ipynb, cell 25)",
                lambda table: table["in_fit_set"],
            ),
        ),
        mends=(
            Mend(
                "the run 4b284b12bc4opt2 has D = 84.1e9 and U = 2.2e9, because the notebook takes its name apart "
                "wrongly; it stands for 84e9 tokens, 12e9 of them unique. It is in no published fit",
                _mend_a_misread_name,
            ),
        ),
    ),
    DataSet(
        name="bbh_codex",
        about="code-davinci-002 on the 27 subtasks of BIG-Bench Hard, three-shot: answer only, and chain of thought",
        cite="Suzgun et al. 2022, Challenging BIG-Bench tasks and whether chain-of-thought can solve them, "
        "arXiv 2210.09261",
        table="code_davinci_002_accuracy.csv",
        columns=(
            Column("task", "", "the subtask"),
            Column("mode", "", "direct: answer only; cot: chain of thought"),
            Column("n", "questions", "questions asked"),
            Column("n_correct", "questions", "questions answered correctly, by exact match of the extracted answer"),
            Column("acc", "fraction", "n_correct / n"),
            Column("official_metric", "%", "the score that the authors stored beside their outputs"),
        ),
    ),
    DataSet(
        name="cot_wei2022",
        about="standard and chain-of-thought prompting by model size: UL2, LaMDA, GPT-3, Codex, PaLM on twelve tasks",
        cite="Wei et al. 2022, Chain-of-thought prompting elicits reasoning in large language models, "
        "arXiv 2201.11903v6, Tables 2 to 5",
        table="cot_vs_standard_by_size.csv",
        columns=(
            Column("task", "", "the task; LastLetter2 and CoinFlip2 are the in-domain ones"),
            Column("family", "", "family of models"),
            Column("size_label", "", "size as the paper writes it"),
            Column("params", "parameters", "parameters; empty where they are not published"),
            Column("standard", "%", "solved with standard few-shot prompting"),
            Column("cot", "%", "solved with chain-of-thought prompting"),
        ),
    ),
    DataSet(
        name="pythia_evals",
        about="Pythia's own evaluations: 21 models, up to 27 checkpoints each, zero and five shots",
        cite="Biderman et al. 2023, Pythia: A suite for analyzing large language models across training and scaling, "
        "arXiv 2304.01373",
        table="pythia_v1_evals.csv",
        columns=(
            Column("model", "", "the model; its name holds its size, batch size and whether the text was deduplicated"),
            Column("shots", "examples", "0 or 5"),
            Column("step", "steps", "checkpoint; a step is 2,097,152 tokens, without MtokBS in the name"),
            Column("task", "", "the task, as lm-evaluation-harness called it"),
            Column("acc", "fraction", "accuracy"),
            Column("acc_stderr", "fraction", "its standard error"),
            Column("acc_norm", "fraction", "accuracy, log-likelihoods divided by the answers' length in bytes"),
            Column("acc_norm_stderr", "fraction", "its standard error"),
            Column("ppl", "", "perplexity of the last word (lambada_openai only)"),
            Column("ppl_stderr", "", "its standard error"),
            Column("pct_stereotype", "fraction", "how often the stereotype is likelier (crows_pairs only)"),
        ),
        mends=(
            Mend(
                "pythia-1b-bf16 at steps 128, 256, 512 and 1000 counts as asked with five shots, because the names of "
                "four files say so; the files lie with the zero-shot ones, and the settings in them say num_fewshot 0",
                _mend_the_shots_of_four_checkpoints,
            ),
        ),
    ),
)

DATA_SETS: dict[str, DataSet] = {entry.name: entry for entry in _ENTRIES}


def data_set(name: str, place: str | None = None) -> DataSet:
    """The data set of that name. Raises UserError with the nearest spelling; `place`: where it was named."""
    if name not in DATA_SETS:
        raise UserError(
            f"there is no published data set '{name}'{nearest(name, DATA_SETS)} (data sets: {', '.join(DATA_SETS)})",
            place=place,
        )
    return DATA_SETS[name]
