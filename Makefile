# Everything a person or CI does here is one of these targets. GNU make 3.81 (macOS) is enough.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WINGS  := client service cloud lab
STAMP  := $(VENV)/.set-up

SOURCES := $(wildcard $(WINGS:%=%/src))
TESTS   := $(wildcard $(WINGS:%=%/tests) tests)
PY_TREE := $(SOURCES) $(TESTS) $(wildcard $(WINGS:%=%/tools)) conftest.py

.DEFAULT_GOAL := help
.PHONY: help setup demo test editions check lint types arrows generate generated fmt lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## Install everything into .venv (skipped when nothing changed)

# --no-build-isolation: the build backend comes from the lock as well, with its hash.
$(STAMP): requirements/dev.txt $(WINGS:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("found Python %d.%d, expected 3.11 or later; name another: make PYTHON=python3.12 ..." % v[:2])'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(WINGS:%=-e ./%)
	@touch $(STAMP)

demo: setup ## Start the service, play the cloud's story, show each verdict and its reasons
	$(BIN)/python -m abuse_lab demo

test: setup ## Run all tests; narrow them with ARGS, e.g. make test ARGS='-k events'
	$(if $(ARGS),$(BIN)/python -m pytest $(TESTS) $(ARGS),$(BIN)/python tests/side_by_side.py $(TESTS))

# What the client's extras work with beside the newest, each in an environment of its own: requirements/NAME.txt.
EDITIONS := oldest litellm litellm-oldest

editions: $(EDITIONS:%=.venv-%/.set-up) ## Test the client's integrations with other versions of what they integrate
	@set -e; for edition in $(EDITIONS); do echo "$$edition:"; PYTHONPATH=$(CURDIR)/client/src:$(CURDIR)/cloud/src \
		.venv-$$edition/bin/python -m pytest client/tests/gateway client/tests/integrations client/tests/test_testing.py \
		-q -p no:cacheprovider $(ARGS); done

.venv-%/.set-up: requirements/%.txt
	@test -x $(@D)/bin/pip || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

check: lint types arrows generated ## Lint, formatting, types, import arrows, generated files

lint: setup
	$(BIN)/ruff check $(PY_TREE)
	$(BIN)/ruff format --check $(PY_TREE)

types: setup
	$(BIN)/mypy --strict $(SOURCES) client/tests/typing
	$(BIN)/pyright --project client --pythonpath $(BIN)/python
	$(BIN)/python client/tools/check_types.py

arrows: setup
	$(BIN)/python -m pytest -q tests/test_import_arrows.py

# A generator is a script generate_*.py in a wing's tools/ folder: bare it writes its files, with --check it compares.
GENERATORS = $(wildcard $(WINGS:%=%/tools/generate_*.py))

generate: setup ## Write the generated files (schemas, OpenAPI) again
	@set -e; for script in $(GENERATORS); do $(BIN)/python $$script; done

generated: setup
	@set -e; for script in $(GENERATORS); do $(BIN)/python $$script --check; done

fmt: setup ## Format, and mend what the linter can
	$(BIN)/ruff check --fix-only --quiet $(PY_TREE)
	$(BIN)/ruff format $(PY_TREE)

LOCK = $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

lock: ## Resolve requirements/*.txt again; UPGRADE=1 takes newer versions
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; }
	$(LOCK) $(WINGS:%=%/pyproject.toml) requirements/dev.in --output-file requirements/dev.txt \
		--no-emit-package abuse-client --no-emit-package abuse-service --no-emit-package cloud
	@set -e; for edition in $(EDITIONS) peers; do \
		$(LOCK) requirements/$$edition.in --output-file requirements/$$edition.txt; done

clean: ## Remove .venv and caches
	rm -rf $(VENV) .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(WINGS) tests -name __pycache__ -type d -prune -exec rm -rf {} +
