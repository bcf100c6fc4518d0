# Every target builds .venv itself; PYTHON is any Python 3.11 or later.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check bench docs oldest clean

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("dentframe needs Python 3.11+, this is " + sys.version.split()[0] + "; run: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[cli,plot]"
	touch $@

$(VENV)/.dev: $(STAMP)
	$(BIN)/python -m pip install --quiet --editable ".[all]" --group dev
	touch $@

demo: $(STAMP)  ## read a month from the embedded emulator
	$(BIN)/dentframe demo

test: $(VENV)/.dev  ## run the tests
	$(BIN)/python -m pytest

check: $(VENV)/.dev  ## linters, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## timings, as ratios within one run
	@for b in tests/benchmarks/bench_*.py; do echo; echo "== $$b"; $(BIN)/python $$b || exit 1; done

docs: $(VENV)/.dev  ## run every code block of README and docs
	$(BIN)/python -m pytest tests/contracts/test_docs.py

oldest:  ## run the tests on the oldest allowed versions
	test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	.venv-oldest/bin/python -m pip install --quiet --editable ".[all]" --group test --constraint tests/oldest.txt
	.venv-oldest/bin/python -m pytest

clean:
	rm -rf $(VENV) .venv-oldest build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
