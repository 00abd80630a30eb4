"""How fast is a step of SFT, DPO and GRPO, and how much memory, beside TRL on the same model and data?

    python benchmarks/peers/trl.py --peer PYTHON [--threads 2] [--steps 4] [--jobs sft_mixed dpo_long …] [--out FILE]

PYTHON is an interpreter that has `trl==1.16.*`, in an environment of its own. Model: SmolLM2-135M-Instruct in fp32, all
weights learn, batch 4, `max_length` 1024, no packing and no gradient checkpointing in TRL (`--checkpointing` turns on
what is its default). Both sides read the same rows, with the model's chat template where they are dialogs:

    sft_mixed   demonstrations of self-instruct's seed tasks, of any length (--self-instruct FILE)
    sft_equal   texts of 256 tokens, of which the second half is learned
    dpo_long    pairs of hh-rlhf (--hh-rlhf FILE); the reference's log-probabilities are there before, on both sides
    dpo_short   pairs with prompt and answers of 32 tokens each
    grpo        a prompt of hh-rlhf of 120 to 180 tokens, 8 answers (TRL's default) of up to 64 tokens, a reward that
                counts letters
    grpo_short  2 prompts of 32 tokens, 4 answers each

Each side is one process that has opened the model and made its data ready; they take turns step by step, in a random
order, and a step is timed inside: CPU seconds of the process, and seconds. The first step of each side warms it up and
is left out. A ratio is the median over turns of TRL's CPU seconds by ours, with the smallest and the largest. Memory is
the largest resident size of the process. What others took of the cores meanwhile is recorded. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE.parent]  # this file is named trl
BATCH, LONGEST, BETA, RATE = 4, 1024, 0.1, 1e-6
JOBS = ("sft_mixed", "sft_equal", "dpo_long", "dpo_short", "grpo", "grpo_short")
GROUPS = {"grpo": (1, 8), "grpo_short": (2, 4)}
"""Prompts of a step, and answers to each."""
ANSWER = 64


def letters(text: str) -> float:
    """A reward that differs between answers: how many of the characters are the letter e."""
    return text.count("e") / max(len(text), 1)


class Turn:
    """A worker's side of taking turns: it waits for a line before each step, and tells what the step took."""

    def __init__(self) -> None:
        self.began: tuple[float, float] | None = None

    def ended(self) -> None:
        """A step is over (at first: everything is ready): tell, and wait for the next turn."""
        told: dict[str, float] = {}
        if self.began is not None:
            wall, cpu = self.began
            told = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
        print("TURN " + json.dumps(told | {"memory": peak_memory()}), flush=True)
        if sys.stdin.readline().strip() != "go":
            os._exit(0)
        self.began = time.perf_counter(), time.process_time()


def peak_memory() -> int:
    """Largest resident size of this process, in bytes."""
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def ours(job: str, model: Path, rows: list[dict[str, Any]], steps: int) -> None:
    """A stage of ours."""
    import torch

    from reference_impl.alignment.answered import Answered
    from reference_impl.alignment.data.encoding import Limits, encode_demonstrations, encode_preferences
    from reference_impl.alignment.data.rows import Demonstration, Preference
    from reference_impl.alignment.dpo import dpo, reference_log_probs
    from reference_impl.alignment.policy_gradient import policy_gradient
    from reference_impl.alignment.rollout import draw
    from reference_impl.alignment.settings.dpo import DPOSettings
    from reference_impl.alignment.settings.policy_gradient import named
    from reference_impl.alignment.settings.sft import SFTSettings
    from reference_impl.alignment.stages.learner import open_learner
    from reference_impl.text.dialog import Message

    learner = open_learner(model)
    limits = Limits(LONGEST, long_prompts="keep_end", long_responses="cut")
    turn = Turn()

    def prompt(row: dict[str, Any]) -> Any:
        return tuple(Message(**one) for one in row["prompt"]) if isinstance(row["prompt"], list) else row["prompt"]

    def told(report: Any) -> None:
        turn.ended()

    shared: dict[str, Any] = {"learning_rate": RATE, "batch": BATCH, "schedule": "constant"}
    if job.startswith("sft"):
        made = [Demonstration(prompt(row), row["completion"]) for row in rows]
        items = encode_demonstrations(made, learner.text, limits).items
        turn.ended()
        sft_settings = SFTSettings(**shared, epochs=steps * BATCH / len(items))
        from reference_impl.alignment.sft import sft

        sft(learner.policy, items, sft_settings, on_report=told)
    elif job.startswith("dpo"):
        pairs = encode_preferences(
            [Preference(prompt(row), row["chosen"], row["rejected"]) for row in rows], learner.text, limits
        ).items
        reference = reference_log_probs(learner.policy, pairs, BATCH)
        turn.ended()
        settings = DPOSettings(**shared, beta=BETA, epochs=steps * BATCH / len(pairs))
        dpo(learner.policy, reference, pairs, settings, on_report=told)
    else:
        prompts = [learner.text.prompt(prompt(row)) for row in rows]
        texts = {ids: prompt(row) for ids, row in zip(prompts, rows, strict=True)}
        count, group = GROUPS[job]

        def sample(asked: Sequence[tuple[int, ...]], number: int) -> Any:
            return draw(learner.policy, asked, max_new=ANSWER, eos=learner.eos, step=number)

        def reward(answered: Sequence[Answered]) -> torch.Tensor:
            said = (learner.text.said(texts[one.prompt], one.response) for one in answered)
            return torch.tensor([letters(text) for text in said])

        reference_policy = learner.reference()
        turn.ended()
        grpo = named(
            "grpo",
            rollouts=steps,
            prompts=count,
            samples=group,
            kl_coefficient=0.04,
            learning_rate=RATE,
            kl_limit=1e9,
        )
        policy_gradient(learner.policy, reference_policy, prompts, sample, reward, grpo, on_report=told)
    turn.ended()


def theirs(job: str, model: Path, rows: list[dict[str, Any]], steps: int, checkpointing: bool) -> None:
    """TRL's trainer."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

    turn = Turn()

    class Turns(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *arguments: Any, **others: Any) -> None:
            turn.ended()

        def on_step_end(self, *arguments: Any, **others: Any) -> None:
            turn.ended()

    tokenizer = AutoTokenizer.from_pretrained(model)
    policy = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    shared: dict[str, Any] = {
        "output_dir": "/tmp/trl-benchmark",
        "per_device_train_batch_size": BATCH,
        "max_steps": steps,
        "learning_rate": RATE,
        "lr_scheduler_type": "constant",
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": checkpointing,
        "report_to": "none",
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
        "optim": "adamw_torch_fused",
        "dataloader_num_workers": 0,
    }
    if job.startswith("sft"):
        data = Dataset.from_list([{"prompt": row["prompt"], "completion": _said(row, "completion")} for row in rows])
        config = SFTConfig(**shared, max_length=LONGEST, packing=False, completion_only_loss=True)
        trainer: Any = SFTTrainer(policy, config, train_dataset=data, processing_class=tokenizer, callbacks=[Turns()])
    elif job.startswith("dpo"):
        names = ("chosen", "rejected")
        data = Dataset.from_list([{"prompt": row["prompt"], **{n: _said(row, n) for n in names}} for row in rows])
        config = DPOConfig(**shared, max_length=LONGEST, beta=BETA, precompute_ref_log_probs=True)
        trainer = DPOTrainer(policy, None, config, train_dataset=data, processing_class=tokenizer, callbacks=[Turns()])
    else:
        data = Dataset.from_list([{"prompt": row["prompt"]} for row in rows])
        count, group = GROUPS[job]
        shared["per_device_train_batch_size"] = group * count
        config = GRPOConfig(
            **shared, num_generations=group, max_completion_length=ANSWER, beta=0.04, loss_type="grpo", temperature=1.0
        )

        def reward(completions: list[Any], **others: Any) -> list[float]:
            return [letters(one if isinstance(one, str) else one[0]["content"]) for one in completions]

        trainer = GRPOTrainer(
            policy, reward, config, train_dataset=data, processing_class=tokenizer, callbacks=[Turns()]
        )
    trainer.train()


def _said(row: dict[str, Any], name: str) -> Any:
    """What an answer is to TRL: text, or in a dialog a message."""
    return [{"role": "assistant", "content": row[name]}] if isinstance(row["prompt"], list) else row[name]


def rows_of(job: str, count: int, tokenizer: Any, options: argparse.Namespace) -> list[dict[str, Any]]:
    """What both sides learn from."""
    from reference_impl.alignment.data.reading import read
    from reference_impl.alignment.data.rows import Demonstration, Preference

    def plain(prompt: Any) -> Any:
        return prompt if isinstance(prompt, str) else [{"role": m.role, "content": m.content} for m in prompt]

    if job == "grpo":
        asked = (plain(row.prompt) for row in read(options.hh_rlhf, Preference).rows)
        sized = ((len(tokenizer.apply_chat_template(one, tokenize=False)) // 4, one) for one in asked)  # about tokens
        return [{"prompt": one} for size, one in sized if 120 <= size <= 180][:count]
    if job == "dpo_long":
        found = read(options.hh_rlhf, Preference).rows[:count]
        return [{"prompt": plain(row.prompt), "chosen": row.chosen, "rejected": row.rejected} for row in found]
    if job == "sft_mixed":
        shown = read(options.self_instruct, Demonstration).rows
        few = random.Random(0).sample(shown, count)
        return [{"prompt": plain(row.prompt), "completion": row.response} for row in few]
    pieces = _pieces(tokenizer, 128 if job == "sft_equal" else 32)
    if job == "sft_equal":
        return [{"prompt": next(pieces), "completion": next(pieces)} for _ in range(count)]
    if job == "dpo_short":
        return [{"prompt": next(pieces), "chosen": next(pieces), "rejected": next(pieces)} for _ in range(count)]
    return [{"prompt": next(pieces)} for _ in range(count)]


def _pieces(tokenizer: Any, tokens: int) -> Iterator[str]:
    """Texts of so many tokens, one after the other."""
    from reference_impl.text import microworld

    ids = tokenizer("\n".join(microworld.documents("train")[:4000]))["input_ids"]
    for start in range(0, len(ids) - tokens, tokens):
        yield tokenizer.decode(ids[start : start + tokens])


class Side:
    """One worker process."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self._log = log.open("w")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, env=environment
        )
        self.log = log

    def told(self) -> dict[str, float]:
        """What it says at its next turn."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("TURN "):
                found: dict[str, float] = json.loads(line.removeprefix("TURN "))
                return found
        raise SystemExit(f"a side ended before its last step; see {self.log}")

    def go(self) -> dict[str, float]:
        """One step."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.told()


def compared(job: str, options: argparse.Namespace, model: Path, tokenizer: Any) -> dict[str, Any]:
    """All turns of a job."""
    steps = options.steps + 2
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    rows = work / f"{job}.json"
    rows.write_text(json.dumps(rows_of(job, steps * BATCH, tokenizer, options)))
    environment = os.environ | {"OMP_NUM_THREADS": str(options.threads), "HF_HUB_OFFLINE": "1"}
    arguments = ["--job", job, "--model", str(model), "--rows", str(rows), "--steps", str(steps)]
    if options.checkpointing:
        arguments.append("--checkpointing")
    sides = {
        name: Side([python, str(HERE), "--worker", name, *arguments], environment, work / f"{job}.{name}.log")
        for name, python in (("ours", sys.executable), ("theirs", options.peer))
    }
    for side in sides.values():
        side.told()
    turns: list[dict[str, Any]] = []
    draw = random.Random(0)
    for number in range(options.steps + 1):
        before, busy = time.perf_counter(), _busy()
        took = {name: sides[name].go() for name in draw.sample(sorted(sides), 2)}
        others = (_busy() - busy - sum(one["cpu_seconds"] for one in took.values())) / (time.perf_counter() - before)
        if number:
            turns.append({**took, "others_cores": round(max(others, 0.0), 2)})
    for side in sides.values():
        side.process.kill()
    ratios = [turn["theirs"]["cpu_seconds"] / turn["ours"]["cpu_seconds"] for turn in turns]
    memory = {name: turns[-1][name]["memory"] for name in sides}
    return {
        "job": job,
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "memory_ratio": memory["theirs"] / memory["ours"],
        "turns": turns,
    }


def _busy() -> float:
    """CPU seconds that all programs of this machine have taken, idle time left out."""
    fields = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Compare, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add: Callable[..., Any] = parser.add_argument
    add("--peer")
    add("--threads", type=int, default=2)
    add("--steps", type=int, default=4)
    add("--jobs", nargs="+", choices=JOBS, default=[*JOBS])
    add("--hh-rlhf")
    add("--self-instruct")
    add("--checkpointing", action="store_true")
    add("--work", default="/tmp/trl-benchmark")
    add("--out")
    for hidden in ("--worker", "--job", "--model", "--rows"):
        add(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        rows = json.loads(Path(options.rows).read_text())
        if options.worker == "ours":
            ours(options.job, Path(options.model), rows, options.steps)
        else:
            theirs(options.job, Path(options.model), rows, options.steps, options.checkpointing)
        return
    from transformers import AutoTokenizer

    from harness import assets

    assets.get("smollm2-135m-instruct", lambda done, total: None)
    model = assets.folder("smollm2-135m-instruct")
    tokenizer = AutoTokenizer.from_pretrained(model)
    found = []
    for job in options.jobs:
        found.append(compared(job, options, model, tokenizer))
        one = found[-1]
        print(
            f"{job:10} TRL / ours: {one['ratio']:.2f} [{one['lowest']:.2f}, {one['highest']:.2f}] CPU seconds, "
            f"{one['memory_ratio']:.2f} memory",
            flush=True,
        )
    if options.out:
        told = {"threads": options.threads, "checkpointing": options.checkpointing, "jobs": found}
        Path(options.out).write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
