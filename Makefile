# One command a chore, the same here and in CI. Needs only Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip
PORT ?= 8400

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test check bench docs docs-reference format lock clean

help: ## list the chores
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

# uv installs in seconds what pip takes a minute for; it comes through pip, by its name, at the version in the lock.
$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit("Limner needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-uv.lock

$(VENV)/.core: $(BIN)/uv requirements.lock requirements-build.lock pyproject.toml
	$(UV) install --quiet --python $(BIN)/python --require-hashes --requirement requirements.lock --requirement requirements-build.lock
	$(UV) install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.core requirements-dev.lock
	$(UV) install --quiet --python $(BIN)/python --require-hashes --requirement requirements-dev.lock
	@touch $@

setup: $(VENV)/.dev ## make the virtual environment with everything for development

demo: $(VENV)/.core ## serve sample pages as IIIF on loopback and annotate them into demo-output/
	$(BIN)/limner demo --output demo-output

$(VENV)/.server: $(VENV)/.core requirements-server.lock
	$(UV) install --quiet --python $(BIN)/python --require-hashes --requirement requirements-server.lock
	@touch $@

serve: $(VENV)/.server ## run the server on loopback, without tokens
	$(BIN)/limner serve --port $(PORT) --no-auth

test: setup ## run all tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: setup ## lint, types, import contracts, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

bench: setup ## run the benchmarks; each prints a ratio
	$(BIN)/python benchmarks/run.py

docs: setup ## build the documentation into site/
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: setup ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(BIN)/uv ## pin all requirements anew, with hashes and without hosts
	$(BIN)/python scripts/lock.py

clean: ## remove what was built
	rm -rf $(VENV) site demo-output build dist
