"""Two arms in turn until it is decided which is slower (`harness ab`).

ab.py             all of it as one function
question.py       what is asked of two arms; begun.py: their comparison while it is measured; compared.py: and made
launch.py         one launch: two processes, turn by turn, one difference
lockstep.py       launches until they decide, with the A/A case beside them; shared_time.py: one budget for several
decide_all.py     several comparisons in it, with one chance of a false alarm for all
same_code.py      whether the arms run what they were meant to, to the end
quality_of_arms.py  arms that run models are probed, and the probes judged
ledger.py         the A/A launches of this machine class: what it calls slower that is not
outcome.py        the verdict with its reasons; in_words.py: as the terminal shows it; judged.py: as a row of the gate
record.py         what is kept while it is measured; launches_table.py: as a DataFrame
"""
