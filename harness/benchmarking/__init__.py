"""Models beside each other: how much time one takes of another's, turn by turn, with intervals.

Cells of a run are measured one after the other, so ratios of their times hold whatever the machine did meanwhile. Here
two models take turns (`harness.gate.lockstep`).

bench.py     `harness.bench`: a suite of speed and memory, then the ratios
ratios.py    which models are compared, and the comparisons
"""
