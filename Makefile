# Each target does its own set-up. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
READY := .venv/.ready
BENCHMARKS := $(filter-out _%,$(notdir $(basename $(wildcard benchmarks/*.py))))

.PHONY: help demo test check format bench clean
help: ## list the targets
	@sed -nE 's/^([a-zA-Z%-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20
	@echo "  benchmarks: $(BENCHMARKS)"

demo: $(READY) ## stream real data into a store, kill it, get the data back
	@$(PY) examples/demo.py

test: $(READY) ## run every test against real parts; ARGS="-k word" narrows it
	@$(PY) -m pytest $(ARGS)

check: $(READY) ## format, lint, types, imports, architecture
	@echo "ruff format";  $(PY) -m ruff format --quiet --check --diff .
	@echo "ruff check";   $(PY) -m ruff check --quiet .
	@echo "mypy";         $(PY) -m mypy
	@echo "import-linter"; .venv/bin/lint-imports --no-cache > .venv/imports.log || { cat .venv/imports.log; exit 1; }
	@echo "architecture"; $(PY) -m pytest -q tests/arch

format: $(READY) ## format the code and sort its imports
	@$(PY) -m ruff check --quiet --fix-only .
	@$(PY) -m ruff format .

bench: $(BENCHMARKS:%=bench-%) ## run every benchmark beside its peers; QUICK=1 for a short look

bench-%: $(READY) ## run one of them
	@$(PY) -m benchmarks.$* $(if $(QUICK),--quick)

clean: ## remove what the targets made
	rm -rf .venv .venvs .mypy_cache .ruff_cache .hypothesis build ./*.egg-info

# The virtual environment, made anew where it is missing and brought up to date when
# pyproject.toml changes.
$(READY): pyproject.toml
	@echo "setting up .venv (once; a minute or two)"
	@test -x $(PY) || { \
	  for python in python3 python3.14 python3.13 python3.12 python3.11 none; do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	  done; \
	  if [ "$$python" = none ]; then echo "install Python 3.11 or newer first: apt-get install python3 python3-venv"; exit 1; fi; \
	  if ! "$$python" -c 'import ensurepip' 2>/dev/null; then \
	    sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	    if ! command -v apt-get >/dev/null || ! { $$sudo true && $$sudo apt-get -qq update \
	      && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y "$$python-venv"; } >/dev/null 2>&1; \
	    then echo "install $$python-venv first: sudo apt-get install $$python-venv"; exit 1; fi; \
	  fi; \
	  "$$python" -m venv --clear .venv; }
	@$(PY) -m pip install -qq --disable-pip-version-check --upgrade "pip>=25.1"
	@$(PY) -m pip install -qq --disable-pip-version-check --editable '.[all]' --group dev
	@touch $@
