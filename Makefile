# Everyday commands; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
QUICKSTART := recipes/quickstart.yaml

.PHONY: help run test test-all check format bench bench-corpus bench-training bench-gate bench-release up down lock clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 20

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "lmforge needs Python 3.11 or newer; name one: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	@echo "Installing into .venv (a few minutes the first time) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: $(INSTALLED) ## install, then run the quickstart recipe
	@$(BIN)/lmforge run $(QUICKSTART)

test: $(INSTALLED) ## install, then the default and server tests
	@$(BIN)/python -m pytest -m "not server and not slow" --numprocesses 2 --dist loadfile
	@$(BIN)/python -m pytest -m "server and not slow"

test-all: test ## all tests, the slow ones too
	@$(BIN)/python -m pytest -m slow

check: $(INSTALLED) ## format, lint, types, layers, known vulnerabilities
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/bandit --quiet --recursive --severity-level medium --configfile pyproject.toml flows tasks expectations lmforge models
	@$(BIN)/python tools/audit.py

format: $(INSTALLED) ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(INSTALLED) ## measure pre-training against training from scratch, over seeds
	@$(BIN)/python benchmarks/bench_pretraining_gain.py

bench-corpus: $(INSTALLED) ## measure the data stages against other libraries (PEER_PYTHON: who has them), 1 M documents
	@$(BIN)/python benchmarks/bench_corpus.py $(if $(PEER_PYTHON),--peer-python $(PEER_PYTHON))

bench-training: $(INSTALLED) ## measure training against other loops (PEER_PYTHON: who has accelerate), 20 minutes
	@$(BIN)/python benchmarks/bench_training.py $(if $(PEER_PYTHON),--peer-python $(PEER_PYTHON))

bench-gate: $(INSTALLED) ## measure the gate with planted effects, into docs/reliability.md
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/bench_gate.py --write docs/reliability.md

bench-release: $(INSTALLED) ## measure promotion, rollback and history of the quickstart's model, on a copy of the home
	@$(BIN)/python benchmarks/bench_release.py --home .lmforge

up: $(INSTALLED) ## start Prefect, a worker and the MLflow pages
	@$(BIN)/lmforge up

down: $(INSTALLED) ## stop them
	@$(BIN)/lmforge down

lock: $(INSTALLED) ## write constraints.txt from what is installed
	@$(BIN)/python tools/lock.py

clean: ## remove the virtual environment and caches; the home .lmforge stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
