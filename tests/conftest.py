"""What holds for all tests: none may fail because the machine is busy, or for the width of a terminal."""

import os

from hypothesis import HealthCheck, settings

os.environ.pop("COLUMNS", None)  # which workers of pytest-xdist have: a command that is called here writes into a file

pytest_plugins = ["pytester"]  # pytest in projects of their own, for tests of our plugin

# A deadline, and how long examples take to draw, are wall time: on a busy machine they say nothing about the code.
# Drawn examples are the same in every run, so that what is red once is red again.
settings.register_profile("busy", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
