# Two words do everything on a fresh machine: `make run` (sample data through the whole pipeline to
# reports) and `make test`. Each sets up what it needs first.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
USERS ?= 2500
DAYS ?= 120
SEED ?= 7
WORKERS ?= 2
SAMPLE := data/sample/users-$(USERS)-days-$(DAYS)-seed-$(SEED).jsonl.gz
BIN := .venv/bin
READY := .venv/ready

export UV_COMPILE_BYTECODE := 1
export UV_PROJECT_ENVIRONMENT := .venv

help: ## Say what can be made
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(READY) ## Build .venv with the locked dependencies

$(READY): pyproject.toml uv.lock $(shell find etc share -type f 2>/dev/null)
	@.ci/setup "$(PYTHON)"
	@touch $@

run: setup $(SAMPLE) ## Simulate a community, run the whole pipeline on it, leave reports
	@$(BIN)/workbench run --source $(SAMPLE)

$(SAMPLE): | setup
	@$(BIN)/workbench simulate --users $(USERS) --days $(DAYS) --seed $(SEED) --out $@

test: setup ## Run all tests, on WORKERS processes side by side
	@.ci/chromium
	@.ci/redis
	@$(BIN)/pytest -n $(WORKERS)

check: setup ## Format, lint, types, import contract, notebooks, environment files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@git ls-files -z '*.ipynb' | xargs -0 --no-run-if-empty $(BIN)/nbstripout --verify
	@$(BIN)/python .ci/environment.py --check

serve: setup ## Serve the dashboards on this machine
	@$(BIN)/workbench serve

lab: setup ## Open JupyterLab on the notebooks
	@$(BIN)/jupyter lab notebooks

bench: setup ## Measure what the README claims
	@$(BIN)/python -m bench

clean: ## Remove everything that was built, and the sample's lake and reports
	@rm -rf .venv .cache data .*_cache .hypothesis dist
	@find reports -mindepth 1 ! -name .gitkeep -delete

.PHONY: help setup run test check serve lab bench clean
