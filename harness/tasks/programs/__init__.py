"""Programs of models are judged by tests in another process: neither can reach the other, or the harness.

`server.py` forks a candidate (the model's text) and a tester (the task's test) for each program, both behind the
fences. What the test uses of the program is a stand-in (`stand_ins.py`); calls and values go over two pipes as plain
data (`values.py`, `peer.py`). Only the tester can say how the program did, and what a value is, it decides by itself.
Everything here is of the standard library alone, numpy where a program needs it.
"""
