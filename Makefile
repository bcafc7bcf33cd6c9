# ShuQing 数清: `make demo` runs the main job, `make test` passes the tests; both set themselves up.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	if command -v $$p >/dev/null && $$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; \
	then echo $$p; break; fi; done)

# A process for each core (tests/conftest.py says what goes where).
SPREAD := -n auto --dist loadgroup --no-loadscope-reorder
# Tests start hundreds of processes: each would compile the whole program again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-services test-scale lint unit contracts bench nightly clean lock

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/'

setup: .setup-python .setup-node api/built/verifier.html api/built/office.js api/built/pictures.js  ## virtual environment, Node tools and the built pages, from lock files

.setup-python: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "需要 Python 3.11 至 3.13（含 venv）。 / Python 3.11 to 3.13 with venv is needed."; exit 1; }
	@echo "[set-up 1/3] Python packages into $(VENV) (about a minute the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.setup-schemas: .setup-python schemas.lock
	@echo "[set-up] ISO 20022 schemas for the tests of bank files"
	@$(BIN)/pip download -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -d .schemas -r schemas.lock
	@touch $@

.setup-scale: .setup-python scale.lock
	@echo "[set-up] Spark and Ibis, the optional extra scale (half a gigabyte)"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r scale.lock
	@touch $@

.setup-node: package-lock.json
	@command -v npm >/dev/null || { echo "需要 Node ≥ 18 和 npm。 / Node >= 18 with npm is needed."; exit 1; }
	@echo "[set-up 2/3] Solidity compiler, EVM node, contract library, font and page libraries (npm ci)"
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

api/built/verifier.html: .setup-python .setup-node scripts/build_verifier_page.py $(wildcard scripts/verifier_page/*)
	@echo "[set-up 3/3] the verifier page"
	@$(BIN)/python -m scripts.build_verifier_page

api/built/office.js api/built/pictures.js &: .setup-python .setup-node scripts/build_office_page.py api/office/words.json $(wildcard scripts/office_page/* scripts/verifier_page/core.mjs)
	@echo "[set-up 3/3] the scripts of the office pages"
	@$(BIN)/python -m scripts.build_office_page

demo: setup  ## the main job: register, list, agree, use, price, settle, verify
	@$(BIN)/shuqing demo --out demo-out

test: setup .setup-schemas lint unit  ## everything that must pass

test-services: setup  ## the same program on a PostgreSQL server and in a browser (Debian packages)
	@$(BIN)/python -m tests.services.server
	@$(BIN)/pytest $(SPREAD) -m services -rs tests/services tests/interop tests/clearing

test-scale: setup .setup-scale  ## the metering plan on Spark, to the fen as in DuckDB (Java from Debian)
	@$(BIN)/pytest -m scale -rs tests/scale

lint:
	@echo "[test 1/2] ruff and mypy"
	@! find tests -name 'test_*.py' -printf '%f\n' | sort | uniq -d | grep . || { echo "two test files of one name"; exit 1; }
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy

unit:
	@echo "[test 2/2] pytest (contracts, packages, journeys), a process for each core"
	@$(BIN)/pytest $(SPREAD)

contracts: setup  ## recompile the contracts into contracts/artifacts
	@$(BIN)/python scripts/compile_contracts.py

bench: setup  ## measured numbers, medians, recipe and machine printed
	@$(BIN)/python -m scripts.bench_ledger --json bench.json
	@$(BIN)/python -m scripts.bench_clearing --json bench-clearing.json

nightly: setup .setup-schemas  ## the full counts of the issues
	@echo "[nightly 1/3] contracts"
	@set -o pipefail; FOUNDRY_PROFILE=nightly node_modules/.bin/forge test --offline -vv --color never | awk '{ print } \
		match($$0, /calls: [0-9]+/) { calls += substr($$0, RSTART + 7, RLENGTH - 7) } \
		END { print "invariant calls in total: " calls; exit calls < 1000000 }'
	@echo "[nightly 2/3] every property with twenty times the examples, storms with five times the rounds"
	@SHUQING_NIGHTLY=1 $(BIN)/pytest -o timeout=7200 $(SPREAD)
	@echo "[nightly 3/3] the main job with 20,000 calls"
	@$(BIN)/shuqing demo --out demo-out --calls 20000

lock:  ## renew requirements.lock and scale.lock from pyproject.toml (needs uv; no address is recorded)
	@uv pip compile --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--extra dev --extra demo --python-version 3.11 pyproject.toml -o requirements.lock
	@uv pip compile --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--constraint requirements.lock --extra scale --python-version 3.11 pyproject.toml -o scale.lock

clean:  ## remove what set-up and runs have made
	@rm -rf $(VENV) node_modules .setup-* api/built demo-out out cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
