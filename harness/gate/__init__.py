"""One verdict: on two stored runs, and on the speed of two arms that are measured in lockstep.

    verdict.py        what a comparison comes to: one word with its exit code, and which of several counts

Two stored runs (`harness gate`):

    judging.py        two runs by name, entries, agreements: the whole command as a function
    stored_runs.py    the verdict on one run against another; judgment.py: what it is made of
    stored_pair.py    one metric of one cell, by its kind; generated_length.py: whether a speed counts
    stored_speed.py   times of two runs that were made one after the other, and what decides on them:
    stored_ledger.py  how far runs of identical code lay apart on this machine
    watching.py       everything that nobody judges
    accepted.py       losses that were agreed to
    what_changed.py   commit, software, suite; gate_report.py: terminal, Markdown, JSON

Two arms (`harness ab`):

    arm.py            what an arm is, and how it is written
    environment.py    another interpreter, packages or a revision as an arm: built aside, kept by digest (revision.py)
    arm_worker.py     the process that runs an arm: one file of the standard library, run by the arm's own Python
    arm_process.py    the other end of its pipes: every wait has a timeout, every end a sentence
    launch.py         one launch: two processes, turn by turn, one difference
    lockstep.py       launches until they decide, with the A/A case beside them; shared_time.py: one budget for several
    decide_all.py     several comparisons in it, with one chance of a false alarm for all
    model_choice.py   an arm's model, as it is written; model_part.py: what is timed; model_arm.py: both as a call
    model_work.py     what that calls, in the arm's environment; quality_of_arms.py: both are probed
    same_code.py      whether both arms run the same code; outputs.py: whether they return the same
    ledger.py         the A/A launches of this machine class: what it calls slower that is not
    outcome.py        the verdict with its reasons; in_words.py: as the terminal shows it
    callables.py      arms as Python has them; record.py and launches_table.py: what is kept, and as a DataFrame
    question.py       what is asked of two arms; begun.py: their comparison while it is measured; compared.py: and made
    ab.py             all of it as one function

It stands above the API and uses it as a user would. The worker imports nothing of the harness, which need not be
installed where the arm runs.
"""
