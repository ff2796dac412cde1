# `make help` lists the commands. Each creates .venv first, and updates it when the dependencies change.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Ignore packages outside the virtual environment.
export PYTHONNOUSERSITE := 1
export PYTHONPATH :=
# Modules are compiled once, when they are first imported.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Two processes side by side: one thread each, and files of one group in one process.
JOBS ?= 2
PARALLEL := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

.PHONY: demo test check lint types imports pytest quick clean help

help:  ## Show this help
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/demo.stamp  ## Search for late flights, show the leaderboard
	$(BIN)/python examples/flights.py

test: lint imports  ## Run every check
	$(MAKE) --no-print-directory --jobs 2 types pytest

check: lint types imports quick  ## Run every check, without the slow tests

lint: $(VENV)/dev.stamp  ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp  ## Types
	$(BIN)/mypy

imports: $(VENV)/dev.stamp  ## Which package may import which
	$(BIN)/lint-imports

pytest: $(VENV)/dev.stamp  ## Tests, doctests, the code in the docs
	$(PARALLEL) -m "not serial" --durations=25
	$(BIN)/python -m pytest -m serial --durations=10 $$(grep -rl serial tests --include='test_*.py')

quick: $(VENV)/dev.stamp  ## The tests of `make pytest` that are fast
	$(PARALLEL) -m "not slow and not serial"

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[demo]' --constraint constraints.txt
	touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[dev,boosting]' --constraint constraints.txt
	touch $@

clean:  ## Remove the virtual environment and all caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
