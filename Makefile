# Two commands for a fresh machine: `make quickstart` and `make test`. Both make .venv if it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Images often forbid Python to keep what it has compiled. Tests start thousands of processes, and each would compile all of
# the harness anew; so would pytest its tests, which takes longer than to import them. Empty is unset.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: quickstart test test-slow test-nightly test-isa gate bench bench-history clean

quickstart: $(VENV)/installed
	$(BIN)/harness run suites/quickstart.yaml

# As many tests side by side as there are cores (four at most), each with one thread: threads of several would wait.
SIDE_BY_SIDE := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist loadfile

test: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy .github/actions/harness-comment/*.py
	$(BIN)/mypy .github/actions/harness-gate/*.py
	$(BIN)/lint-imports
	$(SIDE_BY_SIDE)

# Those that take minutes. CI runs them too.
test-slow: $(VENV)/installed-test
	$(SIDE_BY_SIDE) -m slow

# Thousands of flipped bits and of mutants of every kind of file, which are the same in every run, and what else is a case more
# of what CI runs: for a night (.github/workflows/nightly.yml), and before a release.
test-nightly: $(VENV)/installed-test
	$(SIDE_BY_SIDE) -m nightly

# The numeric tests with each instruction set that this processor has; `make test-isa ISA="--core narrowest"`: a part.
test-isa: $(VENV)/installed-test
	$(BIN)/python tests/isa $(ISA)

# Did a change make the harness worse, or slower? Against the committed baseline and the commit that it names; CI runs it, too.
gate: $(VENV)/installed-test
	$(BIN)/python .ci/gate.py

# Our own hot paths, timed; `make test` runs each once, small. `make bench-history` adds them to the project's history.
BENCH := .benchmarks/hot-paths.json

bench: $(VENV)/installed-test
	mkdir -p $(dir $(BENCH))
	OMP_NUM_THREADS=1 $(BIN)/pytest benchmarks/hot_paths --benchmark-enable --benchmark-json=$(BENCH)

bench-history: bench
	$(BIN)/harness import $(BENCH) --name hot-paths --out .benchmarks/runs
	$(BIN)/harness history add latest --out .benchmarks/runs

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
