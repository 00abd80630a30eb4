"""What is looked at before a plan is shown or a run begins, so that all that is wrong is told at once.

`checked_plan.py` makes the plan that `harness plan` and every run go by. `checks.py` lists what makes cells impossible,
`warnings.py` what may: each is a function in a file of its own, which loads, fetches and trains nothing.
"""
