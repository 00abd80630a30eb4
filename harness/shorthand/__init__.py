"""From what a person says in one line to the suite that it stands for: a plain mapping, which `run` takes like a file.

model_name.py       MODEL, as it is typed, -> an entry of a suite's `models:`
evaluating.py       models and tasks -> the suite that asks them
lm_eval_line.py     a command line of lm-eval -> one of `harness eval` (lm_eval_flags.py: every flag; lm_eval_model.py:
                    `--model_args`; lm_eval_config.py: `--config`)
perplexity.py       models and texts -> the suite that reads them
benchmarking.py     models, precisions and batches -> the suite that times them
values.py           several values with commas
pairs.py            `key=value`
written.py          the suite as a file (`--save-suite`)
"""
