"""A project before and after a change, quality first and then speed (`harness ci`).

ci.py             all of it as one function
project.py        the project at both states; unused_project.py: whether the suite loads any of it
side.py           the quality of one state, by its own code; quality_of_change.py: of both, judged
speed_pairs.py    what a suite's gated times come to in lockstep; call_pairs.py: what its `calls:` do
timed_work.py     each of them with the comparison that decides it, or the reason why none does
"""
