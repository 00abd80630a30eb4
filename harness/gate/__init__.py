"""One verdict: on two stored runs, on two arms that are measured in lockstep, and on a change to a project.

    arms/             what is run, where, and by which process
    lockstep/         two arms in turn until it is decided which is slower (`harness ab`)
    stored/           two stored runs: is the head worse than the base (`harness gate`)
    change/           a project before and after a change, quality first and then speed (`harness ci`)

    verdict.py        one word for what a comparison comes to, its exit code, and which counts where there are several
    judgment.py       the rows that a gate judged, those that it watched, and their verdict
    accepted.py       losses that were agreed to
    written/          a gate's result in the terminal, as Markdown, JSON, JUnit's XML and SARIF
    announced/        a gate's result sent to a webhook

It stands above the API and uses it as a user would: `change` uses the other three, `lockstep` the arms.
"""
