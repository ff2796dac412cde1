# The two commands: `make demo` and `make test`. Both make .venv first, and again only when what it holds changes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A venv that an older run left behind must not lean on packages outside it.
export PYTHONNOUSERSITE := 1
export PYTHONPATH :=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint types imports pytest clean help

help:  ## Show this help
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/demo.stamp  ## Search for late flights, show the leaderboard
	$(BIN)/python examples/flights.py

test: lint types imports pytest  ## Run every check

lint: $(VENV)/dev.stamp  ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp  ## Types
	$(BIN)/mypy

imports: $(VENV)/dev.stamp  ## Which room may import which
	$(BIN)/lint-imports

pytest: $(VENV)/dev.stamp  ## Tests, doctests, the README's code
	$(BIN)/python -m pytest

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[demo]' --constraint constraints.txt
	touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev,boosting]' --constraint constraints.txt
	touch $@

clean:  ## Remove the virtual environment and all caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
