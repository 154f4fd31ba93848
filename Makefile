# `make` explains itself. Every target that needs the environment makes it first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.metaphrase-installed
JOBS ?= 2
SECONDS ?= 120
MINUTES ?= 60
CASES ?= 10000
COUNT ?= 10000
SEED ?=
BENCH ?=

.DEFAULT_GOAL := help
.PHONY: help setup packages demo test test-all check bench bench-quick fuzz campaign soak soak-processes soak-server clean

help:  ## Show these targets
	@echo "Metaphrase: a dynamic binary translator as a Python library."
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Create .venv and install this package, its tests' and its notebooks' needs

$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,notebook]'
	@$(BIN)/python -m compileall -q ir translator backends machines metaphrase benchmarks
	@$(BIN)/metaphrase precompile
	@touch $@

packages:  ## Install the Debian programs that tests and demo run (as root; else say what is missing)
	@tests/install-debian-packages

demo: packages setup  ## Run Debian's own programs translated, beside native
	@$(BIN)/python -m metaphrase.demo

test: packages setup  ## Run the tests (about twelve minutes on two cores)
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m "not fuzz"

test-all: packages setup  ## Run the tests with every program on every tier, link and optimisation level
	@METAPHRASE_TEST_FULL=1 $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m "not fuzz"

check: setup  ## Lint, type-check, and see that imports run downwards only
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_layers.py

bench: packages setup  ## Compare with native and qemu-user; BENCH='--suite kernels --report FILE.html' says more
	@$(BIN)/metaphrase bench $(BENCH)

bench-quick: packages setup  ## The same with shorter runs
	@$(BIN)/metaphrase bench --quick $(BENCH)

fuzz: packages setup  ## Run the random tests for SECONDS (120) each; what they find is kept; SEED=1 repeats a run
	@METAPHRASE_FUZZ_SECONDS=$(SECONDS) METAPHRASE_FUZZ_SEED=$(SEED) $(BIN)/python -m pytest -q -n $(JOBS) -m fuzz

campaign: packages setup  ## Run random cases until each form of x86-64 has CASES (10000), for MINUTES (60) at most
	@$(BIN)/python -m tests.translator.x86.campaign --cases $(CASES) --minutes $(MINUTES) --processes $(JOBS)

soak: setup  ## Run ever-changing code for MINUTES (60) and see that memory does not grow
	@$(BIN)/python -m tests.soak $(MINUTES)

soak-processes: setup  ## Start processes and threads COUNT (10000) times and see that nothing of them stays
	@$(BIN)/python -m tests.soak_processes $(COUNT)

soak-server: packages setup  ## Run redis under load for MINUTES (60) and see that memory does not grow
	@$(BIN)/python -m tests.soak_server $(MINUTES)

clean:  ## Remove what was built (the environment too)
	rm -rf $(VENV) .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
