# Everything a checkout needs. Each target sets up what it uses, and is quick the second time.
# Needed beforehand: Python 3.11 or newer, and make. Node, where found, adds types and the Node SDK's
# tests; Chromium adds those of the playground.

.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# The first Python on the path that is new enough; make serve PYTHON=/opt/python3.13/bin/python3 names one.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# Flags for what a target runs: make serve ARGS="--port 9000", make test ARGS="-k srt".
ARGS ?=

# What is installed is known by what it was installed from: pip is asked nothing when nothing has
# changed, and a checkout that was moved or updated is set up again.
KEY := $(shell { pwd; cat pyproject.toml requirements.lock server/myna/__init__.py; } | cksum | cut -d' ' -f1)
RUNTIME := $(VENV)/.runtime-$(KEY)
TESTABLE := $(VENV)/.testable-$(KEY)

# Constraints rather than requirements: only what is asked for is installed, at the locked version.
# The second variable succeeds the first for packages that build others.
PIP := PIP_CONSTRAINT=requirements.lock PIP_BUILD_CONSTRAINT=requirements.lock \
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip

STARTERS := whisper-base whisper-tiny.en piper-en_US-joe-medium kokoro-v1.0 speakers-campplus
# Files of tests run in so many processes at a time, each on servers and models of its own; one file
# is always in one process, from its first test to its last. PROCESSES=0 for a debugger.
PROCESSES ?= 2
SIDE_BY_SIDE := --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder
# The quick ones first.
TESTS := $(wildcard tests/unit tests/packaging tests/contract tests/models tests/browser)
CHROMIUM := $(or $(MYNA_CHROMIUM),$(shell command -v chromium || command -v chromium-browser || command -v google-chrome))

.PHONY: help
help: ## Show the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo 'ARGS="..." goes to what is run, as in make serve ARGS="--port 9000".'

.PHONY: serve
serve: $(RUNTIME) ## Run the server on 127.0.0.1:8000; the first time sets up and fetches weights.
	@exec $(BIN)/python -m myna serve $(ARGS)

.PHONY: test
test: check weights ## Run everything that has to hold: checks, then all tests.
	@$(if $(CHROMIUM),:,echo "SKIPPED: the playground is not tested, as there is no Chromium here (package chromium)")
	@echo "==> tests: $(TESTS)"
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(TESTS) $(ARGS)

.PHONY: check
check: lint types ## Lint, formatting and types.

.PHONY: lint
lint: $(TESTABLE)
	@echo "==> ruff"
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .

# The pyright package only starts a Node program, which it fetches the first time.
.PHONY: types
types: export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
types: $(TESTABLE)
	@echo "==> pyright"
	@if ! command -v node >/dev/null; then \
		echo "SKIPPED: types are not checked, as pyright needs Node and there is none here"; \
	elif ! $(BIN)/python -m pyright --version >/dev/null 2>&1; then \
		echo "SKIPPED: types are not checked, as pyright cannot be fetched" \
			"($(BIN)/python -m pyright --version says why)"; \
	else \
		$(BIN)/python -m pyright; \
	fi

.PHONY: fix
fix: $(TESTABLE) ## Mend what the linter can, and format.
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

.PHONY: bench
bench: $(TESTABLE) weights ## Measure speed and word error rate.
	@$(BIN)/python bench/run.py $(ARGS)

.PHONY: docs
docs: $(RUNTIME) ## Write docs/settings.md from the settings' declaration.
	@$(BIN)/python -m myna.settings_docs docs/settings.md

.PHONY: weights
weights: $(RUNTIME)
	@echo "==> weights of $(STARTERS)"
	@$(BIN)/python -m myna pull $(STARTERS)

.PHONY: lock
lock: ## Write requirements.lock anew, with the newest versions that fit.
	@$(need-python)
	@echo "==> newest versions, in an environment of their own"
	@set -e; clean=$$(mktemp -d); trap 'rm -rf "$$clean"' EXIT; \
	$(PYTHON) -m venv "$$clean"; \
	"$$clean/bin/python" -m pip install --upgrade setuptools wheel hatchling editables '.[test]'; \
	{ sed -n '/^#/p' requirements.lock; \
	  "$$clean/bin/python" -m pip freeze --all --exclude myna --exclude pip | \
	  sed 's/^\(torch==[^+]*\)+.*/\1/'; } > requirements.lock.new; \
	mv requirements.lock.new requirements.lock

.PHONY: clean
clean: ## Remove what was set up and built; weights stay in models/weights.
	rm -rf $(VENV) dist build .pytest_cache .ruff_cache .hypothesis tests/contract/node/node_modules
	find server tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): | $(BIN)/pip
	@echo "==> installing Myna and its locked dependencies into $(VENV)"
	@$(PIP) install --editable .
	@touch $@

# The tests build the package, hence its build backend.
$(TESTABLE): | $(BIN)/pip
	@echo "==> installing Myna, its locked dependencies and what the tests need into $(VENV)"
	@$(PIP) install hatchling --editable '.[test]'
	@touch $(RUNTIME) $@

$(BIN)/pip:
	@$(need-python)
	@echo "==> making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

define need-python
$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "Myna needs Python 3.11 or newer, with venv (python3-venv on Debian and Ubuntu)." >&2; \
	echo "Where it is not on the path: make serve PYTHON=/path/to/python3" >&2; exit 1; }
endef
