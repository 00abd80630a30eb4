"""Models beside each other: how much time one takes of another's, turn by turn, with intervals.

Cells of a run are measured one after the other, so ratios of their times hold whatever the machine did meanwhile. Here
two models take turns. What comes of it are cells of the same run, under the measure `side_by_side`.

bench.py          `harness.bench`: a suite of speed and memory that asks for comparisons
running.py        `harness.run`: a suite, then its comparisons where it has `side_by_side:`
pairing.py        which models are compared with which, and what a comparison finds
in_lockstep.py    a comparison of two processes (`harness.gate.lockstep`): an interval over launches
here.py           a comparison in this process, of models in its memory: an interval over rounds
side_by_side.py   the comparisons of a run, kept among its cells as each ends
"""
