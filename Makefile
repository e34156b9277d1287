# One word per chore; continuous integration runs the same words.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CONFIG ?= configs/tmaze_concrete.yaml
ARGS ?=
PROCESSES ?= 3

export OMP_NUM_THREADS ?= 1

.PHONY: train test test-slow lint types unit format bench delays build clean

train: $(INSTALLED)  ## Train an experiment: make train CONFIG=configs/tmaze_lstm.yaml
	$(BIN)/rllib train -f $(CONFIG) $(ARGS)

test: lint types unit  ## Lint, type check and the default tests

unit: $(INSTALLED)  ## The default tests, in PROCESSES processes
	$(BIN)/python -m pytest -n $(PROCESSES)

test-slow: $(INSTALLED)  ## The learning runs
	$(BIN)/python -m pytest -m slow

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED) .typing
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)  ## Speed of environments, cores and training, as ratios measured in one run
	$(BIN)/pip install --quiet -e ".[bench]"
	$(BIN)/python benchmarks/envs.py
	$(BIN)/python benchmarks/grids.py
	$(BIN)/python benchmarks/puzzles.py
	$(BIN)/python benchmarks/cores.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/supervised.py

delays: $(INSTALLED)  ## Every core on the T-maze at four delays: make delays ARGS=FOLDER
	$(BIN)/python benchmarks/tmaze_delays.py $(or $(ARGS),delays)

build: $(INSTALLED)
	$(BIN)/pip install --quiet build
	$(BIN)/python -m build

# Static tools do not see through the mapping of the root folders to `engram.*`; they see through these links.
.typing: Makefile
	mkdir -p .typing/engram
	for d in agents configs envs memory policy train; do ln -sfn ../../$$d .typing/engram/$$d; done
	ln -sfn ../../engram/__init__.py .typing/engram/__init__.py
	touch .typing

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[test]"
	touch $@

clean:
	rm -rf $(VENV) .typing build dist *.egg-info
