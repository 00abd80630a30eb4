"""Two stored runs: is the head worse than the base in anything that they measured (`harness gate`)?

checked_runs.py   two runs side by side, and what `harness compare --fail-on` looks for
judging.py        two runs by name, entries, agreements: the whole command as a function
stored_runs.py    the verdict on one run against another
stored_pair.py    one metric of one cell, by its kind; generated_length.py: whether a speed counts
stored_speed.py   times of two runs that were made one after the other, and what decides on them:
stored_ledger.py  how far runs of identical code lay apart on this machine
watching.py       everything that nobody judges
what_changed.py   commit, software, suite
"""
