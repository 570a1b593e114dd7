# Everything from a fresh clone: `make demo`, `make test`. Needs python3 >= 3.11 with venv, and the package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := .venv-clients
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test lint types unit core bench report clients clients-node clean

help:
	@echo "make demo    set up, fetch the two small models, answer the demo's questions and compare"
	@echo "make test    set up and run every check: style, types, layers, tests, branch coverage of the core"
	@echo "make clients       set up an environment with clients that are not ours, and test the gateway with them"
	@echo "make clients-node  the same with the npm package openai (needs node and npm)"
	@echo "make bench   set up and run the benchmarks"
	@echo "make report  set up and compare every way to route on the shipped recordings"
	@echo "make clean   remove the environment and caches (model files stay where they are)"

demo: $(VENV)/.installed
	$(BIN)/streamroute demo

test: lint types core unit clients

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.installed-dev
	$(BIN)/mypy

# The core is covered by its own tests alone, every branch of it. By path: by name, the package would be imported twice.
core: $(VENV)/.installed-dev
	$(BIN)/pytest tests/core --cov=streamroute/core --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

# Real models want the machine for themselves, so they come last and one at a time. The small one is fetched for them.
unit: $(VENV)/.installed-dev
	$(BIN)/pytest --ignore=tests/core -n 2 -m "not local_models"
	$(BIN)/streamroute models pull smollm2-135m-instruct
	$(BIN)/pytest --ignore=tests/core -m local_models

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks

# Every way to route, side by side on the shipped recordings, and README's section about it.
report: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.report
	$(BIN)/python -m benchmarks.readme

# Clients that nobody here wrote, in an environment of their own: they pull many packages, and pin some that we use too.
# The gateway runs in ours, as a process.
clients: $(CLIENTS)/.installed $(VENV)/.installed-dev
	STREAMROUTE_PYTHON=$(abspath $(BIN)/python) LITELLM_LOCAL_MODEL_COST_MAP=True \
		$(CLIENTS)/bin/python -m pytest -c tests/clients/pytest.ini tests/clients

clients-node: $(VENV)/.installed-dev
	cd tests/clients/node && npm install --no-package-lock --no-audit --no-fund --silent
	STREAMROUTE_PYTHON=$(abspath $(BIN)/python) npm --prefix tests/clients/node test

clean:
	rm -rf $(VENV) $(CLIENTS) tests/clients/node/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "streamroute needs Python 3.11 or newer; $(PYTHON) is older (set PYTHON=...)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Editable installs: a change of the sources needs no new one, a change of the requirements does.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/.created
	@echo "installing streamroute into $(VENV)"
	$(PIP) --editable '.[local]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/.created
	@echo "installing streamroute and its development tools into $(VENV)"
	$(PIP) --editable '.[local,dev]'
	@touch $@ $(VENV)/.installed

$(CLIENTS)/.installed: tests/clients/requirements.txt tests/clients/constraints.txt
	@echo "installing the clients into $(CLIENTS)"
	$(PYTHON) -m venv --clear $(CLIENTS)
	$(CLIENTS)/bin/python -m pip --disable-pip-version-check install --quiet \
		--constraint tests/clients/constraints.txt --requirement tests/clients/requirements.txt
	@touch $@
