"""A stage of alignment from folder to folder: a kept model and data in, a kept model out.

    learner = open_learner(Path("checkpoints/base"))
    result = METHODS["sft"].run(learner, DataSettings("demonstrations.jsonl"), SFTSettings(epochs=2))
    learner.keep(Path("checkpoints/sft"), result)

`learner.py` opens what a stage starts from and keeps what comes of it, `data_settings.py` and
`reading.py` read what it learns from, and a
file for each way of learning puts an algorithm on it: `from_examples.py` (SFT, DPO, reward models), `from_rewards.py`
(PPO, GRPO and their relatives, rejection sampling). `result.py` says how it went. `python -m reference_impl.alignment`
does the same from the shell.
"""
