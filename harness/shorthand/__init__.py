"""From what a person says in one line to the suite that it stands for: a plain mapping, which `run` takes like a file.

perplexity.py   `harness perplexity`
benchmarking.py `harness bench`
values.py       several values with commas, and key=value
model_name.py   MODEL, as it is typed, -> an entry of a suite's `models:`
written.py      the suite as a file (`--save-suite`)
"""
