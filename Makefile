# `make` lists the targets. Everything runs in .venv, which the first of them makes from requirements.lock.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3# only used to make .venv; everything else runs in it
VENV := $(CURDIR)/.venv
RUN := PATH="$(VENV)/bin:$$PATH"# dvc.yaml says `python -m pipelines.train`: that python must be ours
WORKERS ?= auto# test files run side by side, one a core, at most four: each takes up to 2 GB
PYTEST := $(RUN) python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile

# What must also pass on JAX: whatever computes. Folders that do not exist are left out.
JAX_TESTS := $(wildcard tests/shared/layers tests/shared/losses tests/shared/backbones tests/shared/optim tests/shared/training \
	tests/shared/pretrained/test_parity.py tests/shared/pretrained/test_load.py tests/shared/pretrained/test_resize.py \
	tests/competitions/*/test_model*.py)

export PYTHONUTF8 := 1
export PYTHONNOUSERSITE := 1
export TF_CPP_MIN_LOG_LEVEL := 2
export DVC_NO_ANALYTICS := 1
unexport PYTHONPATH PYTHONHOME MAKEFLAGS MAKELEVEL

.PHONY: help repro test test-fast test-jax test-slow lint format schema lock env clean distclean
.NOTPARALLEL: # `make -j` must not run the tests beside each other on few cores

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

repro: env ## run the whole pipeline on the data named in params.yaml, then show the scores
	@[ -e .git ] || [ -e .dvc/config.local ] || printf '[core]\n    no_scm = true\n' > .dvc/config.local # an unpacked archive
	@$(RUN) dvc repro
	@$(RUN) python -m pipelines.report --show

test: test-fast test-jax test-slow ## all tests: the fast ones, those for JAX, whole pipelines

test-fast: env ## the tests without whole pipelines, about six minutes
	@KERAS_BACKEND=tensorflow $(PYTEST) -m "not slow"

test-jax: env ## layers, losses, backbones, optimizers, training and models on the second backend
	@KERAS_BACKEND=jax JAX_PLATFORMS=cpu JAX_DISABLE_MOST_OPTIMIZATIONS=1 $(PYTEST) -m "not slow" $(JAX_TESTS)

test-slow: env ## whole pipelines on tiny data
	@KERAS_BACKEND=tensorflow $(PYTEST) -m slow

lint: env ## check format, style and types
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy

format: env ## format the code and mend what can be mended
	@$(RUN) ruff check --fix-only .
	@$(RUN) ruff format .

schema: env ## write params.schema.json anew from the settings models
	@$(RUN) python -m pipelines.schema

# uv does not read pip's configuration; an index of your own goes into UV_DEFAULT_INDEX. No address enters the lock.
lock: env ## compile requirements.lock from pyproject.toml; UPGRADE=1 takes the newest versions
	@$(RUN) uv pip compile pyproject.toml --all-extras --universal --generate-hashes --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-config --quiet --custom-compile-command "make lock" \
		$(if $(UPGRADE),--upgrade) --output-file requirements.lock

env: ## make .venv fit requirements.lock (every target does this first)
	@$(PYTHON) tools/environment.py

clean: ## remove caches; data, models, results and .venv stay
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis dvc_plots
	@find . -path ./.venv -prune -o -path ./.git -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean ## clean, and remove .venv as well
	@rm -rf .venv
