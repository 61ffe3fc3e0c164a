# Needs only Python 3.11 or later; everything else is installed into $(VENV).
#
#   make test                                        with python3, in .venv
#   make test PYTHON=python3.12 VENV=.venv312        with another interpreter, beside it

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?= -n auto --dist worksteal

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: demo
demo: $(VENV)/.has-demo ## Run the demonstration
	$(BIN)/python demo/run.py

.PHONY: test
test: export OMP_NUM_THREADS ?= 1
test: $(VENV)/.has-test ## Run the tests, the doctests and the code in the documentation
	$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: lint
lint: $(VENV)/.has-dev ## Check style, formatting, types and layering
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo

.PHONY: bench
bench: $(VENV)/.has-bench ## Measure the cost per operation beside other libraries (a large install)
	$(BIN)/python benchmarks/overhead.py

.PHONY: docs
docs: $(VENV)/.has-docs ## Build the documentation into docs/_build/html
	@rm -rf docs/api/generated
	$(BIN)/python -m docs.generate_coverage
	$(BIN)/python -m docs.generate_functions
	$(BIN)/python -m docs.generate_scipy
	$(BIN)/python -m sphinx -b html -q -W --keep-going -n docs docs/_build/html
	@echo "open docs/_build/html/index.html"

.PHONY: dev
dev: $(VENV)/.has-dev ## Install everything that development needs, without running it

.PHONY: clean
clean: ## Remove what was built, downloaded or cached
	rm -rf $(VENV) build dist docs/_build docs/api/generated
	rm -rf .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	find src tests demo docs benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# One stamp file per extra: installing is skipped until pyproject.toml changes.
$(VENV)/.has-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Wengert needs Python 3.11 or later; name one with: make PYTHON=/path/to/python3")'
	$(PYTHON) -m venv $(VENV)
