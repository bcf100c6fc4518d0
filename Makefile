# Every target builds .venv itself; PYTHON is any Python 3.11 or later.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check map bench bench-fleet docs extras oldest clean

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

test: $(VENV)/.dev  ## run the tests, in WORKERS=2 processes where you say so
	$(BIN)/python -m pytest $(if $(WORKERS),-n $(WORKERS) --dist loadfile)

check: $(VENV)/.dev  ## linters, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

map: $(VENV)/.dev  ## print files, code lines and imports per package, and the journeys
	$(BIN)/python -m tests.house_map

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group bench
	touch $@

bench: $(VENV)/.bench  ## write the table of docs/explain/speed.md: ratios within one run
	$(BIN)/python -m tests.benchmarks.speed_page

bench-fleet: $(VENV)/.dev  ## a sync with its kills, and years of thousands of meters simulated: long
	$(BIN)/python -m tests.benchmarks.bench_fleet

$(VENV)/.docs: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group docs
	touch $@

docs: $(VENV)/.docs  ## build the site into docs/_build/html, and check its links
	$(BIN)/python docs/make_reference.py
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html
	$(BIN)/python docs/check_links.py

extras: $(VENV)/.dev  ## install the wheel bare and with each extra alone, and try it
	$(BIN)/python tests/extras.py $(if $(PYTHONS),--pythons $(PYTHONS))

oldest:  ## run the tests on the oldest allowed versions
	test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	.venv-oldest/bin/python -m pip install --quiet --editable ".[all]" --group test --constraint tests/oldest.txt
	.venv-oldest/bin/python -m pytest

clean:
	rm -rf $(VENV) .venv-oldest build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
