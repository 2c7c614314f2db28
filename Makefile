# `make help` lists what there is. Needs Python 3.11 or newer and a C compiler; all else goes into .venv.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

VENV := .venv
PYTHON_IN := $(VENV)/bin/python
READY := $(VENV)/.ready
SOURCES := pyproject.toml setup.py constraints.txt tools/setup.sh \
	$(wildcard src/assign/*.pyx src/assign/*.pxd src/assign/core/*.c src/assign/core/*.h)

# Variables of single targets.
TESTS ?= tests
DECLARATIONS ?=
SEED ?=
SECONDS ?= 60
KEEP ?=
AGAINST ?=

.PHONY: help setup test check lint types stubs contract demo fuzz bench proto docs breaking upgrade wheel clean distclean

help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(READY) ## Make .venv, install the pinned versions, build the core. Does nothing if nothing changed.

$(READY): $(SOURCES)
	@tools/setup.sh $(VENV)
	@touch $@

test: $(READY) ## Run all tests; TESTS=tests/unit runs one layer.
	@$(PYTHON_IN) -m pytest $(TESTS)

check: lint types stubs contract ## Check style, types and the contract.

lint: $(READY)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .

# Product code is strict. A test may leave its own signature bare, but what it calls is checked.
types: $(READY)
	@$(VENV)/bin/mypy
	@MYPYPATH=tests:benchmarks $(VENV)/bin/mypy --allow-untyped-defs --allow-incomplete-defs --allow-untyped-calls \
		tests tools $(wildcard benchmarks/*.py)

# The stub has the public names only: what Cython adds, and internals, are not missed.
stubs: $(READY)
	@MYPYPATH=src $(PYTHON_IN) -m mypy.stubtest assign._core --ignore-missing-stub >/dev/null || \
		MYPYPATH=src $(PYTHON_IN) -m mypy.stubtest assign._core --ignore-missing-stub

contract: $(READY)
	@$(PYTHON_IN) tools/generate_contract.py --check
	@$(PYTHON_IN) tools/lint_contract.py || [ $$? = 75 ]

demo: $(READY) ## Run one whole day at a port. DECLARATIONS=path.csv SEED=n KEEP=1 change it.
	@$(VENV)/bin/assign demo $(if $(DECLARATIONS),--declarations "$(DECLARATIONS)") $(if $(SEED),--seed "$(SEED)") $(if $(KEEP),--keep)

fuzz: $(READY) ## Feed every parser of outside bytes with damaged ones for SECONDS=60; keeps what it finds.
	@$(PYTHON_IN) tools/fuzz.py --seconds "$(SECONDS)"

bench: $(READY) ## Measure; writes benchmarks/report.json.
	@$(PYTHON_IN) benchmarks/run.py

proto: $(READY) ## Generate src/assign/v1 from proto/ again.
	@$(PYTHON_IN) tools/generate_contract.py

docs: $(READY) ## Write docs/permissions.md from the table in the code again.
	@$(PYTHON_IN) -m server.auth.permissions_page

breaking: $(READY) ## Compare the contract with AGAINST=tag: would it break a client?
	@$(PYTHON_IN) tools/lint_contract.py --against "$(or $(AGAINST),$(error say what to compare with: make breaking AGAINST=v0.1.0))"

upgrade: ## Take the newest versions that pyproject.toml allows, and pin them.
	@tools/upgrade.sh

wheel: $(READY) ## Build dist/*.whl.
	@$(PYTHON_IN) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## Remove what was built, but not .venv.
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks *.egg-info src/*.egg-info
	@rm -f $(READY) src/assign/_core.c src/assign/_core.html src/assign/*.so
	@find src server tests tools benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean ## Remove .venv too.
	@rm -rf $(VENV)
