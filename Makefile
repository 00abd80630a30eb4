# Two commands for a fresh machine: `make quickstart` and `make test`. Both make .venv if it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: quickstart test test-isa bench clean

quickstart: $(VENV)/installed
	$(BIN)/harness run suites/quickstart.yaml

test: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

# The numeric tests with each instruction set that this processor has; `make test-isa ISA="--core narrowest"`: a part.
test-isa: $(VENV)/installed-test
	$(BIN)/python tests/isa $(ISA)

bench: $(VENV)/installed-test
	$(BIN)/pytest benchmarks --benchmark-enable

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
