"""An arm: what is run, where, and the process that runs it.

    arm.py            what an arm is, and how it is written; callables.py: as Python has it
    environment.py    another interpreter, packages or a revision as an arm (revision.py), built aside (building.py)
    arm_worker.py     the process that runs an arm: one file of the standard library, run by the arm's own Python
    arm_process.py    the other end of its pipes: every wait has a timeout, every end a sentence
    outputs.py        whether two arms return the same
    model_choice.py   an arm's model, as it is written; model_part.py: what is timed of it; model_arm.py: both as a call
    model_work.py     what that calls, in the arm's environment

The worker imports nothing of the harness, which need not be installed where the arm runs.
"""
